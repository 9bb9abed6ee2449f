// What was done in a group, as everybody in it is told: a line in the chat (gp2) and the change of its metadata.

import { define, R } from "../base/loader";
import type { Pushes } from "../wire";
import { MsgKey, wid } from "./ids";

/** Actions that change who is in the group, and as what. */
const OF_PARTICIPANTS = new Set(["add", "remove", "leave", "promote", "demote"]);

/** The group as it is now has come before: see saveGroups. */
export async function onGroupNotification(push: Pushes["group_notification"]): Promise<void> {
  const group = wid(push.group);
  const author = wid(push.author);
  const participants = (push.participants ?? []).map(wid);
  if (OF_PARTICIPANTS.has(push.action)) {
    const actionType = push.action === "leave" ? "remove" : push.action;
    const event = { chatId: group, author, pushname: undefined, ts: push.t, externalId: push.id };
    await R("WAWebUpdateDbForGroupActionApi").updateDBForGroupAction(event, { actionType, participants: participants.map((id) => ({ id })), isInvite: !!push.invite }, {});
  }
  if (push.action === "picture") await R("WAWebProfilePicThumbCollection").ProfilePicThumbCollection.update(group);
  // Who came in by code is told of as such (gp2 "invite").
  const subtype = push.invite ? "invite" : push.action;
  const me = R("WAWebUserPrefsMeUser").getMeUser();
  const notice = {
    id: new MsgKey({ fromMe: false, remote: group, id: push.id, participant: author }), type: "gp2", subtype, author, from: group, to: me,
    body: push.text, recipients: participants, t: push.t, isNewMsg: true,
  };
  await R("WAWebMsgCollection").MsgCollection.processMultipleMessages(group, [notice], {}, {}, {});
}

export function defineGroupNotices(): void {
  define("WAWebUpdateDbForGroupActionApi", () => ({ updateDBForGroupAction: async (_event: any, _action: any, _options: any) => {} }));
}
