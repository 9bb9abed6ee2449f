// WhatsApp ids as plain strings. LID first: whoever appears is named by number and by LID as far as the page knows.
import { type Any, field, mod, quiet } from "./modules";

/** The printed form of a wid or key, whatever its class calls the field today (_serialized became $1 once). */
export function str(id: Any): string {
  if (id === undefined || id === null) return "";
  if (typeof id === "string") return id.replace("@s.whatsapp.net", "@c.us");
  const s = id._serialized ?? id.$1;
  return typeof s === "string" ? s : String(quiet(() => id.toString()) ?? "");
}

export const server = (wid: string): string => wid.slice(wid.indexOf("@") + 1);
export const user = (wid: string): string => wid.slice(0, Math.max(0, wid.indexOf("@"))).split(":")[0]!;
export const isGroup = (wid: string): boolean => wid.endsWith("@g.us");
export const isLid = (wid: string): boolean => wid.endsWith("@lid");
export const isPn = (wid: string): boolean => wid.endsWith("@c.us");

/** A Wid object of the page. Throws when the page refuses the text. */
export function toWid(wid: string): Any {
  const create = mod("WAWebWidFactory")?.createWid;
  if (typeof create !== "function") throw new Error("WAWebWidFactory.createWid is missing");
  return create(wid);
}

/** The other name of a person: the LID of a number, the number of a LID; "" when the page does not know. */
export function alternate(id: Any): string {
  const api = mod("WAWebApiContact");
  if (!api) return "";
  const s = str(id);
  const lid = isLid(s);
  if (!lid && !isPn(s)) return "";
  return (
    str(
      quiet(() => {
        const wid = typeof id === "string" ? toWid(id) : id;
        const c = api.lidPnCache;
        if (lid) return typeof c?.getPhoneNumber === "function" ? c.getPhoneNumber(wid) : api.getPhoneNumber?.(wid);
        return typeof c?.getCurrentLid === "function" ? c.getCurrentLid(wid) : api.getCurrentLid?.(wid);
      }),
    ) || ""
  );
}

/** Number (digits) and LID of a wid; both undefined for groups. accountLid is what a chat of an account not yet migrated to LIDs carries. */
export function person(id: Any, accountLid?: Any): { phone?: string; lid?: string } {
  const s = str(id);
  const lid = isLid(s);
  if (!lid && !isPn(s)) return {};
  const other = (!lid && str(accountLid)) || alternate(id);
  const phone = user(lid ? other : s);
  const l = lid ? s : other;
  return { ...(phone && { phone }), ...(l && { lid: l }) };
}

/** The parts of a message's key, from a MsgKey, its printed form, or a database row. */
export function keyOf(m: Any): { id: string; chat: string; fromMe: boolean; participant: string } {
  const k = field(m, "id");
  if (typeof k === "string") {
    const [me, chat = "", id = "", ...rest] = k.split("_"); // fromMe_remote_id[_out|_in][_participant]
    const participant = rest[rest.length - 1] ?? "";
    return { id, chat: str(chat), fromMe: me === "true", participant: participant.includes("@") ? str(participant) : "" };
  }
  return { id: String(k?.id ?? ""), chat: str(k?.remote), fromMe: k?.fromMe === true, participant: str(k?.participant) };
}
