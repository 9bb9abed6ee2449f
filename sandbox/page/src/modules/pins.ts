// Messages that are pinned in a chat, for everybody in it.

import { define, R } from "../base/loader";
import { BaseCollection } from "../base/collection";
import { BaseModel, defineModel } from "../base/model";
import { modelStorage } from "../store";
import type { WireMessage } from "../wire";
import { act, newKeyBeside, resultOf } from "./actions";
import { SendMsgResult, unixTime } from "./enums";
import { MsgKey, wid } from "./ids";

const PIN_STATE = { INVALID: 0, PIN: 1, UNPIN: 2 };
const DAY = 24 * 3600;
const SECONDS: Record<string, number> = { FiveSeconds: 5, FifteenSeconds: 15, OneMinute: 60, OneDay: DAY, SevenDays: 7 * DAY, ThirtyDays: 30 * DAY };

interface Row {
  parentMsgKey: string;
  msgKey: string;
  chatId: string;
  sender: string;
  pinType: number;
  pinExpiryDuration: number;
  senderTimestampMs: number;
  t: number;
}

class PinInChat extends BaseModel {
  leftExpirationTime(): number { return Math.max(0, this.t + this.pinExpiryDuration - unixTime()); }
}
defineModel(PinInChat, {
  proxyName: "pin-in-chat",
  props: { id: undefined, msgKey: undefined, parentMsgKey: undefined, chatId: undefined, sender: undefined, pinType: undefined, pinExpiryDuration: undefined, senderTimestampMs: undefined, t: undefined, read: true },
  session: {},
});

class PinInChatCollectionImpl extends BaseCollection {
  static override model = PinInChat;
  getByMsgKey(key: unknown): any { return this.findFirst((p: any) => String(p.msgKey) === String(key)); }
  getByParentMsgKey(key: unknown): any { return this.get(String(key)); }
  deleteByParentMessageKey(key: unknown): void { this.remove(String(key)); }
}

function show(row: Row): void {
  const pin = { ...row, id: row.parentMsgKey, msgKey: MsgKey.fromString(row.msgKey), parentMsgKey: MsgKey.fromString(row.parentMsgKey), chatId: wid(row.chatId), sender: wid(row.sender) };
  R("WAWebPinInChatCollection").PinInChatCollection.add(pin, { merge: true });
}

export async function loadPins(): Promise<void> {
  for (const row of await modelStorage.getAll("pin-in-chat")) show(row);
}

/** Stores and shows that somebody pinned a message, or took its pin away. */
export async function onPin(parent: MsgKey, key: MsgKey, sender: unknown, seconds: number | undefined, t: number): Promise<void> {
  const row: Row = {
    parentMsgKey: String(parent), msgKey: String(key), chatId: String(parent.remote), sender: String(sender), pinType: seconds === undefined ? PIN_STATE.UNPIN : PIN_STATE.PIN, pinExpiryDuration: seconds ?? 0,
    senderTimestampMs: t * 1000, t,
  };
  await modelStorage.put("pin-in-chat", row);
  show(row);
}

export async function storePastPins(past: { id: string; message: WireMessage }[]): Promise<void> {
  for (const { id, message } of past) {
    if (!message.pin) continue;
    const parent = MsgKey.fromString(id);
    const key = new MsgKey({ fromMe: false, remote: parent.remote, id: MsgKey.newId(), participant: parent.remote.isGroup() ? message.pin.by : undefined });
    await onPin(parent, key, message.pin.by, message.pin.seconds, message.pin.t);
  }
}

async function send(msg: any, state: number, option: unknown): Promise<{ messageSendResult: string; t?: number }> {
  if (state !== PIN_STATE.PIN && state !== PIN_STATE.UNPIN) throw new Error(`sendPinInChatMsg: there is no state ${state}`);
  const seconds = state === PIN_STATE.PIN ? Number(R("WAWebPinMsgConstants").getPinExpiryDuration(option)) : undefined;
  const key = newKeyBeside(msg);
  const result = await resultOf(act(msg, seconds === undefined ? "unpin" : "pin", key.id, undefined, { seconds }));
  if (result.messageSendResult === SendMsgResult["OK"]) await onPin(msg.id, key, R("WAWebUserPrefsMeUser").getMeUser(), seconds, result.t!);
  return result;
}

const expired = (pin: any): boolean => pin.pinType !== PIN_STATE.PIN || pin.t + pin.pinExpiryDuration < unixTime();

const table = {
  all: (): Promise<Row[]> => modelStorage.getAll("pin-in-chat"),
  equals: async (index: string[], value: unknown): Promise<Row[]> => (await table.all()).filter((row) => String(row[index[0] as keyof Row]) === String(value)),
};

export function definePins(): void {
  define("WAWebPinMsgConstants", () => ({
    PIN_STATE,
    // Names as wa-js has them; the lengths are what they say.
    PinExpiryDurationOption: Object.fromEntries(Object.keys(SECONDS).map((name) => [name, name])),
    DEFAULT_PIN_EXPIRY_DURATION_OPTION: "SevenDays",
    getPinExpiryDuration: (option: string) => SECONDS[option] ?? SECONDS["SevenDays"],
    getPinExpiryOption: (seconds: number) => Object.keys(SECONDS).find((name) => SECONDS[name] === seconds),
  }));
  define("WAWebSendPinMessageAction", () => ({ sendPinInChatMsg: (msg: any, state: number, option: unknown, _ack: unknown) => send(msg, state, option) }));
  define("WAWebPinInChatModel", () => ({ PinInChat }));
  define("WAWebPinInChatCollection", () => ({
    PinInChatCollection: new PinInChatCollectionImpl(),
    getPinInChatId: (key: unknown) => String(key),
    isPinExpired: (pin: any) => expired(pin),
    isPinValid: (pin: any) => !expired(pin),
  }));
  define("WAWebPinInChatSchema", () => ({ getTable: () => table }));
}
