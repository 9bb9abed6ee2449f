// Socket, Stream and Conn: the state a client watches. Stream.mode is derived, never set: QR when not registered,
// whatever the socket does; MAIN when hasSynced or the stream is connected; else SYNCING.

import { define, R } from "../base/loader";
import { BaseModel, defineModel } from "../base/model";
import { EventEmitter } from "../base/emitter";
import { SOCKET_STATE, SOCKET_STREAM, StreamInfo, StreamMode } from "./enums";
import * as session from "../session";

class SocketImpl extends BaseModel {
  override initialize(): void {
    this.on("change", updateMode);
  }
  reconnect(): void { session.reconnect(); }
  takeover(): void { session.reconnect(); }
  openStream(): void { session.reconnect(); }
  async logout(reason?: string): Promise<void> { await session.logout(reason ?? "user_initiated"); }
  sendCurrentLogout(): Promise<void> { return this.logout(); }
  async clearCredentialsAndStoredData(): Promise<void> { await session.forget(); }
  async clearCredentials(): Promise<void> { await session.forget(); }
  summary(): string { return `${this.state} ${this.stream}`; }
}
defineModel(SocketImpl, {
  proxyName: "socket",
  props: {},
  session: { state: SOCKET_STATE.UNLAUNCHED, stream: SOCKET_STREAM.DISCONNECTED, hasSynced: false, canSend: false, launched: false, retryTimestamp: undefined },
});

class StreamImpl extends BaseModel {
  markAvailable(): void { this.set("available", true); this.sendAvailability(); }
  markUnavailable(): void { this.set("available", false); this.sendAvailability(); }
  unobscure(): void { this.set("obscured", false); }
  sendAvailability(): void { session.sendAvailability(this.available); }
}
defineModel(StreamImpl, {
  proxyName: "stream",
  props: {},
  session: { mode: StreamMode.QR, info: StreamInfo.OFFLINE, displayInfo: undefined, available: false, obscured: false, needsUpdate: undefined, phoneAuthed: false },
});

/** Derives what the stream says from the socket and the registration. */
export function updateMode(): void {
  const socket = R("WAWebSocketModel").Socket;
  R("WAWebStreamModel").Stream.set({ mode: streamMode(socket), info: streamInfo(socket) });
}

function streamMode(socket: any): string {
  if (!R("WAWebUserPrefsMultiDevice").isRegistered()) return StreamMode.QR!;
  if (socket.hasSynced || socket.stream === SOCKET_STREAM.CONNECTED) return StreamMode.MAIN!;
  return StreamMode.SYNCING!;
}

function streamInfo(socket: any): string {
  if (!navigator.onLine) return StreamInfo.OFFLINE!;
  if (socket.state === SOCKET_STATE.OPENING || socket.state === SOCKET_STATE.UNLAUNCHED) return StreamInfo.OPENING!;
  if (socket.state !== SOCKET_STATE.CONNECTED) return StreamInfo.PAIRING!;
  if (socket.stream === SOCKET_STREAM.CONNECTED) return StreamInfo.NORMAL!;
  return socket.stream === SOCKET_STREAM.DISCONNECTED ? StreamInfo.CONNECTING! : socket.stream;
}

class ConnImpl extends BaseModel {
  canSetMyPushname(): boolean { return true; }
}
defineModel(ConnImpl, {
  proxyName: "conn",
  props: { ref: undefined, refTTL: undefined, wid: undefined, lid: undefined, pushname: undefined, platform: undefined, connected: undefined, battery: undefined, plugged: undefined, is24h: false, isSMB: false },
  session: {},
});

class NetworkStatusImpl extends BaseModel {
  override initialize(): void {
    addEventListener("online", () => this.set("online", true));
    addEventListener("offline", () => this.set("online", false));
  }
  checkOnline(): boolean { return this.online; }
  simulateNetworkStatus(online: boolean): void { this.set("online", online); }
}
defineModel(NetworkStatusImpl, { proxyName: "network-status", props: {}, session: { online: true } });

// onX / triggerX for every event that the real bus names so, onceX for two.
const BUS_EVENTS =
  "AppStateSyncCompleted,Logout,RefreshQR,InitialChatHistorySynced,RecentChatHistorySynced,FullChatHistorySynced,CriticalSyncDone,StorageInitializationError," +
  "SocketStreamDisconnected,OpenSocketStream,ReconnectSocket,SetSocketState,MainStreamModeReady,OfflineDeliveryEnd,OfflineDeliveryStateReset,AbPropsUpdate,AbPropsLoaded";
