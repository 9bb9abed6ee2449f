package app_test

import (
	"fmt"
	"testing"

	"kurir/sandbox"
)

// TestSendsWhileHistoryArrives: ten thousand chats come in after the link; messages do not wait for the last of them.
func TestSendsWhileHistoryArrives(t *testing.T) {
	w := openWard(t, "6281100000304", sandbox.PhoneSpec{Contacts: 10_000, Chats: 10_000, Messages: 20_000, Seed: 2})
	const n = 20
	customer := w.stranger()
	ids, texts := make([]string, n), make([]string, n)
	for i := range n {
		texts[i] = fmt.Sprintf("pesan %d", i)
		ids[i] = w.post(customer, texts[i])
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
