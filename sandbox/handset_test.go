package sandbox

import (
	"bytes"
	"slices"
	"testing"
	"time"
)

const guest = "6281200000001"

// TestAnOfflinePhone gets nothing and tells nothing, also over a crash of the server, and all of it when it is back.
func TestAnOfflinePhone(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	if err := s.SetAutoRead(guest, true); err != nil {
		t.Fatal(err)
	}
	p, d := linked(t, s)
	p.do("message", text(guest, "satu"), nil)
	for r := (receiptArgs{}); r.Type != "read"; {
		p.pushed("receipt", &r) // the phone reads it after the page has its answer
	}
	if err := s.SetOffline(guest, true); err != nil {
		t.Fatal(err)
	}
	two, file := text(guest, "dua"), text(guest, "")
	plain := []byte("isi berkas")
	file.Type, file.Media = "document", p.upload("document", plain)
	p.do("message", two, nil)
	p.do("message", file, nil)
	for what, err := range map[string]error{
		"send": s.SendFrom(guest, owner, Message{Body: "x"}), "read": s.Read(guest, owner), "scan": s.roomForDevice(guest),
	} {
		if err == nil {
			t.Errorf("an offline phone can %s", what)
		}
	}

	s = open(t, Config{Dir: killedCopy(t, dir)})
	login(t, s, d)
	if inbox, err := s.Inbox(guest); err != nil || len(inbox) != 1 {
		t.Errorf("an offline phone has %+v %v", inbox, err)
	}
	chats, err := s.PhoneChats(guest)
	if err != nil || len(chats) != 1 || chats[0].Last.Body != "satu" {
		t.Errorf("an offline phone shows %+v %v", chats, err)
	}
	if got := acks(t, s); !slices.Equal(got, []int{3, 1, 1}) {
		t.Errorf("acks while it is offline: %v", got)
	}
	if _, err := s.MessageFile(&bytes.Buffer{}, guest, widOf(owner), file.ID); err == nil {
		t.Error("an offline phone has the file already")
	}

	if err := s.SetOffline(guest, false); err != nil {
		t.Fatal(err)
	}
	inbox, err := s.WaitInbox(soon(t), guest, func(l []Received) bool { return len(l) == 3 })
	if err != nil || inbox[1].ID != two.ID || inbox[2].N != 3 || inbox[2].Size != int64(len(plain)) {
		t.Errorf("back online it has %+v %v", inbox, err)
	}
	if got := acks(t, s); !slices.Equal(got, []int{3, 3, 3}) {
		t.Errorf("acks when it is back: %v", got)
	}
	var b bytes.Buffer
	if m, err := s.MessageFile(&b, guest, widOf(owner), file.ID); err != nil || !bytes.Equal(b.Bytes(), plain) || m.ID != file.ID {
		t.Errorf("file: %q %v", b.Bytes(), err)
	}
}

// acks are those of the owner's messages, as the owner sees them.
func acks(t *testing.T, s *Server) []int {
	t.Helper()
	list, err := s.ShownMessages(owner, widOf(guest), 10)
	if err != nil {
		t.Fatal(err)
	}
	var all []int
	for _, m := range list {
		all = append(all, m.Ack)
	}
	return all
}

func TestWhatIsNeverDeliveredStaysSoWhenThePhoneIsBack(t *testing.T) {
	s := open(t, Config{})
	p, _ := linked(t, s)
	const off = "6281100000006"
	if err := s.SetOffline(off, true); err != nil {
		t.Fatal(err)
	}
	p.do("message", text(off, "halo"), nil)
	if err := s.SetOffline(off, false); err != nil {
		t.Fatal(err)
	}
	list, err := s.ShownMessages(owner, widOf(off), 10)
	if err != nil || len(list) != 1 || list[0].Ack != 1 {
		t.Errorf("%+v %v", list, err)
	}
}

func TestAHandsetListsChats(t *testing.T) {
	s := open(t, Config{})
	p, d := linked(t, s)
	for _, body := range []string{"satu", "dua"} {
		if err := s.SendFrom(guest, owner, Message{Body: body}); err != nil {
			t.Fatal(err)
		}
	}
	p.do("chatstate", chatstateArgs{Chat: guest + "@c.us", State: "composing"}, nil)
	chat, err := s.PhoneChat(owner, guest)
	if err != nil || chat.Number != guest || chat.Unread != 2 || chat.Last.Body != "dua" || chat.Name == "" {
		t.Errorf("the owner's chat is %+v %v", chat, err)
	}
	if chat, err = s.PhoneChat(guest, owner); err != nil || !chat.Typing || chat.Unread != 0 {
		t.Errorf("the guest's chat is %+v %v", chat, err)
	}
	if _, err := s.PhoneChat(guest, "120363000000000001@g.us"); err == nil {
		t.Error("a group that is not there has a chat")
	}
	if err := s.UnlinkDevice(owner, "none"); err == nil {
		t.Error("an unknown device was unlinked")
	}
	changed := s.Changed()
	if err := s.UnlinkDevice(owner, d.ID); err != nil {
		t.Fatal(err)
	}
	<-changed
	p.pushed("device_removed", nil)
}

func TestFaultsThatEndAreTold(t *testing.T) {
	s := open(t, Config{})
	p, _ := linked(t, s)
	if _, err := s.SetFault(Fault{Name: FaultSendError, Count: 1}); err != nil {
		t.Fatal(err)
	}
	changed := s.Changed()
	p.answer(p.ask("message", text(guest, "ditolak")))
	select {
	case <-changed:
	case <-time.After(patience):
		t.Fatal("nobody was told that the fault is used up")
	}
	if f := s.Faults(); len(f) != 0 {
		t.Errorf("left: %+v", f)
	}
}
