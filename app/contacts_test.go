package app_test

import (
	"testing"

	"kurir/sandbox"
)

// TestFirstContactLimit: when the day's first messages are used up, one to somebody new waits for the next day and says
// why; a conversation that is there goes on.
func TestFirstContactLimit(t *testing.T) {
	w := openWard(t, "6281100000332", sandbox.PhoneSpec{})
	if a := w.call("PATCH", "/v1/instances/"+w.in.ID, map[string]any{"pacing": map[string]any{"first_contacts_per_day": 1}}); !a.Status {
		t.Fatalf("pacing: %+v", a)
	}
	known, stranger := w.stranger(), w.stranger()
	w.isSent(w.post(known, "pertama"))
	if m := w.waitMessage(w.post(stranger, "kedua"), "scheduled"); m.Code != "FIRST_CONTACT_LIMIT" {
		t.Errorf("%+v", m)
	}
	w.isSent(w.post(known, "lagi"))
	if list, err := w.sandbox().Inbox(stranger); err == nil && len(list) > 0 {
		t.Errorf("the stranger received %+v", list)
	}
}
