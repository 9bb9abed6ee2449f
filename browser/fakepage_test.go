package browser

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
)

// fakeBridge stands for wa-js and the bridge: it keeps its link in localStorage and IndexedDB as WhatsApp does and
// obeys window.fake in the tests' evaluations.
const fakeBridge = `(() => {
  if (window.top !== window) return;
  let seq = 0;
  const emit = (type, data) => kurirEvent(JSON.stringify({ seq: ++seq, type, data }));
  const db = new Promise((ok, no) => {
    const r = indexedDB.open("fake", 1);
    r.onupgradeneeded = () => r.result.createObjectStore("keys");
    r.onsuccess = () => ok(r.result);
    r.onerror = no;
  });
  const put = (v) => db.then((d) => new Promise((ok, no) => {
    const t = d.transaction("keys", "readwrite");
    t.objectStore("keys").put(v, "noise");
    t.oncomplete = () => ok();
    t.onerror = no;
  }));
  const get = () => db.then((d) => new Promise((ok) => {
    const q = d.transaction("keys").objectStore("keys").get("noise");
    q.onsuccess = () => ok(q.result);
  }));
  const state = { mode: "QR", info: "NORMAL", socket: "UNPAIRED", stream: "DISCONNECTED", registered: false, synced: false, wid: "", lid: "", pushname: "", version: "2.3000.1", passkey: false };
  const show = (change) => { Object.assign(state, change); emit("state", state); };
  const main = (wid) => ({ mode: "MAIN", socket: "CONNECTED", stream: "CONNECTED", registered: true, synced: true, wid, lid: "1@lid", pushname: "Fake" });
  const inputs = {};
  window.fake = {
    show, emit, skip: (n) => { seq += n; },
    link: async (wid) => {
      localStorage.setItem("last-wid-md", wid);
      localStorage.setItem("WALid", "\u0416 " + wid + "x".repeat(100000)); // UTF-16, over several blocks of the log
      await put("key of " + wid);
      show(main(wid));
    },
  };
  const methods = {
    ping: () => ({ stream: state.stream, seq }),
    state: () => state,
    probe: () => ({ send_text: { ok: true }, lid: { ok: false, detail: "missing: lidPnCache" } }),
    send: async (a) => {
      if (a.body === "hang") return new Promise(() => { window.fake.hung = true; });
      if (a.body === "no") throw { code: "NOT_ON_WHATSAPP", message: a.chat };
      const f = inputs[a.id]?.files[0];
      return { ack: 1, time: 1760000000, chat: f ? f.name + " " + f.size + " " + (await f.text()) : a.chat };
    },
    fetchMedia: async (a) => {
      if (a.id === "gone") throw { code: "MEDIA_GONE", message: "" };
      const blob = new Blob([new Uint8Array(Number(a.id)).fill(7)]);
      if (a.max_bytes && blob.size > a.max_bytes) throw { code: "MEDIA_TOO_LARGE", message: "" };
      const url = URL.createObjectURL(blob);
      return { token: url, url: a.chat === "lost" ? url + "x" : url, size: blob.size + (a.chat === "short" ? 1 : 0), kind: "document", mimetype: "text/plain", filename: "../a" };
    },
    saveMedia: (a) => { const l = document.createElement("a"); l.href = a.token; l.download = "x"; l.click(); },
    dropMedia: (a) => URL.revokeObjectURL(a.token),
    contacts: () => {
      const column = (f) => Array.from({ length: 20000 }, (_, i) => f(i));
      return { wid: column((i) => 62812000000 + i + "@c.us"), phone: column(() => ""), lid: column((i) => i + "@lid"), name: column((i) => 'Name "' + i + '"'), pushname: column(() => "push"), flags: "2".repeat(20000) };
    },
    logout: async () => { localStorage.clear(); await put(undefined); location.href = "/?post_logout=1&logout_reason=user"; return {}; },
  };
  window.kurir = {
    fileInput: (id) => { const i = document.createElement("input"); i.type = "file"; return (inputs[id] = i); },
    call: async (m, a) => {
      try { return JSON.stringify({ ok: await methods[m](a) }); } catch (e) { return JSON.stringify({ error: { code: e.code ?? "PAGE_ERROR", message: e.message ?? String(e) } }); }
    },
  };
  (async () => {
    const wid = localStorage.getItem("last-wid-md");
    if (wid && (await get()) === "key of " + wid && localStorage.getItem("WALid")?.length > 100000) return show(main(wid));
    show({});
    emit("qr", { text: "ref,a,b,c,1", ttl_ms: 60000 });
  })();
})();`

// echoWorker answers every message with what a worker sees of its browser.
const echoWorker = `
const info = async () => ({ ua: navigator.userAgent, languages: navigator.languages, zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  hints: await navigator.userAgentData?.getHighEntropyValues(["fullVersionList", "platformVersion", "architecture"]) });
self.addEventListener("message", async (e) => (e.ports[0] ?? self).postMessage(await info()));
self.addEventListener("connect", (e) => { e.ports[0].onmessage = async () => e.ports[0].postMessage(await info()); });`

// fakeWeb serves an empty page at every path, and what its requests looked like at /headers.
func fakeWeb(t testing.TB) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/worker.js":
			w.Header().Set("Content-Type", "text/javascript")
			_, _ = w.Write([]byte(echoWorker))
		case "/redirect":
			http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusFound) //nolint:gosec // the test says to where
		case "/headers":
			_ = r.Header.Write(w)
		default:
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("<!doctype html><title>fake</title>"))
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL + "/"
}

// testConfig is a Config for the fake page in a profile of its own.
func testConfig(t testing.TB, url string) Config {
	t.Helper()
	binary, err := FindChromium(os.Getenv("KURIR_CHROMIUM"))
	if err != nil {
		t.Fatal(err)
	}
	level := slog.LevelWarn
	if testing.Verbose() {
		level = slog.LevelInfo
	}
	return Config{
		Binary: binary, ProfileDir: t.TempDir(), URL: url, Language: "id-ID", TimeZone: "Asia/Jakarta",
		Scripts: []string{fakeBridge},
		Log:     slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: level})),
	}
}
