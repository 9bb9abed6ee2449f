// A small use of the types that openapi-typescript makes of the contract: types.test.mjs has the compiler check it. The lines that
// expect an error are there so that types which allow everything do not pass.
import type { components, operations, paths } from "./kurir";

type Schemas = components["schemas"];
type Send = paths["/wa/send"]["post"];
type Sent = Send["responses"][200]["content"]["application/json"];
type Refused = Send["responses"][401]["content"]["application/json"];

export async function send(base: string, key: string, phone: string, text: string): Promise<string | undefined> {
  const body: Send["requestBody"]["content"]["application/json"] = { phone, body: text, wait: true };
  const response = await fetch(new URL("/wa/send", base), { method: "POST", headers: { "X-Api-Key": key, "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const answer: Sent | Refused = await response.json();
  if (!answer.status) throw new Error(words(answer.code, answer.message));
  return answer.id;
}

function words(code: Schemas["ErrorCode"], message: string): string {
  return code === "UNAUTHORIZED" ? "the key is wrong" : `${code}: ${message}`;
}

export const message = (m: Schemas["Message"]): Date => new Date(m.created_at);
export type Path = operations["getMessage"]["parameters"]["path"];
export const path: Path = { id: "msg_01" };

// @ts-expect-error: no such code
export const code: Schemas["ErrorCode"] = "NO_SUCH_CODE";
// @ts-expect-error: phone is no object
export const wrong: Schemas["SendText"] = { phone: { number: 62 } };
// @ts-expect-error: no such address
export type Nothing = paths["/wa/nothing"];
