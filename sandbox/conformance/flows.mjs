// What the flows of the three clients share: a shop's phone with a past, a customer, small files made of bytes, and
// how the simulated phones saw what was sent.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { until } from "./harness.mjs";

const box = (type, ...parts) => {
  const body = Buffer.concat([Buffer.from(type, "latin1"), ...parts]);
  const size = Buffer.alloc(4);
  size.writeUInt32BE(body.length + 4);
  return Buffer.concat([size, body]);
};

/** A second of a quiet tone: 8 kHz, 8 bit, mono. */
function wav() {
  const n = 8000;
  const b = Buffer.alloc(44 + n);
  b.write("RIFF", 0, "latin1"), b.writeUInt32LE(36 + n, 4), b.write("WAVEfmt ", 8, "latin1");
  b.writeUInt32LE(16, 16), b.writeUInt16LE(1, 20), b.writeUInt16LE(1, 22), b.writeUInt32LE(8000, 24), b.writeUInt32LE(8000, 28);
  b.writeUInt16LE(1, 32), b.writeUInt16LE(8, 34), b.write("data", 36, "latin1"), b.writeUInt32LE(n, 40);
  for (let i = 0; i < n; i++) b[44 + i] = 128 + Math.round(20 * Math.sin(i / 3));
  return b;
}

/** Files as their first bytes say; the video and the voice note have no more than a head. */
export const files = {
  png: Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8/5+hHgAHggJ/PchI7wAAAABJRU5ErkJggg==", "base64"),
  webp: Buffer.from("UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==", "base64"),
  wav: wav(),
  ogg: Buffer.concat([Buffer.from("OggS\0\x02", "latin1"), Buffer.alloc(22), Buffer.from("OpusHead\x01\x01", "latin1"), Buffer.alloc(40, 7)]),
  mp4: Buffer.concat([box("ftyp", Buffer.from("isom\0\0\x02\0isomiso2mp41", "latin1")), box("mdat", Buffer.alloc(300, 5))]),
  pdf: Buffer.from("%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n", "latin1"),
};

export const dataURL = (mimetype, bytes) => `data:${mimetype};base64,${bytes.toString("base64")}`;
export const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** A number that is not on WhatsApp. */
export const nobody = "6281100000001";
export const past = { contacts: 15, chats: 10, messages: 300, seed: 7 };

export async function shop(api, owner) {
  const customer = "6281234560001";
  const wid = (number) => `${number}@c.us`;
  await api.post("/phones", { number: owner, name: "Toko", ...past });
  await api.post("/phones", { number: customer, name: "Budi" });
  const history = (chat = "") => api.get(`/phones/${owner}/past?chat=${chat}`);
  return {
    owner: wid(owner),
    customer: wid(customer),
    history,
    /** The chat of the past that has the most messages: [its wid, its messages, oldest first]. */
    longest: async () => {
      const { chats } = await history();
      return [chats[0], (await history(chats[0])).messages];
    },
    devices: async () => (await api.get(`/phones/${owner}`)).devices,
    unlink: () => api.post(`/phones/${owner}/unlink`),
    scan: (qr) => api.post(`/phones/${owner}/scan`, { qr }),
    /** The message as the customer's phone has it, the file fetched and decrypted. */
    got: async (id) => {
      const inbox = await until("the customer has it", async () => {
        const list = await api.get(`/phones/${customer}/inbox`);
        return list.some((r) => r.id === id) && list;
      });
      const seen = inbox.filter((r) => r.id === id);
      assert.equal(seen.length, 1, "in the inbox once");
      assert.deepEqual([seen[0].copies, seen[0].from, seen[0].media_error], [1, wid(owner), undefined]);
      const { mentions, extra } = (await api.get(`/phones/${customer}/messages?chat=${wid(owner)}`)).find((m) => m.id === id);
      return { ...seen[0], mentions, extra };
    },
    /** The ack of a message as WhatsApp knows it. */
    ack: async (id) => (await api.get(`/phones/${owner}/messages?chat=${wid(customer)}`)).find((m) => m.id === id)?.ack,
    reads: () => api.post(`/phones/${customer}/read`, { chat: wid(owner) }),
    /** What the customer sends: its id. */
    says: async (message) => (await api.post(`/phones/${customer}/send`, { to: owner, ...message, data: message.data?.toString("base64") })).id,
  };
}

/** The customer's phone has the file byte for byte, in a message of that kind. */
export function hasFile(got, type, bytes, more = {}) {
  const seen = { type: got.type, size: got.size, sha256: got.sha256 };
  for (const name of Object.keys(more)) seen[name] = got[name];
  assert.deepEqual(seen, { type, size: bytes.length, sha256: sha256(bytes), ...more });
}

/** Writes down where the page goes: post_logout is the way of a device that is unlinked. */
export function journeys(page) {
  const urls = [];
  page.on("framenavigated", (frame) => frame === page.mainFrame() && urls.push(frame.url()));
  return urls;
}

/** The QR that the page shows, when it shows one. */
export const shownQR = (page) => until("a QR", () => page.evaluate(() => document.querySelector("[data-ref]")?.dataset.ref).catch(() => undefined));
export const inMain = (page) =>
  until("linked again", () => page.evaluate(() => window.require?.("WAWebStreamModel").Stream.mode === "MAIN" && window.require("WAWebSocketModel").Socket.stream === "CONNECTED").catch(() => false));
