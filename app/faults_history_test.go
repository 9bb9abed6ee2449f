package app_test

import (
	"fmt"
	"testing"

	"kurir/sandbox"
)

// TestSendsWhileHistoryArrives: ten thousand chats and a hundred thousand messages come in after the link; what is sent
// does not wait for the last of them, and nothing is sent twice for it.
func TestSendsWhileHistoryArrives(t *testing.T) {
	t.Parallel() // waits most of its time
	w := &ward{gateway: openGateway(t, t.TempDir(), impatient)}
	w.in = w.newInstance("riwayat")
	const n = 40
	customer := w.stranger()
	ids, texts := make([]string, n), make([]string, n)
	post := func(i int) { texts[i] = fmt.Sprintf("pesan %d", i); ids[i] = w.post(customer, texts[i]) }
	for i := range n / 2 { // these wait for the link
		post(i)
	}
	w.link(&w.in, sandbox.PhoneSpec{Number: "6281100000304", Name: "Toko Riwayat", Contacts: 10_000, Chats: 10_000, Messages: 100_000, Seed: 2})
	for i := n / 2; i < n; i++ {
		post(i)
	}
	for _, id := range ids {
		w.isSent(id)
	}
	w.once(customer, texts...)
	w.says("WORKING", "")
	eventually(t, func() string {
		var chats []struct{}
		a := w.wa("/wa/chats", map[string]any{"key": w.in.Key, "limit": 10_000})
		if !a.Status {
			return fmt.Sprintf("chats: %+v", a)
		}
		if a.into(t, &chats); len(chats) < 10_000 {
			return fmt.Sprintf("%d chats", len(chats))
		}
		return ""
	})
	w.goesOn()
	w.once(customer, texts...)
}
