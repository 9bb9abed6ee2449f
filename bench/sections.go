package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"mime/multipart"
	"os"
	"path/filepath"
	"time"

	"kurir/sandbox"
)

// The customers that messages go to; any number exists in the sandbox.
func customer(i int) string { return fmt.Sprintf("62812345%05d", i) }

// benchStart measures from the request to the QR, and from the restart of a linked instance to a message sent.
func benchStart(ctx context.Context, b *bench) error {
	in, err := b.linked(ctx, "start", sandbox.PhoneSpec{Number: "6281100001001"})
	if err != nil {
		return err
	}
	restart, err := b.restarts(ctx, in, 5)
	if err != nil {
		return err
	}
	if err := b.drop(ctx, in); err != nil {
		return err
	}
	qr, err := repeat(7, func(i int) error {
		a, err := b.kurir.request(ctx, "POST", "/v1/instances", map[string]any{"name": fmt.Sprint("qr", i), "sandbox": true})
		if err != nil {
			return err
		}
		var made struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(a.Data, &made); err != nil {
			return err
		}
		in = instance{id: made.ID}
		return b.waitState(ctx, in, "SCAN_QR_CODE")
	})
	if err != nil {
		return err
	}
	for i := range 7 {
		if err := b.dropByName(ctx, fmt.Sprint("qr", i)); err != nil {
			return err
		}
	}
	b.add("start → QR", "≤ 1200 ms", "%s", qr)
	b.add("restart → message sent", "≤ 2000 ms", "%s", restart)

	big, err := b.linked(ctx, "start-big", sandbox.PhoneSpec{Number: "6281100001002", Chats: 10_000, Contacts: 20_000, Messages: 20_000, Seed: 1})
	if err != nil {
		return err
	}
	// The page stores a first history in the background; a restart before that is done begins it anew, which is
	// another thing to measure.
	if err := rest(ctx, 20*time.Second); err != nil {
		return err
	}
	if restart, err = b.restarts(ctx, big, 5); err != nil {
		return err
	}
	b.add("restart with 10,000 chats → message sent", "≤ 3000 ms", "%s", restart)
	return b.drop(ctx, big)
}

// restarts times restart → the first message sent. The ending of the old Chromium is not counted.
func (b *bench) restarts(ctx context.Context, in instance, n int) (times, error) {
	var t times
	for i := range n {
		if _, err := b.kurir.request(ctx, "POST", "/v1/instances/"+in.id+"/stop", nil); err != nil {
			return t, err
		}
		one, err := repeat(1, func(int) error {
			if _, err := b.kurir.request(ctx, "POST", "/v1/instances/"+in.id+"/start", nil); err != nil {
				return err
			}
			return b.kurir.wa(ctx, "/wa/send", map[string]any{"key": in.key, "phone": customer(i), "body": "siap", "wait": 50})
		})
		if err != nil {
			return t, err
		}
		t = append(t, one...)
	}
	return t, nil
}

func (b *bench) dropByName(ctx context.Context, name string) error {
	a, err := b.kurir.request(ctx, "GET", "/v1/instances", nil)
	if err != nil {
		return err
	}
	var all []struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	if err := json.Unmarshal(a.Data, &all); err != nil {
		return err
	}
	for _, in := range all {
		if in.Name == name {
			return b.drop(ctx, instance{id: in.ID})
		}
	}
	return nil
}

// benchAccept measures acceptance alone: the instance is stopped, so nothing is sent meanwhile.
func benchAccept(ctx context.Context, b *bench) error {
	in, err := b.linked(ctx, "accept", sandbox.PhoneSpec{Number: "6281100001010"})
	if err != nil {
		return err
	}
	if _, err := b.kurir.request(ctx, "POST", "/v1/instances/"+in.id+"/stop", nil); err != nil {
		return err
	}
	accept := func(i int) error {
		return b.kurir.wa(ctx, "/wa/send", map[string]any{"key": in.key, "phone": customer(i % 1000), "body": fmt.Sprint("pesan ", i)})
	}
	if _, err := repeat(200, accept); err != nil { // warm
		return err
	}
	one, err := repeat(1000, accept)
	if err != nil {
		return err
	}
	b.add("accept, one client", "≤ 2 ms", "%s", one)
	const n = 10_000
	rate, err := crowd(16, n, accept)
	if err != nil {
		return err
	}
	b.add("accept, 16 clients, synchronous=FULL", "≥ 1500/s", "%.0f/s (n=%d)", rate, n)
	return b.drop(ctx, in)
}

