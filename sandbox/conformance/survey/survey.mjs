// What of a client's public surface works against the sandbox: every call, one after the other, with arguments that make
// sense, on a linked account with a friend, groups, files. No test: it says where the sandbox ends. Run one client with
//
//   node sandbox/conformance/survey/wajs.mjs [-v]      (wwebjs.mjs, wppconnect.mjs)
import { actors, jpeg, png } from "../actors.mjs";
import { files } from "../flows.mjs";
import { startSandbox, until } from "../harness.mjs";

const patience = 6000;
const verbose = process.argv.includes("-v");

/** Everybody and everything that the calls are about. */
export async function world(number) {
  const api = await startSandbox();
  const a = await actors(api, number);
  await api.post("/phones", { number, name: "Toko", address_book: [{ wid: a.friend, name: "Budi Teman" }], contacts: 8, chats: 6, messages: 60, seed: 3 });
  const group = (await api.post("/groups", { owner: number, subject: "Keluarga", participants: [a.friend, a.third] })).group;
  const guest = await a.opens("Tamu");
  const other = (await api.post("/groups", { owner: "6281234560012", subject: "Luar", participants: [] })).group;
  const code = (await api.get(`/groups/${other}`)).code;
  return { ...a, api, number, group, guest, other, code, png, jpeg: jpeg.toString("base64"), files };
}

const short = (v) => {
  let text;
  try {
    text = JSON.stringify(v) ?? String(v);
  } catch {
    text = Object.prototype.toString.call(v);
  }
  return text.length > 160 ? `${text.slice(0, 160)}…` : text;
};

/**
 * Makes every call. A step is [name, call]; `known` maps a name to why it cannot work on the contract's build. A call
 * works when it settles without an error in time and, when it returns a function, that becomes true too: what the phone saw.
 */
export async function survey(client, steps, known) {
  const counts = { works: 0, absent: 0, missing: 0 };
  const missing = [];
  const odd = [];
  for (const [name, call] of steps) {
    let timer;
    const late = new Promise((_, fail) => (timer = setTimeout(() => fail(new Error("hangs")), patience)));
    let result, error;
    try {
      result = await Promise.race([call(), late]);
      if (typeof result === "function") {
        const seen = result;
        result = await until("the phone or server saw it", seen, patience);
      }
    } catch (e) {
      error = String(e?.message ?? JSON.stringify(e) ?? e).split("\n")[0].slice(0, 220);
    }
    clearTimeout(timer);
    const why = known[name];
    if (!error) counts.works++;
    else if (why) counts.absent++;
    else counts.missing++, missing.push(`${name}: ${error}`);
    if (!error && why) odd.push(`${name} works, and should not: ${why}`);
    if (verbose) console.log(`${error ? (why ? "absent " : "MISSING") : "works  "} ${name}  ${error ?? short(result)}`);
  }
  console.log(`${client}: ${steps.length} calls, ${counts.works} work, ${counts.absent} absent by contract or broken in the client, ${counts.missing} not simulated`);
  for (const line of missing) console.log(`  - ${line}`);
  for (const line of odd) console.log(`  ! ${line}`);
}
