// Reactions: one for each message and sender, kept beside the messages. Every one, sent or received, goes through the
// two exports that clients wrap.

import { define, R } from "../base/loader";
import { promise } from "../base/idb";
import { modelStorage } from "../store";
import { act, newKeyBeside, resultOf } from "./actions";
import { SendMsgResult } from "./enums";
import type { MsgKey, Wid } from "./ids";

const REVOKED = ""; // the text of a reaction that was taken back

interface Row {
  msgKey: string;
  parentMsgKey: string;
  senderUserJid: string;
  reactionText: string;
  timestamp: number;
  read: boolean;
  orphan: number;
}

async function send(msg: any, text: string): Promise<unknown> {
  const key = newKeyBeside(msg);
  const result = await resultOf(act(msg, "react", key.id, text));
  if (result.messageSendResult === SendMsgResult["OK"]) await onReaction(msg, key, R("WAWebUserPrefsMeUser").getMeUser(), text, result.t!);
  return result;
}

/** Stores and shows somebody's reaction to a message. */
export async function onReaction(msg: any, key: MsgKey, author: Wid, text: string, t: number): Promise<void> {
  await R("WAWebAddonReactionTableMode").reactionTableMode.bulkUpsert([
    { id: key, reactionParentKey: msg.id, reactionText: text, reactionTimestamp: t * 1000, author, from: author, to: msg.id.remote, t, type: "reaction", read: key.fromMe, orphan: 0 },
  ]);
  const reaction = {
    msgKey: String(key), parentMsgKey: String(msg.id), senderUserJid: String(author), reactionText: text, timestamp: t * 1000, t, read: key.fromMe, orphan: 0, orphanReason: null,
  };
  await R("WAWebReactionsMsgAction").addOrUpdateReactionsModelCollection(reaction, true);
}

function upsert(reactions: any[]): Promise<void> {
  return modelStorage.write(["reactions"], (tx) => {
    for (const r of reactions) {
      tx.objectStore("reactions").put({
        msgKey: String(r.id), parentMsgKey: String(r.reactionParentKey), senderUserJid: String(r.author ?? r.from), reactionText: r.reactionText,
        timestamp: r.reactionTimestamp, read: !!r.read, orphan: r.orphan ?? 0,
      } satisfies Row);
    }
  });
}

async function rowsOf(parent: string): Promise<Row[]> {
  const db = await modelStorage.open();
  const rows = await promise(db.transaction("reactions").objectStore("reactions").index("parent").getAll(parent));
  return rows.filter((r: Row) => r.reactionText !== REVOKED);
}

async function reactionsOf(parent: string): Promise<any> {
  const rows = await rowsOf(parent);
  const mine = (r: Row) => R("WAWebUserPrefsMeUser").isSerializedWidMe(r.senderUserJid);
  const emoji = [...new Set(rows.map((r) => r.reactionText))];
  return {
    reactionByMe: rows.find(mine),
    reactions: emoji.map((aggregateEmoji) => {
      const senders = rows.filter((r) => r.reactionText === aggregateEmoji);
      return { id: aggregateEmoji, aggregateEmoji, hasReactionByMe: senders.some(mine), senders };
    }),
  };
}

async function show(reaction: Row): Promise<void> {
  R("WAWebMsgCollection").MsgCollection.get(reaction.parentMsgKey)?.set("hasReaction", (await rowsOf(reaction.parentMsgKey)).length > 0);
}

export function defineReactions(): void {
  define("WAWebSendReactionMsgAction", () => ({ sendReactionToMsg: (msg: any, text: string) => send(msg, text) }));
  define("WAWebReactionsMsgAction", () => ({ addOrUpdateReactionsModelCollection: (reaction: any, _live: boolean) => show(reaction) }));
  define("WAWebAddonReactionTableMode", () => ({
    reactionTableMode: {
      bulkUpsert: (reactions: any[]) => upsert(reactions),
      bulkGetByParentMsgKey: async (parents: any[]) => (await Promise.all(parents.map((p) => rowsOf(String(p))))).flat(),
    },
  }));
  define("WAWebDBGetReactions", () => ({ REVOKED_REACTION_TEXT: REVOKED, getReactions: (parent: any) => reactionsOf(String(parent)) }));
}
