// Votes in polls: one for each poll and voter, kept beside the messages. Every one, sent or received, goes through the
// two exports that clients wrap.

import { define, R } from "../base/loader";
import { modelStorage } from "../store";
import type { WireMessage } from "../wire";
import { act, newKeyBeside, resultOf } from "./actions";
import { SendMsgResult } from "./enums";
import { MsgKey, type Wid } from "./ids";

interface Row {
  msgKey: string;
  parentMsgKey: string;
  sender: string;
  senderUserJid: string;
  selectedOptionLocalIds: ArrayBuffer; // one byte each
  senderTimestampMs: number;
  read: boolean;
}

interface Option {
  name: string;
  localId: number;
}

/** The places of the options in the poll, by name: votes travel as hashes of names. */
function localIds(poll: any, names: string[]): number[] {
  return (poll.pollOptions as Option[]).filter((o) => names.includes(o.name)).map((o) => o.localId);
}

async function send(msg: any, chosen: Iterable<number>): Promise<{ messageSendResult: string; t?: number }> {
  const ids = new Set(chosen);
  const options = (msg.pollOptions as Option[]).filter((o) => ids.has(o.localId)).map((o) => o.name);
  const most = msg.pollSelectableOptionsCount || options.length;
  if (options.length > most) throw new Error(`poll ${msg.id}: at most ${most} options can be chosen`);
  const key = newKeyBeside(msg);
  const result = await resultOf(act(msg, "vote", key.id, undefined, { options }));
  if (result.messageSendResult === SendMsgResult["OK"]) await onVote(msg, key, R("WAWebUserPrefsMeUser").getMeUser(), options, result.t!);
  return result;
}

/** Stores and shows what somebody chooses now. A poll that the page does not have is voted in without its knowing. */
export async function onVote(target: { id: MsgKey }, key: MsgKey, author: Wid, options: string[], t: number): Promise<void> {
  const { messages } = await R("WAWebMsgCollection").MsgCollection.getMessagesById([target.id]);
  const poll = messages[0];
  if (poll?.type !== "poll_creation") return;
  const vote = {
    id: key, msgKey: key, parentMsgKey: poll.id, pollUpdateParentKey: poll.id, type: "poll_update", author, from: author, sender: author, to: poll.id.remote, ack: 1, read: key.fromMe,
    selectedOptionLocalIds: localIds(poll, options), senderTimestampMs: t * 1000,
    t: t * 1000, // clients divide it
  };
  await R("WAWebAddonPollVoteTableMode").pollVoteTableMode.bulkUpsert([vote]);
}

function rowOf(v: any): Row {
  return {
    msgKey: String(v.msgKey ?? v.id), parentMsgKey: String(v.parentMsgKey), sender: String(v.sender), senderUserJid: String(v.sender),
    selectedOptionLocalIds: new Uint8Array(v.selectedOptionLocalIds).buffer, senderTimestampMs: v.senderTimestampMs, read: !!v.read,
  };
}

function store(votes: any[]): Promise<void> {
  return modelStorage.write(["poll-votes"], (tx) => {
    for (const vote of votes) tx.objectStore("poll-votes").put(rowOf(vote));
  });
}

/** Stores the votes that came with a piece of the past. Nobody is told: they are not news. */
export async function storePastVotes(past: { id: string; message: WireMessage }[]): Promise<void> {
  const votes = past.flatMap(({ id, message }) =>
    Object.entries(message.votes ?? {}).map(([sender, options]) => {
      const fromMe = R("WAWebUserPrefsMeUser").isSerializedWidMe(sender);
      const msgKey = new MsgKey({ fromMe, remote: message.chat, id: MsgKey.newId(), participant: message.chat.endsWith("@g.us") ? sender : undefined });
      return { msgKey, parentMsgKey: id, sender, selectedOptionLocalIds: localIds(message.extra, options), senderTimestampMs: message.t * 1000, read: true };
    }),
  );
  if (votes.length) await store(votes);
}

function of(parent: unknown): Promise<Row[]> {
  return modelStorage.read("poll-votes", (s) => s.index("parent").getAll(String(parent)));
}

/** As much of a table as clients ask of one. */
const table = {
  all: (): Promise<Row[]> => modelStorage.getAll("poll-votes"),
  equals: (index: string[], value: unknown): Promise<Row[]> => {
    if (index.join() !== "parentMsgKey") throw new Error(`the sandbox does not simulate a look for votes by ${index}`);
    return of(value);
  },
};

export function definePolls(): void {
  define("WAWebPollsSendVoteMsgAction", () => ({ sendVote: (msg: any, chosen: Iterable<number>) => send(msg, chosen) }));
  define("WAWebPollsVotesSchema", () => ({ getTable: () => table }));
  define("WAWebDBPollsUpsertVotes", () => ({ upsertVotesDb: (votes: any[]) => store(votes) }));
  define("WAWebAddonPollVoteTableMode", () => ({
    pollVoteTableMode: {
      bulkUpsert: (votes: any[]) => R("WAWebDBPollsUpsertVotes").upsertVotesDb(votes),
      bulkGetByParentMsgKey: async (parents: unknown[]) => (await Promise.all(parents.map(of))).flat(),
    },
  }));
}
