package js_test

import (
	"crypto/rand"
	"testing"

	"kurir/browser"
	"kurir/sandbox"
)

func sendFiles(t *testing.T, s *sandbox.Server, p *page) {
	big := make([]byte, 5<<20)
	_, _ = rand.Read(big)
	for _, c := range []struct {
		kind, name, mimetype, caption string
		content                       []byte
	}{
		{"document", "faktur März 1.pdf", "application/pdf", "", []byte("%PDF-1.4 x")},
		{"document", "data.bin", "application/octet-stream", "keterangan", big},
		{"image", "foto.png", "image/png", "foto 📷", png},
		{"image", "foto.png", "image/png", "", png},
		{"audio", "suara.mp3", "audio/mpeg", "", []byte("ID3\x03\x00\x00\x00\x00\x00\x00")},
	} {
		id := newID()
		p.hand(id, c.content)
		got := must[browser.Sent](p, "send", m{"id": id, "chat": peer + "@c.us", "kind": c.kind, "body": c.caption, "filename": c.name, "mimetype": c.mimetype})
		if got.Ack < 1 || got.Time == 0 {
			t.Errorf("%s: sent %+v", c.name, got)
		}
		r := inbox(t, s, id)
		if r.SHA256 != sha(c.content) || r.Size != int64(len(c.content)) || r.Copies != 1 || r.Mimetype != c.mimetype || r.Type != c.kind || r.Caption != c.caption {
			t.Errorf("the phone got %+v, want %s %s %d bytes, caption %q", r, c.kind, c.mimetype, len(c.content), c.caption)
		}
		if c.kind == "document" && r.Filename != c.name {
			t.Errorf("file name %q, want %q", r.Filename, c.name)
		}
	}
	p.run(t, "lost before the message", func(t *testing.T) { // wa-js' promise never settles then
		p.eval(`(() => {
			const proto = importNamespace("WAWebMedia").MediaPrep.prototype
			window.undo = ((f) => () => { proto.sendToChat = f })(proto.sendToChat)
			proto.sendToChat = async (_request) => { throw new Error("lost") }
		})()`)
		id := newID()
		args := m{"id": id, "chat": peer + "@c.us", "kind": "document", "filename": "a.txt", "mimetype": "text/plain", "timeout_ms": 700}
		p.hand(id, []byte("y"))
		for i := range 2 { // the second one joins the first
			if _, fail := call[browser.Sent](p, "send", args); fail == nil || fail.Code != "SEND_TIMEOUT" || !fail.Reload {
				t.Errorf("error %+v, want SEND_TIMEOUT and a reload", fail)
			}
			p.hand(id, []byte("y"))
			look := must[map[string]browser.Presence](p, "lookup", m{"chat": peer + "@c.us", "ids": []string{id}})
			if look[id].Found != browser.FoundUnknown {
				t.Errorf("%d: %+v while the job is at work", i, look)
			}
			p.eval(`undo()`)
		}
		p.reload()
		look := must[map[string]browser.Presence](p, "lookup", m{"chat": peer + "@c.us", "ids": []string{id}})
		if look[id].Found != browser.FoundAbsent {
			t.Errorf("%+v after the reload", look)
		}
		args["timeout_ms"] = 10_000
		p.hand(id, []byte("y"))
		must[browser.Sent](p, "send", args)
		if r := inbox(t, s, id); r.SHA256 != sha([]byte("y")) || r.Copies != 1 {
			t.Errorf("the phone got %+v", r)
		}
	})
	p.run(t, "two calls, one job", func(t *testing.T) { // a slow preparation, and a caller who thinks it is lost
		p.eval(`(() => {
			const proto = importNamespace("WAWebMedia").MediaPrep.prototype, f = proto.sendToChat
			proto.sendToChat = async function (request) { await new Promise((go) => { window.go = go }); proto.sendToChat = f; return f.call(this, request) }
		})()`)
		id := newID()
		args := m{"id": id, "chat": peer + "@c.us", "kind": "document", "filename": "a.txt", "mimetype": "text/plain", "timeout_ms": 700}
		p.hand(id, []byte("z"))
		if _, fail := call[browser.Sent](p, "send", args); fail == nil || !fail.Reload {
			t.Errorf("error %+v, want a reload", fail)
		}
		p.hand(id, []byte("z"))
		args["timeout_ms"] = 10_000
		p.eval(`void setTimeout(() => go(), 100)`)
		must[browser.Sent](p, "send", args)
		if r := inbox(t, s, id); r.SHA256 != sha([]byte("z")) || r.Copies != 1 {
			t.Errorf("the phone got %+v", r)
		}
	})
	p.run(t, "upload fails", func(t *testing.T) {
		f, err := s.SetFault(sandbox.Fault{Name: sandbox.FaultUploadFail, Code: 500})
		check(t, err)
		defer s.ClearFault(f)
		id := newID()
		args := m{"id": id, "chat": peer + "@c.us", "kind": "document", "filename": "a.txt", "mimetype": "text/plain", "timeout_ms": 8000}
		p.hand(id, []byte("x"))
		if _, fail := call[browser.Sent](p, "send", args); fail == nil || fail.Code != "UPLOAD_FAILED" {
			t.Errorf("error %+v, want UPLOAD_FAILED", fail)
		}
		s.ClearFault(f)
		p.hand(id, []byte("x"))
		must[browser.Sent](p, "send", args)
		if r := inbox(t, s, id); r.SHA256 != sha([]byte("x")) || r.Copies != 1 {
			t.Errorf("the phone got %+v", r)
		}
	})
}
