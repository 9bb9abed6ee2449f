// Stanzas that clients make themselves. The sandbox's wire is not WhatsApp's: the one stanza that clients send for a
// common need, the rejection of a call, is understood; any other one is refused by name.

import { define, R } from "../base/loader";
import { comms } from "../comms";

class WapNode {
  constructor(
    readonly tag: string,
    readonly attrs: Record<string, unknown>,
    readonly content: unknown,
  ) {}
  toString(): string { return `<${this.tag}>`; }
}

/** A node; no content is null, as the real wap makes it. */
function wap(tag: string, attrs?: Record<string, unknown> | null, ...content: unknown[]): WapNode {
  const inner = content.length > 1 ? content : (content[0] ?? null);
  return new WapNode(tag, attrs ?? {}, inner);
}

const nodesOf = (node: WapNode): WapNode[] => (Array.isArray(node.content) ? node.content : [node.content]).filter((n) => n instanceof WapNode);

/** jid or wid */
const wireWid = (jid: unknown): string => String(jid).replace("@s.whatsapp.net", "@c.us");

async function cast(stanza: WapNode): Promise<void> {
  const reject = stanza.tag === "call" && nodesOf(stanza).find((n) => n.tag === "reject");
  if (!reject) throw new Error(`the sandbox does not simulate the stanza ${stanza}${nodesOf(stanza).map(String).join("")}`);
  await comms.request("call_reject", { id: String(reject.attrs["call-id"]), creator: wireWid(reject.attrs["call-creator"]) });
}

let stanzas = 0;

export function defineStanzas(): void {
  define("WAWap", () => ({ DROP_ATTR: { sentinel: "DROP_ATTR" }, WapNode, wap, makeWapNode: (tag: string, attrs: any, content: unknown) => new WapNode(tag, attrs, content), generateId: () => `${Date.now()}-${++stanzas}` }));
  define("WASmaxJsx", () => ({ smax: (...args: [string, any, ...unknown[]]) => R("WAWap").wap(...args) }));
  define("WADeprecatedSendIq", () => ({ deprecatedCastStanza: (stanza: WapNode, _options: unknown) => cast(stanza) }));
  define("WAComms", () => ({ sendSmaxStanza: (stanza: WapNode, _options: unknown) => cast(stanza), castSmaxStanza: (stanza: WapNode, _options: unknown) => cast(stanza) }));
  define("WAWebManageE2ESessionsJob", () => ({ ensureE2ESessions: async (_wids: unknown, _a: unknown, _b: unknown) => {} }));
}
