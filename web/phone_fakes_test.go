package web

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"kurir/browser"
	"kurir/problem"
)

const (
	shopNumber  = "6281100001234"
	guestNumber = "6281234567890"
	guestChat   = shopNumber + "@c.us"
)

// fakePhones are phones without a simulator: one shop, and one customer with what the test puts on the phone.
type fakePhones struct {
	mu       sync.Mutex
	phone    Phone
	messages []PhoneMessage
	files    map[string]fakeFile
	faults   []PhoneFault
	done     []string
	drafts   []PhoneDraft
	fail     error
	changed  chan struct{}
}

type fakeFile struct{ name, kind, body string }

type nopCloser struct{ *bytes.Reader }

func (nopCloser) Close() error { return nil }

func newFakePhones() *fakePhones {
	return &fakePhones{phone: Phone{Number: guestNumber, Name: "Sari"}, files: map[string]fakeFile{}, changed: make(chan struct{})}
}

func (f *fakePhones) Own(_ context.Context, instance string) (string, error) {
	if instance == "none" {
		return "", problem.New(problem.NotFound, "")
	}
	return shopNumber, nil
}

func (f *fakePhones) Find(typed string) (string, error) {
	if typed != "0812 3456 7890" {
		return "", problem.New(problem.InvalidPhone, "")
	}
	return guestNumber, nil
}

func (f *fakePhones) Look(_ context.Context, number string) (Phone, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch number {
	case guestNumber:
		return f.phone, nil
	case shopNumber:
		return Phone{Number: shopNumber, Name: "Toko", Chats: []PhoneChat{{ID: guestNumber + "@c.us", Number: guestNumber, Name: f.phone.Name}},
			Devices: []PhoneDevice{{ID: "device1", Linked: time.Now(), Online: true}}}, nil
	}
	return Phone{}, problem.New(problem.BadRequest, "")
}

func (f *fakePhones) Chat(_ context.Context, _, chat string, _ int) (PhoneChat, []PhoneMessage, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if chat != guestChat {
		return PhoneChat{}, nil, problem.New(problem.NotFound, "")
	}
	c := PhoneChat{ID: chat, Number: shopNumber, Name: "Toko"}
	for _, m := range f.messages {
		if !m.FromMe && m.Ack < 3 {
			c.Unread++
		}
	}
	return c, slices.Clone(f.messages), nil
}

func (f *fakePhones) File(_ context.Context, _, _, message string) (PhoneFile, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	file, ok := f.files[message]
	if !ok {
		return PhoneFile{}, problem.New(problem.NotFound, "")
	}
	return PhoneFile{ReadSeekCloser: nopCloser{bytes.NewReader([]byte(file.body))}, Name: file.name, Type: file.kind}, nil
}

func (f *fakePhones) do(format string, args ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done = append(f.done, fmt.Sprintf(format, args...))
	return f.fail
}

func (f *fakePhones) Send(_ context.Context, number, chat string, m PhoneDraft) error {
	f.mu.Lock()
	f.drafts = append(f.drafts, m)
	f.mu.Unlock()
	return f.do("send %s %s", number, chat)
}

func (f *fakePhones) Read(_ context.Context, number, chat string) error {
	return f.do("read %s %s", number, chat)
}

func (f *fakePhones) SetAutoRead(_ context.Context, number string, on bool) error {
	return f.do("auto-read %s %t", number, on)
}

func (f *fakePhones) SetOffline(_ context.Context, number string, offline bool) error {
	return f.do("offline %s %t", number, offline)
}

func (f *fakePhones) Unlink(_ context.Context, number, device string) error {
	return f.do("unlink %s %s", number, device)
}

func (f *fakePhones) Scan(_ context.Context, number, instance string) error {
	return f.do("scan %s %s", number, instance)
}

func (f *fakePhones) Faults(context.Context) ([]PhoneFault, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.faults), nil
}

func (f *fakePhones) SetFault(_ context.Context, w FaultWish) error { return f.do("fault %+v", w) }
func (f *fakePhones) EndFault(_ context.Context, id string) error   { return f.do("end-fault %s", id) }

func (f *fakePhones) Changed(context.Context) (<-chan struct{}, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changed, nil
}

// change changes the phones and tells.
func (f *fakePhones) change(how func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	how()
	close(f.changed)
	f.changed = make(chan struct{})
}

// arrive puts a message on the customer's phone.
func (f *fakePhones) arrive(m PhoneMessage) {
	f.change(func() {
		m.At = time.Now()
		f.messages = append(f.messages, m)
		f.phone.Chats = []PhoneChat{{ID: guestChat, Number: shopNumber, Name: "Toko", Unread: len(f.messages), Last: &m}}
	})
}

func (f *fakePhones) actions() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.done)
}

func sandboxView() View {
	return View{ID: "inst_1", Name: "Toko", Sandbox: true, Status: browser.Status{State: browser.StateWorking, Phone: shopNumber}}
}