func benchSend(ctx context.Context, b *bench) error {
	in, err := b.linked(ctx, "send", sandbox.PhoneSpec{Number: "6281100001020"})
	if err != nil {
		return err
	}
	send := func(i int) error {
		return b.kurir.wa(ctx, "/wa/send", map[string]any{"key": in.key, "phone": customer(2000 + i%10), "body": fmt.Sprint("pesan ", i), "wait": 50})
	}
	if _, err := repeat(100, send); err != nil { // the first to each chat creates it
		return err
	}
	direct, err := b.waJS(ctx, 300)
	if err != nil {
		return err
	}
	b.add("wa-js alone in the page, text", "", "%s", direct.text)
	one, err := repeat(500, send)
	if err != nil {
		return err
	}
	b.add("send with wait, one after the other", "≤ 8 ms, p99 ≤ 15", "%s, %.1f × wa-js alone", one, one.at(0.5)/direct.text.at(0.5))
	const n = 1500
	rate, err := crowd(10, n, send)
	if err != nil {
		return err
	}
	b.add("send with wait, 10 clients", "≥ 150/s", "%.0f/s (n=%d)", rate, n)
	if err := b.burst(ctx, in); err != nil {
		return err
	}
	return b.drop(ctx, in)
}

// burst sends 100 at once to one chat and counts those that arrive before one that was accepted earlier.
func (b *bench) burst(ctx context.Context, in instance) error {
	const n, to = 100, "6281234599999"
	rate, err := crowd(n, n, func(i int) error {
		return b.kurir.wa(ctx, "/wa/send", map[string]any{"key": in.key, "phone": to, "body": fmt.Sprint(i), "wait": 50})
	})
	if err != nil {
		return err
	}
	got, err := b.world.Inbox(to)
	if err != nil {
		return err
	}
	order, err := acceptedOrder(ctx, filepath.Join(b.kurir.data, "kurir.db"), to)
	if err != nil {
		return err
	}
	out := 0
	for i, r := range got {
		if order[i] != r.ID {
			out++
		}
	}
	b.add("100 at once to one chat", "0 out of order", "%d out of order of %d, %.0f/s", out, len(got), rate)
	return nil
}

func benchLists(ctx context.Context, b *bench) error {
	small, err := b.linked(ctx, "lists", sandbox.PhoneSpec{Number: "6281100001030", Chats: 100, Messages: 2000, Seed: 2})
	if err != nil {
		return err
	}
	chat := customer(3000)
	for i := range 1200 {
		if err := b.world.SendFrom(chat, small.number, sandbox.Message{Body: fmt.Sprint("riwayat ", i)}); err != nil {
			return err
		}
	}
	read := func(in instance, path string, extra map[string]any) (times, error) {
		fields := map[string]any{"key": in.key}
		for k, v := range extra {
			fields[k] = v
		}
		f := func(int) error { return b.kurir.wa(ctx, path, fields) }
		if _, err := repeat(10, f); err != nil {
			return nil, err
		}
		return repeat(100, f)
	}
	few, err := read(small, "/wa/chats", map[string]any{"limit": 100})
	if err != nil {
		return err
	}
	b.add("100 of 100 chats", "≤ 10 ms", "%s", few)
	messages, err := read(small, "/wa/messages", map[string]any{"phone": chat, "limit": 100})
	if err != nil {
		return err
	}
	b.add("last 100 of 1,200 messages", "≤ 10 ms", "%s", messages)
	if err := b.drop(ctx, small); err != nil {
		return err
	}
	big, err := b.linked(ctx, "lists-big", sandbox.PhoneSpec{Number: "6281100001031", Chats: 10_000, Contacts: 20_000, Messages: 20_000, Seed: 3})
	if err != nil {
		return err
	}
	many, err := read(big, "/wa/chats", map[string]any{"limit": 100})
	if err != nil {
		return err
	}
	b.add("100 of 10,000 chats", "≤ 10 ms", "%s", many)
	contacts, err := read(big, "/wa/contacts", nil)
	if err != nil {
		return err
	}
	b.add("20,000 contacts", "≤ 150 ms", "%s", contacts)
	return b.drop(ctx, big)
}

