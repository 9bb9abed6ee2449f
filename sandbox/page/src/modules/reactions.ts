// Reactions: one for each message and sender, kept beside the messages. Every one, sent or received, goes through the
// two exports that clients wrap.

import { define, R } from "../base/loader";
import { BaseCollection, Collection } from "../base/collection";
import { BaseModel, defineModel } from "../base/model";
import { modelStorage } from "../store";
import type { WireMessage } from "../wire";
import { act, newKeyBeside, resultOf } from "./actions";
import { SendMsgResult } from "./enums";
import { MsgKey, type Wid } from "./ids";
import { updateMessage } from "./messages";

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

/** Stores and shows somebody's reaction to a message, which may be on disk only. */
export async function onReaction(msg: { id: MsgKey }, key: MsgKey, author: Wid, text: string, t: number): Promise<void> {
  await R("WAWebAddonReactionTableMode").reactionTableMode.bulkUpsert([
    { id: key, reactionParentKey: msg.id, reactionText: text, reactionTimestamp: t * 1000, author, from: author, to: msg.id.remote, t, type: "reaction", read: key.fromMe, orphan: 0 },
  ]);
  const reaction = {
    msgKey: String(key), parentMsgKey: String(msg.id), senderUserJid: String(author), reactionText: text, timestamp: t * 1000, t, read: key.fromMe, orphan: 0, orphanReason: null,
  };
  await R("WAWebReactionsMsgAction").addOrUpdateReactionsModelCollection(reaction, true);
}

/** Stores the reactions that came with a piece of the past. Nobody is told: they are not news. */
export function storePastReactions(past: { id: string; message: WireMessage }[]): Promise<void> {
  const rows: Row[] = past.flatMap(({ id, message }) =>
    Object.entries(message.reactions ?? {}).map(([senderUserJid, reactionText]) => {
      const fromMe = R("WAWebUserPrefsMeUser").isSerializedWidMe(senderUserJid);
      const msgKey = String(new MsgKey({ fromMe, remote: message.chat, id: MsgKey.newId(), participant: message.chat.endsWith("@g.us") ? senderUserJid : undefined }));
      return { msgKey, parentMsgKey: id, senderUserJid, reactionText, timestamp: message.t * 1000, read: true, orphan: 0 };
    }),
  );
  if (!rows.length) return Promise.resolve();
  return modelStorage.write(["reactions"], (tx) => {
    for (const row of rows) tx.objectStore("reactions").put(row);
  });
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

/** The rows of a message, those that were taken back too. */
function rowsOf(parent: string): Promise<Row[]> {
  return modelStorage.read("reactions", (s) => s.index("parent").getAll(parent));
}

async function standing(parent: string): Promise<Row[]> {
  return (await rowsOf(parent)).filter((r) => r.reactionText !== REVOKED);
}

async function reactionsOf(parent: string): Promise<any> {
  const rows = await standing(parent);
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
  const hasReaction = (await standing(reaction.parentMsgKey)).length > 0;
  const msg = R("WAWebMsgCollection").MsgCollection.get(reaction.parentMsgKey);
  if (!msg || !!msg.hasReaction !== hasReaction) await updateMessage(reaction.parentMsgKey, { hasReaction });
  const { ReactionsCollection } = R("WAWebReactionsCollection");
  if (ReactionsCollection.get(reaction.parentMsgKey)) await ReactionsCollection.update(reaction.parentMsgKey);
}

// What a message's reactions look like to who asks the collection: by emoji, and under each the senders.

class AggReactions extends BaseModel {}
defineModel(AggReactions, { proxyName: "agg-reactions", props: { id: undefined, aggregateEmoji: undefined, hasReactionByMe: false, senders: undefined }, session: {} });

class AggReactionsCollection extends Collection {
  static override model = AggReactions;
}

class Reactions extends BaseModel {}
defineModel(Reactions, {
  proxyName: "reactions",
  props: { id: undefined, reactionByMe: undefined },
  session: {},
  lazy: { reactions: (self) => new AggReactionsCollection(undefined, { parent: self }) },
});

class ReactionsCollectionImpl extends BaseCollection {
  static override model = Reactions;
  override async findQuery(id: any): Promise<any> {
    const found = await reactionsOf(String(id));
    const model = this.gadd(id);
    model.reactions.reset();
    model.reactions.add(found.reactions, { silent: true });
    model.set("reactionByMe", found.reactionByMe);
    return model;
  }
}

export function defineReactions(): void {
  define("WAWebReactionsCollection", () => ({ ReactionsCollection: new ReactionsCollectionImpl() }));
  define("WAWebSendReactionMsgAction", () => ({ sendReactionToMsg: (msg: any, text: string) => send(msg, text) }));
  define("WAWebReactionsMsgAction", () => ({ addOrUpdateReactionsModelCollection: (reaction: any, _live: boolean) => show(reaction) }));
  define("WAWebSchemaReactions", () => ({ getReactionsTable: () => ({ all: (): Promise<Row[]> => modelStorage.getAll("reactions") }) }));
  define("WAWebAddonReactionTableMode", () => ({
    reactionTableMode: {
      bulkUpsert: (reactions: any[]) => upsert(reactions),
      bulkGetByParentMsgKey: async (parents: any[]) => (await Promise.all(parents.map((p) => rowsOf(String(p))))).flat(),
    },
  }));
  define("WAWebDBGetReactions", () => ({ REVOKED_REACTION_TEXT: REVOKED, getReactions: (parent: any) => reactionsOf(String(parent)) }));
}
