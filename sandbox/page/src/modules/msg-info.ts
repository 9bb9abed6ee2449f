// What became of an own message with each of its receivers. WhatsApp Web keeps the receipts itself; this asks the server.

import { define, R } from "../base/loader";
import { BaseCollection, Collection } from "../base/collection";
import { BaseModel, defineModel } from "../base/model";
import { comms } from "../comms";
import { MsgKey, wid, type Wid } from "./ids";

class MsgInfoParticipant extends BaseModel {}
// Its real name is not known; wa-js, which looks for msg-info-participant, finds none in the contract.
defineModel(MsgInfoParticipant, { proxyName: "msg-info-receiver", props: { id: undefined, t: undefined }, session: {} });

class ParticipantCollection extends Collection {
  static override model = MsgInfoParticipant;
}

const LISTS = ["delivery", "read", "played"] as const;

class MsgInfo extends BaseModel {
  getCollection(): any { return R("WAWebMsgInfoCollection").MsgInfoCollection; }
}
defineModel(MsgInfo, {
  proxyName: "msg-info",
  props: { id: undefined, deliveryRemaining: 0, readRemaining: 0, playedRemaining: 0 },
  session: { stale: false },
  lazy: Object.fromEntries(LISTS.map((name) => [name, (self) => new ParticipantCollection(undefined, { parent: self })])),
});

class MsgInfoCollectionImpl extends BaseCollection {
  static override model = MsgInfo;
  override async findQuery(id: any): Promise<any> {
    const info = await R("WAWebApiMessageInfoStore").queryMsgInfo(id);
    const model = this.gadd(id);
    for (const name of LISTS) {
      model[name].reset();
      model[name].add(info[name], { silent: true });
      model.set(`${name}Remaining`, info[`${name}Remaining`]);
    }
    model.set("stale", true); // the next one who looks asks again
    return model;
  }
}

interface Info extends Record<(typeof LISTS)[number], { id: Wid; t: number }[]> {
  id: MsgKey;
  deliveryRemaining: number;
  readRemaining: number;
  playedRemaining: number;
}

async function query(key: any): Promise<Info> {
  const { receipts, receivers } = await comms.request("message_info", { chat: String(key.remote), id: key.id });
  const list = (what: "delivered" | "read" | "played") => receipts.flatMap((r) => (r[what] ? [{ id: wid(r.wid), t: r[what]! }] : []));
  const [delivery, read, played] = [list("delivered"), list("read"), list("played")];
  const rest = (l: unknown[]) => receivers - l.length;
  return { id: key, delivery, read, played, deliveryRemaining: rest(delivery), readRemaining: rest(read), playedRemaining: rest(played) };
}

export function defineMsgInfo(): void {
  define("WAWebMsgInfoModel", () => ({ MsgInfoParticipant, ParticipantCollection, MsgInfo }));
  define("WAWebMsgInfoCollection", () => ({ MsgInfoCollection: new MsgInfoCollectionImpl() }));
  define("WAWebApiMessageInfoStore", () => ({
    queryMsgInfo: (key: unknown) => query(MsgKey.from(key)),
    queryMsgInfos: (keys: unknown[]) => Promise.all(keys.map((key) => query(MsgKey.from(key)))),
  }));
}
