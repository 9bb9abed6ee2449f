// What chats and statuses share. A file of its own, so that both can be made of it whichever is read first.

import { BaseModel } from "../base/model";

/** WAWebSuperChatMsgs: what chats and statuses share. */
export class SuperChatMsgs extends BaseModel {
  onEmptyMRM(): void { throw new Error("onEmptyMRM not implemented"); }
  removeMsg(msg: any): void { this.msgs.remove(msg); }
  getAllCMCs(): any[] { return [this.msgs]; }
  getAllMsgs(): any[] { return this.msgs.getModelsArray(); }
}
