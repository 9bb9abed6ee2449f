// A message of the page as the plain record that kurir knows. Works on models and on rows of the page's database.
import { isGroup, keyOf, person, str } from "./ids";
import { type Any, field } from "./modules";

/** What WhatsApp keeps in a chat that nobody wrote. */
const systemTypes = new Set([
  "e2e_notification", "notification", "notification_template", "gp2", "broadcast_notification", "newsletter_notification", "call_log",
  "protocol", "ciphertext", "debug", "pinned_message", "keep_in_chat", "reaction", "reaction_enc", "poll_update", "poll_update_enc",
  "event_response", "message_history_notice", "message_history_bundle", "album", "unknown", "oversized", "comment", "encrypted_comment",
]); // an album is only the frame around pictures that are messages themselves

/** Types whose body is a base64 thumbnail or nothing, never text. */
const mediaTypes = new Set(["image", "video", "audio", "ptt", "ptv", "document", "sticker", "gif", "product", "location", "interactive_annotation"]);
const fileTypes = new Set(["image", "video", "audio", "ptt", "ptv", "document", "sticker", "gif"]);

export const typeOf = (m: Any): string => String(field(m, "type") ?? "");
export const isReal = (m: Any): boolean => {
  const t = typeOf(m);
  return t !== "" && !systemTypes.has(t);
};

const text = (v: Any): string => (typeof v === "string" ? v : "");
const num = (v: Any): number => (typeof v === "number" && Number.isFinite(v) ? v : 0);

/** Whether a message carries a file that can be downloaded. */
export const hasFile = (m: Any): boolean => fileTypes.has(typeOf(m));

export function bodyOf(m: Any): string {
  const type = typeOf(m);
  if (mediaTypes.has(type)) return "";
  return text(field(m, "body")) || text(field(m, "pollName")) || text(field(m, "eventName"));
}

/** The caption that a person wrote. WhatsApp fills in the file's name where there is none. */
export function captionOf(m: Any): string {
  const caption = text(field(m, "caption"));
  if (typeOf(m) === "location") return caption || text(field(m, "loc"));
  if (!caption || field(m, "isCaptionByUser") === false) return "";
  return caption === field(m, "filename") && field(m, "isCaptionByUser") !== true ? "" : caption;
}

function mediaOf(m: Any): Any {
  if (!hasFile(m)) return null;
  const filename = text(field(m, "filename"));
  return { mimetype: text(field(m, "mimetype")), ...(filename && { filename }), size: num(field(m, "size")) };
}

function quotedOf(m: Any): Any {
  const id = text(field(m, "quotedStanzaID"));
  if (!id) return null;
  const q = field(m, "quotedMsg");
  const author = str(field(m, "quotedParticipant"));
  const body = q ? bodyOf(q) || captionOf(q) : "";
  return { id, ...(author && { author }), ...(body && { body }) };
}

/** The record of browser.Message. */
export function toMessage(m: Any, accountLid?: Any): Any {
  const key = keyOf(m);
  const author = isGroup(key.chat) ? key.participant || str(field(m, "author")) : "";
  const caption = captionOf(m);
  return {
    id: key.id,
    chat: key.chat,
    ...person(key.chat, accountLid),
    from_me: key.fromMe,
    ...(author && { author }),
    type: typeOf(m),
    body: bodyOf(m),
    ...(caption && { caption }),
    time: num(field(m, "t")),
    ack: num(field(m, "ack")),
    media: mediaOf(m),
    quoted: quotedOf(m),
  };
}

/** The record of browser.LastMessage, or null. */
export function toLast(m: Any): Any {
  if (!m) return null;
  return { text: bodyOf(m) || captionOf(m), type: typeOf(m), time: num(field(m, "t")), from_me: keyOf(m).fromMe };
}
