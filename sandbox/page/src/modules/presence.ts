// Presence and typing. Subscriptions trickle out: a client subscribes to every chat at once when it starts, and
// that must not stand before a message in the queue.

import { define, R } from "../base/loader";
import { BaseCollection, Collection } from "../base/collection";
import { BaseModel, defineModel } from "../base/model";
import { comms } from "../comms";
import type { Pushes } from "../wire";
import { maybeWid, wid } from "./ids";

class Chatstate extends BaseModel {}
defineModel(Chatstate, { proxyName: "chatstate", props: { id: undefined }, session: { type: undefined, t: undefined, deny: undefined } });

class ChatstateCollection extends Collection {
  static override model = Chatstate;
}

class Presence extends BaseModel {
  async subscribe(): Promise<void> {
    if (this.isSubscribed) return;
    this.set("isSubscribed", true);
    enqueue(String(this.id));
  }
  getCollection(): unknown { return R("WAWebPresenceCollection").PresenceCollection; }
}
defineModel(Presence, {
  proxyName: "presence",
  props: { id: undefined },
  session: { isOnline: undefined, hasData: false, isSubscribed: false, forceDisplay: false },
  lazy: {
    chatstate: (self) => {
      const state = new Chatstate({ id: self.id });
      self.addChild("chatstate", state);
      return state;
    },
    chatstates: (self) => new ChatstateCollection(undefined, { parent: self }),
  },
  derived: { isUser: (self) => self.id.isUser(), isGroup: (self) => self.id.isGroup() },
});

class PresenceCollectionImpl extends BaseCollection {
  static override model = Presence;
  clearAllPresence(): void { this._reset(); }
}

const queue: string[] = [];
let draining = false;

function enqueue(id: string): void {
  queue.push(id);
  if (draining) return;
  draining = true;
  setTimeout(drain, 1000);
}

function drain(): void {
  for (const id of queue.splice(0, 20)) comms.request("presence", { subscribe: id }).catch(() => {});
  draining = queue.length > 0;
  if (draining) setTimeout(drain, 100);
}

/** A push of the server about somebody's presence or typing. */
export function onPresence(push: Pushes["presence"]): void {
  const model = R("WAWebPresenceCollection").PresenceCollection.gadd(wid(push.wid));
  model.set({ isOnline: push.state === "available", hasData: true });
  model.chatstate.set({ type: push.state, t: push.t });
}

export function onChatstate(push: Pushes["chatstate"]): void {
  const model = R("WAWebPresenceCollection").PresenceCollection.gadd(wid(push.chat));
  const type = push.state === "paused" ? "available" : push.state === "recording" ? "recording_audio" : "typing";
  model.set({ hasData: true });
  if (push.author) model.chatstates.add({ id: maybeWid(push.author), type }, { merge: true });
  model.chatstate.set({ type });
}

export function definePresence(): void {
  define("WAWebPresenceModel", () => ({ Presence, Chatstate, ChatstateCollection }));
  define("WAWebPresenceCollection", () => ({ PresenceCollection: new PresenceCollectionImpl() }));
  define("WAWebPresenceChatAction", () => {
    const send = (chat: any, state: "composing" | "recording" | "paused") => comms.request("chatstate", { chat: String(chat.id), state });
    return {
      markComposing: (chat: any) => send(chat, "composing"),
      markRecording: (chat: any) => send(chat, "recording"),
      markPaused: (chat: any) => send(chat, "paused"),
      sendPresenceAvailable: () => comms.request("presence", { state: "available" }),
      sendPresenceUnavailable: () => comms.request("presence", { state: "unavailable" }),
      getChatIdentifier: (chat: any) => chat.id,
    };
  });
  define("WAWebContactPresenceBridge", () => ({
    setPresenceAvailable: () => comms.request("presence", { state: "available" }),
    setPresenceUnavailable: () => comms.request("presence", { state: "unavailable" }),
    subscribePresence: async (w: unknown, _token: unknown) => enqueue(String(w)),
  }));
  define("WAWebChatStateBridge", () => {
    const send = (w: unknown, state: "composing" | "recording" | "paused") => comms.request("chatstate", { chat: String(w), state });
    return {
      sendChatStateComposing: (w: unknown) => send(w, "composing"),
      sendChatStateRecording: (w: unknown) => send(w, "recording"),
      sendChatStatePaused: (w: unknown) => send(w, "paused"),
    };
  });
}
