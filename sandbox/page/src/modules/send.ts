// Sending. The order of a send: the message shows (add, ack 0), it is written to IndexedDB, it goes on the wire, the
// server's answer is ack 1. A send that failed resolves with ERROR_UNKNOWN, it does not reject. A message that was
// written and not answered is sent again by the page when it is connected again, also after a reload.

import { define, R } from "../base/loader";
import { initValue } from "../base/model";
import { comms, ServerError } from "../comms";
import { stepOf } from "../steps";
import { lastRows, pendingRows } from "../store";
import type { WireMedia, WireMessage } from "../wire";
import { ACK, isSystemType, SendMsgResult, unixTime } from "./enums";
import { uploadFor } from "./media";
import { asStatus, showOwnStatus } from "./status";
import { rowToAttributes, saveMsg, saveSoon, showNew, storeMessages, toRow, withRowId } from "./messages";

interface Result {
  messageSendResult: string;
  t?: number;
  count?: number | null;
}

const inFlight = new Set<string>();

function failed(): Result {
  return { messageSendResult: SendMsgResult["ERROR_UNKNOWN"]! };
}

/** A chat that is only in memory cannot be sent to. */
function expectStored(chat: any): void {
  if (chat.id.isStatus()) return; // no chat at all
  if (!lastRows.has(String(chat.id))) throw new Error("findChat: new chat not found");
}

function addAndSend(chat: any, data: any): [Promise<any>, Promise<Result>] {
  try {
    expectStored(chat);
  } catch (err) {
    return [Promise.reject(err), Promise.resolve(failed())];
  }
  const held = stepOf(data, "before_add");
  if (!held) return addAndSendNow(data);
  const both = held.then(() => addAndSendNow(data));
  return [both.then((two) => two[0]), both.then((two) => two[1])];
}

function addAndSendNow(data: any): [Promise<any>, Promise<Result>] {
  const msg = showNew(withRowId({ ...data, ack: ACK.CLOCK }));
  const store = () => storeMessages([toRow(msg.attributes)]);
  const held = stepOf(data, "after_add");
  const stored = (held ? held.then(store) : store()).then(async () => {
    if (msg.id.remote.isStatus()) await showOwnStatus(msg);
    return msg;
  });
  const sent = stored.then(async () => {
    R("WAWebMsgCollection").MsgCollection.trigger("new_msg_sent", msg);
    await stepOf(data, "after_storage");
    return transmit(msg);
  });
  return [stored, sent];
}

/** Files: the message shows at once, and is written when its file is on the server. */
export async function sendPrepared(chat: any, data: any, mediaData: any): Promise<Result> {
  expectStored(chat);
  await stepOf(data, "before_add");
  const msg = showNew(withRowId({ ...(chat.id.isStatus() ? asStatus(data) : data), ack: ACK.CLOCK }));
  initValue(msg, "mediaData", mediaData);
  msg.addChild("mediaData", mediaData);
  await stepOf(data, "after_add");
  try {
    msg.set(await uploadFor(msg, mediaData));
  } catch {
    return fail(msg);
  }
  await saveMsg(msg);
  if (chat.id.isStatus()) await showOwnStatus(msg);
  await stepOf(data, "after_storage");
  const { messageSendResult } = await transmit(msg);
  return { messageSendResult };
}

/** Puts a stored message on the wire and settles it. */
async function transmit(msg: any): Promise<Result> {
  const key = msg.id._serialized;
  if (inFlight.has(key)) return failed();
  inFlight.add(key);
  try {
    const answer = await R("WAWebSendMsgJob").encryptAndSendMsg({ type: "message", data: msg.attributes }, {});
    if (!answer || answer.error) return await fail(msg);
    msg.updateAck(ACK.SENT, true);
    saveSoon(msg);
    return { messageSendResult: SendMsgResult["OK"]!, t: answer.t, count: answer.count };
  } finally {
    inFlight.delete(key);
  }
}

async function fail(msg: any): Promise<Result> {
  msg.set("isSendFailure", true);
  await saveMsg(msg);
  return failed();
}

/** The network part of a send; clients wrap it. Resolves with error set when the server refused. */
async function encryptAndSend(request: { data: any }): Promise<any> {
  const { data } = request;
  if (data.id.remote.isStatus()) return encryptAndSendStatus(request);
  const proto = R("WAWebE2EProtoGenerator").createMsgProtobuf(data, {});
  await R("WAWebSendMsgCreateFanoutStanza").createFanoutMsgStanza(data, proto, [], undefined, undefined, undefined, undefined);
  const answer = { t: undefined as number | undefined, sync: null, phash: null as string | null, addressingMode: null, count: null, error: null as number | null };
  try {
    const ok = await comms.request("message", wireMessage(data));
    return { ...answer, t: ok.t, phash: ok.phash ?? null };
  } catch (err) {
    if (!(err instanceof ServerError)) throw err;
    if (err.code === 463) R("WAWebMexReachoutTimelockNotificationHandler").handleReachoutTimelockUpdate(true, err.until, "DEFAULT");
    return { ...answer, error: err.code };
  }
}

/** A status goes another way: to many, and nobody is told who could not be reached. */
async function encryptAndSendStatus(request: { data: any }): Promise<any> {
  const answer = { t: request.data.t, sync: null, phash: null, addressingMode: null, count: null, error: null as number | null };
  try {
    await R("WAWebEncryptAndSendStatusMsg").encryptAndSendStatusMsg(request, R("WAWebE2EProtoGenerator").createMsgProtobuf(request.data, {}), {});
    return answer;
  } catch (err) {
    if (!(err instanceof ServerError)) throw err;
    return { ...answer, error: err.code };
  }
}

