// Why WhatsApp refused a message. wa-js only says ERROR_UNKNOWN; the number of the server's error is known for a moment
// inside the page, between the answer and the model.
import { keyOf } from "./ids";
import { limit, Problem } from "./limits";
import { isReal } from "./message";
import { type Any, field, fn, mod, models, quiet } from "./modules";

const restrictedCode = 463; // WhatsApp's limit on writing to people who have not been written to before
const codes = new Map<string, number>(); // of the last refusals, by message id
const maxCodes = 200;
let watching = false;

/** Starts listening to the server's answers. A build without the function has none to tell: explain goes without. */
export function watchRefusals(): void {
  const job = mod("WAWebSendMsgJob");
  const send = job?.encryptAndSendMsg;
  if (watching || typeof send !== "function") return;
  watching = true;
  job.encryptAndSendMsg = async (...args: Any[]) => {
    const answer = await send(...args);
    quiet(() => remember(args[0], answer));
    return answer;
  };
}

function remember(request: Any, answer: Any): void {
  const id = keyOf(request?.data ?? {}).id;
  const code = Number(answer?.error);
  if (!id) return;
  codes.delete(id);
  if (code) codes.set(id, code);
  if (codes.size > maxCodes) codes.delete(codes.keys().next().value!);
}

/** Finds out more about a refusal: a file that did not get up, or the limit on writing to strangers, which is not about this message. */
export async function explain(e: Problem, id: string, chat: Any, m: Any): Promise<Problem> {
  if (e.code !== "SEND_REJECTED") return e;
  const stage = String(quiet(() => m?.mediaData?.mediaStage) ?? "");
  if (stage.startsWith("ERROR")) return new Problem("UPLOAD_FAILED", stage);
  const code = codes.get(id);
  if (code !== undefined && code !== restrictedCode) return new Problem(e.code, `WhatsApp's server answered error ${code}`);
  // Without the number: a lock that is on, and a chat that it concerns. (Any other refusal within it would otherwise look like it.)
  if (code === undefined && ((await ask("WAWebReachoutTimelockUtils", "isUserReachoutTimelocked", 500)) !== true || (await known(chat)))) return e;
  return new Problem("RESTRICTED", "WhatsApp's server answered error 463", await lockEnd());
}

/** When WhatsApp's lock on writing to strangers ends, epoch seconds; undefined when nobody says. */
export async function lockEnd(): Promise<number | undefined> {
  const lock = await ask("WAWebGetReachoutTimelockJob", "fetchReachoutTimelock", 2000);
  return Number(lock?.time_enforcement_ends) || undefined;
}

/** Whether a chat is one that the lock leaves alone: WhatsApp says so, or somebody has written in it. */
export async function known(chat: Any): Promise<boolean> {
  const says = await ask("WAWebReachoutTimelockUtils", "canSendMsgWhileTimelocked", 500, chat);
  if (typeof says === "boolean") return says;
  return models(quiet(() => chat.msgs)).some((m) => isReal(m) && !keyOf(m).fromMe) || field(chat, "unreadCount") > 0;
}

async function ask(module: string, name: string, ms: number, ...args: Any[]): Promise<Any> {
  const f = fn(module, name);
  return f && (await limit(Promise.resolve().then(() => f(...args)), ms, "PAGE_TIMEOUT", name).catch(() => undefined));
}