const BUS_TRIGGERS_ONLY = "StartingLogout,HistorySyncChunkProcessed,TemporaryBan,UnexpectedLogoutModal,InitialLoadReady,ServiceUnavailable,OfflineProcessReady";

function snake(name: string): string {
  return name.replace(/(?<=[a-z])(?=[A-Z])/g, "_").toLowerCase();
}

function makeBus(): any {
  const bus: any = new EventEmitter();
  for (const name of [...BUS_EVENTS.split(","), ...BUS_TRIGGERS_ONLY.split(",")]) {
    bus["trigger" + name] = (...args: unknown[]) => bus.trigger(snake(name), ...args);
  }
  for (const name of BUS_EVENTS.split(",")) {
    bus["on" + name] = (callback: (...args: any[]) => void) => bus.on(snake(name), callback);
  }
  for (const name of ["AppStateSyncCompleted", "OfflineDeliveryEnd"]) {
    bus["once" + name] = (callback: (...args: any[]) => void) => bus.once(snake(name), callback);
  }
  return bus;
}

export function defineConn(): void {
  define("WAWebEventEmitter", () => ({ default: EventEmitter }));
  define("WAWebSocketModel", () => ({ Socket: new SocketImpl() }));
  define("WAWebStreamModel", () => ({ StreamInfo, StreamMode, Stream: new StreamImpl() }));
  define("WAWebConnModel", () => ({ Conn: new ConnImpl() }));
  define("WAWebNetworkStatus", () => ({ default: new NetworkStatusImpl({ online: navigator.onLine }) }));
  define("WAWebBackendEventBus", () => ({ BackendEvent: Object.fromEntries(BUS_EVENTS.split(",").map((n) => [n, snake(n)])), BackendEventBus: makeBus() }));
  define("WAWebLogoutReason", () => ({
    getErrorCodeFromLogoutReason: (reason: string) => session.logoutCode(reason),
    setPrevLogoutReasonCode: (code: number) => sessionStorage.setItem("logout-reason", String(code)),
    getPrevLogoutReasonCode: () => sessionStorage.getItem("logout-reason"),
    setPrevCustomLogoutMessage: (_text: string) => {},
    getPrevCustomLogoutMessage: () => undefined,
  }));
  define("WAWebIsOfficialClient", () => ({ isOfficialClient: true, getIsOfficialClient: () => R("WAWebIsOfficialClient").isOfficialClient }));
  define("WAWebBuildConstants", () => {
    const [VERSION_PRIMARY, VERSION_SECONDARY, VERSION_TERTIARY] = session.VERSION.split(".");
    return { VERSION_PRIMARY, VERSION_SECONDARY, VERSION_TERTIARY, VERSION_BASE: session.VERSION, VERSION_STR: session.VERSION };
  });
  define("WAWebUpdaterVersion", () => ({ SANITIZED_VERSION_STR: session.VERSION }));
  define("WAWebAltDeviceLinkingApi", () => {
    let pairingType = "QR";
    return {
      getPairingType: () => pairingType,
      setPairingType: (type: string) => void (pairingType = type),
      getCurrentRef: () => R("WAWebConnModel").Conn.ref,
      initializeAltDeviceLinking: async () => R("WAWebAltDeviceLinkingApi").setPairingType("ALT_DEVICE_LINKING"),
      initializeQRLinking: async () => R("WAWebAltDeviceLinkingApi").setPairingType("QR"),
      startAltLinkingFlow: (phone: string, _push: boolean) => session.pairingCode(phone),
    };
  });
  define("WAWebLinkDeviceAction", () => ({
    genLinkDeviceCodeForPhoneNumber: (phone: string, push: boolean) => R("WAWebAltDeviceLinkingApi").startAltLinkingFlow(phone, push),
    refreshAltLinkingCode: (phone: string) => R("WAWebAltDeviceLinkingApi").startAltLinkingFlow(phone, true),
    resetLinkDeviceState: async (_reason?: unknown) => R("WAWebAltDeviceLinkingApi").initializeQRLinking(),
  }));
}
