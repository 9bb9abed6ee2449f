package sandbox

import (
	"slices"
	"testing"
)

func TestHoldBeforeWire(t *testing.T) {
	s := open(t, Config{})
	p, d := linked(t, s)
	if _, err := s.SetFault(Fault{Name: FaultHoldMessage, At: BeforeWire}); err != nil {
		t.Fatal(err)
	}
	lost, kept := text("6281200000001", "hilang"), text("6281200000001", "sampai")
	p.ask("message", lost)
	h, err := s.WaitHeld(soon(t))
	if err != nil || h.MessageID != lost.ID || h.At != BeforeWire || h.Account != owner || h.Chat != lost.Chat {
		t.Fatalf("held %+v %v", h, err)
	}
	p.do("ping", none{}, nil) // the rest goes on
	_ = p.ws.CloseNow()       // the page is killed: what it had sent never reached WhatsApp
	if err := s.await(soon(t), func() bool { return len(s.faults.held) == 0 }); err != nil {
		t.Fatal(err)
	}
	p = login(t, s, d)
	n := p.ask("message", kept)
	if _, err := s.WaitHeld(soon(t)); err != nil {
		t.Fatal(err)
	}
	if inbox, _ := s.Inbox("6281200000001"); len(inbox) != 0 {
		t.Errorf("delivered before release: %+v", inbox)
	}
	s.Release(kept.ID)
	if f := p.answer(n); f.Error != nil {
		t.Error(f.Error)
	}
	inbox, _ := s.Inbox("6281200000001")
	if len(inbox) != 1 || inbox[0].ID != kept.ID {
		t.Errorf("inbox %+v", inbox)
	}
}

// TestHoldAfterWire is a message that WhatsApp has and that its page does not survive: it is delivered, and what the page
// sends again when it comes back is the same one.
func TestHoldAfterWire(t *testing.T) {
	s := open(t, Config{})
	p, d := linked(t, s)
	if _, err := s.SetFault(Fault{Name: FaultHoldMessage, At: AfterWire, Count: 1}); err != nil {
		t.Fatal(err)
	}
	m := text("6281200000001", "sudah di WhatsApp")
	p.ask("message", m)
	if h, err := s.WaitHeld(soon(t)); err != nil || h.MessageID != m.ID || h.At != AfterWire {
		t.Fatalf("held %+v %v", h, err)
	}
	if inbox, _ := s.Inbox("6281200000001"); len(inbox) != 0 {
		t.Errorf("delivered before release: %+v", inbox)
	}
	_ = p.ws.CloseNow()
	p = login(t, s, d)
	p.do("ping", none{}, nil)
	if held := s.Held(); len(held) != 1 {
		t.Errorf("held after the page went: %+v", held)
	}
	s.Release(m.ID)
	if _, err := s.WaitInbox(soon(t), "6281200000001", func(l []Received) bool { return len(l) == 1 }); err != nil {
		t.Fatal(err)
	}
	p.do("message", m, nil)
	if inbox, _ := s.Inbox("6281200000001"); len(inbox) != 1 || inbox[0].Copies != 2 {
		t.Errorf("inbox %+v", inbox)
	}
}

func TestHoldBeforeAck(t *testing.T) {
	s := open(t, Config{})
	p, d := linked(t, s)
	if _, err := s.SetFault(Fault{Name: FaultHoldMessage, At: BeforeAck, Count: 1}); err != nil {
		t.Fatal(err)
	}
	m := text("6281200000001", "terkirim tapi belum dijawab")
	n := p.ask("message", m)
	if h, err := s.WaitHeld(soon(t)); err != nil || h.At != BeforeAck {
		t.Fatalf("held %+v %v", h, err)
	}
	if inbox, _ := s.Inbox("6281200000001"); len(inbox) != 1 {
		t.Errorf("not delivered: %+v", inbox)
	}
	p.do("ping", none{}, nil)
	p.mu.Lock()
	if _, ok := p.answers[n]; ok {
		t.Error("acknowledged while held")
	}
	p.mu.Unlock()
	_ = p.ws.CloseNow()
	// The page comes back and learns by the receipt that it was delivered; a repetition is acknowledged.
	if err := s.await(soon(t), func() bool { return len(s.faults.held) == 0 }); err != nil {
		t.Fatal(err)
	}
	p = login(t, s, d)
	var r receiptArgs
	p.pushed("receipt", &r)
	if !slices.Equal(r.IDs, []string{m.ID}) {
		t.Errorf("receipt %+v", r)
	}
	p.do("message", m, nil)
	if inbox, _ := s.Inbox("6281200000001"); len(inbox) != 1 || inbox[0].Copies != 2 {
		t.Errorf("inbox %+v", inbox)
	}
}
