// The people of the action tests and what their phones see: an owner whose account the judge is linked to, a friend
// and a third one. Everything is asked of the sandbox, nothing of the judge.
import { until } from "./harness.mjs";

/** A picture that another account has; small, but a JPEG. */
export const jpeg = Buffer.from(
  "/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP//////////////////////////////////////////////////////////////////////////////////////wAALCAABAAEBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAA//EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AR//Z",
  "base64",
);
/** A picture to set; one white pixel. */
export const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8/5+hHgAHggJ/PchI7wAAAABJRU5ErkJggg==";

export async function actors(api, owner) {
  const friend = "6281234560011";
  const third = "6281234560012";
  const wid = (number) => `${number}@c.us`;
  await api.post("/phones", { number: owner, name: "Toko" });
  // Before the judge is linked: a message, and what both thought of it.
  const old = (await api.post(`/phones/${friend}/send`, { to: owner, body: "sebelum ditautkan" })).id;
  await api.post(`/phones/${owner}/act`, { chat: wid(friend), action: "react", id: old, text: "❤️" });
  await api.post(`/phones/${friend}/act`, { chat: wid(owner), action: "react", id: old, from_me: true, text: "😂" });

  const account = () => api.get(`/phones/${owner}/account`);
  const messages = (number, chat) => api.get(`/phones/${number}/messages?chat=${wid(chat)}`);
  const group = (g) => api.get(`/groups/${g}`);
  return {
    owner: wid(owner),
    friend: wid(friend),
    third: wid(third),
    account,
    group,
    /** The key of the message that is older than the link; the owner's ❤️ and the friend's 😂 are on it. */
    old: `false_${wid(friend)}_${old}`,
    /** The owner's chat with the friend, as WhatsApp keeps it. */
    chat: async () => (await account()).chats.find((c) => c.wid === wid(friend)) ?? {},
    contact: async () => (await account()).contacts.find((c) => c.wid === wid(friend)) ?? {},
    /** In which chat the owner is shown to type, and how. */
    typing: async () => {
      const { typing, typing_state } = await api.get(`/phones/${owner}`);
      return [typing, typing_state];
    },
    /** A message of the chat, on the owner's side and on the friend's. */
    own: async (id) => (await messages(owner, friend)).find((m) => m.id === id),
    theirs: async (id) => (await messages(friend, owner)).find((m) => m.id === id),
    /** What the friend does. */
    says: async (body) => (await api.post(`/phones/${friend}/send`, { to: owner, body })).id,
    does: (action, id, fromMe, text = "") => api.post(`/phones/${friend}/act`, { chat: owner, action, id, from_me: fromMe, text }),
    types: (state) => api.post(`/phones/${friend}/typing`, { chat: owner, state }),
    looks: (profile) => api.post(`/phones/${friend}/profile`, profile),
    opens: async (subject) => (await api.post("/groups", { owner: friend, subject, participants: [owner] })).group,
    inGroup: (g, action, args = {}) => api.post(`/phones/${friend}/group`, { action, group: g, ...args }),
    /** What the friend does in a group: a vote, and what anybody else does there. */
    votes: (g, id, ...options) => api.post(`/phones/${friend}/act`, { chat: g, action: "vote", id, from_me: false, options }),
    outsider: (number, action, args) => api.post(`/phones/${number}/group`, { action, ...args }),
    /** A group of the owner's with both others. */
    ownGroup: async (subject) => (await api.post("/groups", { owner, subject, participants: [friend, third] })).group,
    inGroupChat: async (g, id) => (await api.get(`/phones/${friend}/messages?chat=${g}`)).find((m) => m.id === id),
    person: async (number) => (await account()).contacts.find((c) => c.wid === wid(number)) ?? {},
    received: async (number) => api.get(`/phones/${number}/inbox`),
    rings: async () => (await api.post(`/phones/${friend}/call`, { to: owner })).id,
    calls: () => api.get(`/phones/${friend}/calls`),
    online: (online) => api.post(`/phones/${friend}/presence`, { online }),
    readsAll: () => api.post(`/phones/${friend}/read`, { chat: wid(owner) }),
    sends: async (message) => (await api.post(`/phones/${friend}/send`, { to: owner, ...message })).id,
    /** The owner and the friend know each other: then they see each other's status. */
    befriend: async () => {
      await api.post("/phones", { number: owner, name: "Toko", address_book: [{ wid: wid(friend), name: "Budi" }] });
      await api.post("/phones", { number: friend, address_book: [{ wid: wid(owner), name: "Toko" }] });
    },
    posts: async (body) => (await api.post(`/phones/${friend}/send`, { to: "status@broadcast", body })).id,
    statuses: async () => (await api.get(`/phones/${friend}/messages?chat=status@broadcast`)).map((m) => [m.type, m.body, m.from_me, m.ack ?? 0]),
    /** Who is in a group: + is an admin. */
    members: async (g) => (await group(g)).participants.map((p) => (p.admin ? "+" : "") + p.wid),
  };
}

/** Waits until what f returns is deeply equal to `want`, and says what it was when it never is. */
export function becomes(what, f, want) {
  const text = JSON.stringify(want);
  let last;
  return until(what, async () => (last = JSON.stringify(await f())) === text).catch((e) => {
    throw new Error(`${what}: is ${last}, should become ${text}`, { cause: e });
  });
}