function wireMedia(data: any): WireMedia | undefined {
  if (!data.directPath) return undefined;
  return {
    mimetype: data.mimetype,
    size: data.size,
    filename: data.filename,
    media_key: data.mediaKey,
    file_sha256: data.filehash,
    file_enc_sha256: data.encFilehash,
    direct_path: data.directPath,
    width: data.width,
    height: data.height,
    duration: data.duration === undefined ? undefined : Number(data.duration),
    ptt: data.type === "ptt" || undefined,
  };
}

const EXTRA = "lat lng loc vcardFormattedName vcardList pollName pollOptions pollSelectableOptionsCount isViewOnce isGif footer title description matchedText canonicalUrl isForwarded forwardingScore backgroundColor font".split(" ");

export function wireMessage(data: any): WireMessage {
  const extra: Record<string, unknown> = {};
  for (const name of EXTRA) if (data[name] !== undefined && data[name] !== null) extra[name] = data[name];
  const quoted = data.quotedMsg;
  return {
    id: data.id.id,
    chat: String(data.id.remote),
    from_me: true,
    author: data.id.participant?.toString(),
    type: data.type,
    body: (data.mediaKey ? data.caption : data.body) ?? "",
    t: data.t ?? unixTime(),
    media: wireMedia(data),
    quoted: quoted && {
      id: data.quotedStanzaID,
      author: String(data.quotedParticipant ?? ""),
      type: quoted.type,
      body: quoted.caption ?? quoted.body ?? "",
      from_me: R("WAWebUserPrefsMeUser").isMeAccount(data.quotedParticipant),
    },
    mentions: data.mentionedJidList?.map(String),
    extra: Object.keys(extra).length ? extra : undefined,
  };
}

/** Sends what an earlier stream, or an earlier page, left without an answer. */
export async function resendPending(): Promise<void> {
  const rows = (await pendingRows()).sort((a, b) => b.rowId - a.rowId);
  for (const row of rows) {
    const [msg] = R("WAWebMsgCollection").MsgCollection.add(rowToAttributes(row), { silent: true });
    if (!inFlight.has(row.id) && msg.ack === ACK.CLOCK) await transmit(msg);
  }
}

// A light stand-in for the protobuf: enough for what clients change in it.
function protobuf(data: any): Record<string, any> {
  if (data.type === "chat") return data.quotedMsg || data.matchedText ? { extendedTextMessage: { text: data.body } } : { conversation: data.body };
  if (isSystemType(data.type)) return { protocolMessage: {} };
  const field = ({ ptt: "audio", ptv: "video", vcard: "contact", multi_vcard: "contactsArray", poll_creation: "pollCreation" } as Record<string, string>)[data.type] ?? data.type;
  return { [`${field}Message`]: { caption: data.caption, mimetype: data.mimetype } };
}

export function defineSend(): void {
  define("WAWebSendMsgChatAction", () => ({
    addAndSendMsgToChat: (chat: any, data: any, _options: unknown) => addAndSend(chat, data),
    async resendMsgToChat(_chat: any, msg: any) {
      msg.set("isSendFailure", undefined);
      return transmit(msg);
    },
  }));
  define("WAWebSendTextMsgChatAction", () => ({
    sendTextMsgToChat: async (chat: any, text: string, _options: unknown) => {
      const { default: MsgKey } = R("WAWebMsgKey");
      const me = R("WAWebUserPrefsMeUser").getMeUser();
      const id = new MsgKey({ from: me, to: chat.id, id: MsgKey.newId(), selfDir: "out", participant: chat.id.isGroup() ? me : undefined });
      const data = { id, body: text, type: "chat", t: unixTime(), from: me, to: chat.id, self: "out", isNewMsg: true, local: true };
      return R("WAWebSendMsgChatAction").addAndSendMsgToChat(chat, data, {})[1];
    },
  }));
  define("WAWebSendMsgJob", () => ({ encryptAndSendMsg: (request: any, _metrics: unknown) => encryptAndSend(request) }));
  define("WAWebE2EProtoGenerator", () => ({ createMsgProtobuf: (data: any, _options: unknown) => protobuf(data) }));
  define("WAWebE2EProtoUtils", () => ({
    typeAttributeFromProtobuf: (proto: any) => (proto.conversation !== undefined || proto.extendedTextMessage ? "text" : proto.reactionMessage ? "reaction" : proto.pollCreationMessage ? "poll" : "media"),
  }));
  define("WAWebBackendJobsCommon", () => ({
    CIPHERTEXT_VERSION: 2,
    mediaTypeFromProtobuf: (proto: any) => Object.keys(proto).find((k) => /^(image|video|audio|document|sticker|location|contact)Message$/.test(k))?.replace("Message", "") ?? null,
    encodeMaybeMediaType: (type: string | null) => type ?? R("WAWap").DROP_ATTR,
  }));
  define("WAWebSendMsgCreateFanoutStanza", () => ({
    createFanoutMsgStanza: async (_data: any, proto: any, _devices: unknown, _a: unknown, _b: unknown, _c: unknown, _d: unknown) => ({
      type: R("WAWebE2EProtoUtils").typeAttributeFromProtobuf(proto),
      mediatype: R("WAWebBackendJobsCommon").encodeMaybeMediaType(R("WAWebBackendJobsCommon").mediaTypeFromProtobuf(proto)),
    }),
  }));
}