func benchFiles(ctx context.Context, b *bench) error {
	in, err := b.linked(ctx, "files", sandbox.PhoneSpec{Number: "6281100001040"})
	if err != nil {
		return err
	}
	if err := b.kurir.wa(ctx, "/wa/send", map[string]any{"key": in.key, "phone": customer(4000), "body": "mulai", "wait": 50}); err != nil {
		return err
	}
	for _, mb := range []int{1, 16, 64} {
		file := make([]byte, mb<<20)
		_, _ = rand.NewChaCha8([32]byte{1}).Read(file)
		direct, err := b.waJSFile(ctx, file, 3)
		if err != nil {
			return err
		}
		name := fmt.Sprintf("file of %d MB", mb)
		b.add(name+", wa-js alone in the page", "", "%s", direct)
		for _, way := range []string{"multipart", "base64 JSON"} {
			contentType, body, err := fileBody(in.key, way, file)
			if err != nil {
				return err
			}
			resetPeak(b.kurir.cmd.Process.Pid)
			chrome := watchRSS(ctx, b.kurir)
			t, err := repeat(3, func(int) error {
				return b.kurir.waRaw(ctx, "/wa/sendfile", contentType, bytes.NewReader(body))
			})
			peak := chrome()
			if err != nil {
				return err
			}
			b.add(name+", "+way, "≤ 1.15 × wa-js", "%s, %.2f × wa-js; peak RSS of kurir %.0f MB, of Chromium %.0f MB", t, t.at(0.5)/direct.at(0.5),
				memory(b.kurir.cmd.Process.Pid, "status", "VmHWM"), peak)
		}
	}
	return b.drop(ctx, in)
}

// fileBody is a whole request to /wa/sendfile.
func fileBody(key, way string, file []byte) (contentType string, body []byte, err error) {
	fields := map[string]string{"key": key, "phone": customer(4000), "filename": "berkas.bin", "wait": "50"}
	if way == "base64 JSON" {
		fields["body"] = base64.StdEncoding.EncodeToString(file)
		body, err = json.Marshal(fields)
		return "application/json", body, err
	}
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	for k, v := range fields {
		if err := w.WriteField(k, v); err != nil {
			return "", nil, err
		}
	}
	part, err := w.CreateFormFile("file", "berkas.bin")
	if err != nil {
		return "", nil, err
	}
	if _, err := part.Write(file); err != nil {
		return "", nil, err
	}
	if err := w.Close(); err != nil { // writes the last boundary
		return "", nil, err
	}
	return w.FormDataContentType(), form.Bytes(), nil
}

// watchRSS samples the sum of Chromium's RSS until the returned function is called; that returns the highest.
func watchRSS(ctx context.Context, k *kurir) func() float64 {
	ctx, cancel := context.WithCancel(ctx)
	peak := make(chan float64)
	go func() {
		var highest float64
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				highest = max(highest, sumPSS(k.chromiums()))
			case <-ctx.Done():
				peak <- highest
				return
			}
		}
	}()
	return func() float64 { cancel(); return <-peak }
}

// benchMemory reads what kurir and Chromium take at rest. kurir is started anew: the rest of the bench left its mark.
func benchMemory(ctx context.Context, b *bench) error {
	b.kurir.stop()
	if err := os.RemoveAll(b.kurir.data); err != nil {
		return err
	}
	if err := b.kurir.start(ctx); err != nil {
		return err
	}
	for i := range 4 {
		in, err := b.linked(ctx, fmt.Sprint("memory", i), sandbox.PhoneSpec{Number: fmt.Sprintf("628110000105%d", i), Chats: 20, Messages: 100, Seed: uint64(i)})
		if err != nil {
			return err
		}
		if err := b.kurir.wa(ctx, "/wa/send", map[string]any{"key": in.key, "phone": customer(i), "body": "halo", "wait": 50}); err != nil {
			return err
		}
		if i != 0 && i != 3 {
			continue
		}
		if err := rest(ctx, time.Minute); err != nil {
			return err
		}
		goal := map[int]string{0: "≤ 200 MB", 3: "≤ 450 MB"}[i]
		b.add(fmt.Sprintf("PSS of Chromium, %d idle", i+1), goal, "%.0f MB", sumPSS(b.kurir.chromiums()))
		b.add(fmt.Sprintf("RSS of kurir, %d idle", i+1), "≤ 40 MB", "%.0f MB", memory(b.kurir.cmd.Process.Pid, "status", "VmRSS"))
	}
	return nil
}

// rest waits for d, as an idle gateway does.
func rest(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
