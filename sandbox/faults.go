package sandbox

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// FaultName says what goes wrong.
type FaultName string

// The faults. Those marked (now) happen when they are set; the others wait for their occasion.
const (
	FaultNoAck        FaultName = "no_ack"         // the message is delivered and never acknowledged
	FaultAckDelay     FaultName = "ack_delay"      // the acknowledgement comes DelayMS late
	FaultSendError    FaultName = "send_error"     // the message is refused with Code (and Until)
	FaultNoReceipt    FaultName = "no_receipt"     // the receiver's phone is off: no delivery receipt
	FaultHoldMessage  FaultName = "hold_message"   // the message stops At a HoldPoint until released
	FaultNotExists    FaultName = "not_exists"     // the number is not on WhatsApp
	FaultOpError      FaultName = "op_error"       // requests of the kind Op are refused with Code
	FaultOpHang       FaultName = "op_hang"        // requests of the kind Op are never answered
	FaultUploadFail   FaultName = "upload_fail"    // an upload ends with HTTP status Code (default 500)
	FaultUploadHang   FaultName = "upload_hang"    // an upload is never answered
	FaultDownloadGone FaultName = "download_gone"  // files are answered with 404
	FaultDownloadFail FaultName = "download_fail"  // files are answered with HTTP status Code, without one by breaking off
	FaultPasskey      FaultName = "passkey"        // a passkey is asked for while linking; cleared: the link goes on
	FaultDropSocket   FaultName = "drop_socket"    // (now) connections are closed, and refused for Seconds
	FaultRemoveDevice FaultName = "device_removed" // (now) the phone removes its linked devices
	FaultReplaced     FaultName = "replaced"       // (now) WhatsApp ends the connections for others that took over
	FaultPage         FaultName = "page"           // (now) Page happens in the page; see PageFaults
	FaultPageStart    FaultName = "page_start"     // Page is wrong with every page that is loaded from now on
)

// PageFaults are the names of what can happen in a page, with their arguments.
func PageFaults() map[string]string {
	return map[string]string{
		"reload":            "the page reloads by itself, as for an update",
		"crash":             "the renderer ends",
		"freeze":            "the page does not react for args.ms",
		"slow":              "args.percent of the page's time is taken for args.ms",
		"memory":            "the page grows by args.mb",
		"second_tab":        "a second page of the same profile takes over",
		"remove_module":     "args.module is missing",
		"rename_module":     "args.module is called args.to",
		"remove_export":     "args.export of args.module is missing",
		"rename_serialized": "_serialized of ids is called $1",
	}
}

// Fault is one thing that goes wrong, for whom, and how often. The zero scope is everybody.
type Fault struct {
	ID      string    `json:"id,omitempty"` // set by SetFault
	Name    FaultName `json:"name"`
	Account string    `json:"account,omitempty"` // only for the linked devices of this number
	Number  string    `json:"number,omitempty"`  // only towards this number
	Count   int       `json:"count,omitempty"`   // gone after so many times; 0: stays until cleared
	Seconds int       `json:"seconds,omitempty"` // gone after so long; 0: stays until cleared

	At      string         `json:"at,omitempty"`       // hold_message: a HoldPoint
	Op      string         `json:"op,omitempty"`       // op_error, op_hang: the request, as in wire.ts; op_hang: also offline, which a login ends with
	Code    int            `json:"code,omitempty"`     // send_error, op_error, upload_fail, download_fail
	Text    string         `json:"text,omitempty"`     // words for the error
	Until   int64          `json:"until,omitempty"`    // epoch seconds, told with the error
	UntilIn int            `json:"until_in,omitempty"` // the same, in seconds from the moment it strikes
	DelayMS int            `json:"delay_ms,omitempty"` // ack_delay
	Page    string         `json:"page,omitempty"`     // page: the name
	Args    map[string]any `json:"args,omitempty"`     // page: the arguments

	expires time.Time
	magic   bool
}

// MagicNumber is a number with a fault that is always on, like a payment provider's test cards.
type MagicNumber struct {
	Number  string `json:"number"`
	Meaning string `json:"meaning"`
	Fault   Fault  `json:"fault"`
}

// MagicNumbers lists them. All are valid Indonesian mobile numbers for libphonenumber.
func MagicNumbers() []MagicNumber {
	return []MagicNumber{
		{"6281100000001", "not on WhatsApp", Fault{Name: FaultNotExists}},
		{"6281100000002", "delivered, but WhatsApp never acknowledges", Fault{Name: FaultNoAck}},
		{"6281100000003", "WhatsApp refuses the message with a server error (500)", Fault{Name: FaultSendError, Code: 500, Text: "internal-server-error"}},
		{"6281100000004", "acknowledged after 5 s", Fault{Name: FaultAckDelay, DelayMS: 5000}},
		{"6281100000005", "the sender is restricted for an hour (463)", Fault{Name: FaultSendError, Code: 463, Text: "reach out limit", UntilIn: 3600}},
		{"6281100000006", "the phone is off: sent, never delivered", Fault{Name: FaultNoReceipt}},
		{"6281100000007", "asking whether the number exists gets no answer", Fault{Name: FaultOpHang, Op: "usync"}},
		{"6281100000008", "WhatsApp says: too many messages (429)", Fault{Name: FaultSendError, Code: 429, Text: "rate-overlimit"}},
	}
}

// faults are those that are set. Guarded by Server.mu.
type faults struct {
	list []*Fault
	next int
	held []*held
	used func(FaultName) // called when a fault was used
}

func newFaults() faults {
	var f faults
	for _, m := range MagicNumbers() {
		fault := m.Fault
		fault.Number, fault.magic = m.Number, true
		f.list = append(f.list, &fault)
	}
	return f
}

// occasion is what a fault is matched with.
type occasion struct {
	account, number, op, at string
}

// take returns the first fault of that name for the occasion and counts it.
func (f *faults) take(name FaultName, o occasion) *Fault {
	now := time.Now()
	f.list = slices.DeleteFunc(f.list, func(x *Fault) bool { return !x.expires.IsZero() && now.After(x.expires) })
	for i, x := range f.list {
		if x.Name != name || x.Account != "" && x.Account != o.account || x.Number != "" && x.Number != o.number ||
			x.Op != "" && x.Op != o.op || x.At != "" && x.At != o.at {
			continue
		}
		switch {
		case x.Count == 1:
			f.list = slices.Delete(f.list, i, i+1)
			f.used(name)
		case x.Count > 1:
			x.Count--
			f.used(name)
		}
		return x
	}
	return nil
}

// error is what the fault answers.
func (f *Fault) error() *Error {
	e := &Error{Code: f.Code, Text: f.Text, Until: f.Until}
	if e.Code == 0 {
		e.Code = 500
	}
	if e.Text == "" {
		e.Text = "fault " + string(f.Name)
	}
	if f.UntilIn > 0 {
		e.Until = time.Now().Unix() + int64(f.UntilIn)
	}
	return e
}

// SetFault makes something go wrong, and returns the fault's id.
func (s *Server) SetFault(f Fault) (id string, err error) {
	if err := f.check(); err != nil {
		return "", err
	}
	if f.Seconds > 0 {
		f.expires = time.Now().Add(time.Duration(f.Seconds) * time.Second)
	}
	s.mu.Lock()
	s.faults.next++
	f.ID = fmt.Sprintf("fault%d", s.faults.next)
	if f.Name != FaultPage && f.Name != FaultReplaced && f.Name != FaultRemoveDevice && (f.Name != FaultDropSocket || f.Seconds > 0) {
		s.faults.list = append(s.faults.list, &f)
		s.faultsChanged(f.Name)
	}
	var hit []*conn
	for c := range s.conns {
		if f.Account == "" || c.device != nil && c.device.owner.Phone.Number == f.Account {
			hit = append(hit, c)
		}
	}
	s.mu.Unlock()
	s.endAt(&f)

	switch f.Name {
	case FaultHoldMessage:
		if inPage(f.At) {
			s.waitSteps()
		}
	case FaultDropSocket:
		for _, c := range hit {
			c.cancel()
		}
	case FaultReplaced:
		s.replace(hit)
	case FaultPage:
		if len(hit) == 0 {
			return "", errorf(409, "no page is connected")
		}
		for _, c := range hit {
			c.push("fault", faultPush{Name: f.Page, Args: f.Args})
		}
	case FaultRemoveDevice:
		for _, p := range s.Phones() {
			if f.Account == "" || f.Account == p.Number {
				if err := s.Unlink(p.Number); err != nil {
					return "", err
				}
			}
		}
	}
	return f.ID, nil
}

// replace tells connections that another one took their place. They are closed, and no other one is there.
func (s *Server) replace(list []*conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range list {
		if c.device == nil {
			continue
		}
		c.push("replaced", none{})
		c.sendFrame(item{close: true, reason: "replaced"})
		c.device.conn, c.device = nil, nil
	}
	s.notify()
}

// check refuses what makes no sense, and brings the numbers into the form that occasions have.
func (f *Fault) check() error {
	for _, n := range []*string{&f.Account, &f.Number} {
		if *n == "" || isGroup(*n) {
			continue
		}
		number, err := parseUser(*n)
		if err != nil {
			return err
		}
		*n = number
	}
	known := []FaultName{FaultNoAck, FaultAckDelay, FaultSendError, FaultNoReceipt, FaultHoldMessage, FaultNotExists, FaultOpError, FaultOpHang,
		FaultUploadFail, FaultUploadHang, FaultDownloadGone, FaultDownloadFail, FaultPasskey, FaultDropSocket, FaultRemoveDevice, FaultReplaced, FaultPage, FaultPageStart}
	switch {
	case f.Count < 0 || f.Seconds < 0:
		return errorf(400, "count and seconds cannot be negative")
	case !slices.Contains(known, f.Name):
		return errorf(400, "there is no fault %q", f.Name)
	case f.Name == FaultHoldMessage && !slices.Contains(HoldPoints(), f.At):
		return errorf(400, "hold_message needs at: one of %s", strings.Join(HoldPoints(), ", "))
	case f.Name == FaultAckDelay && f.DelayMS <= 0:
		return errorf(400, "ack_delay needs delay_ms")
	case (f.Name == FaultOpError || f.Name == FaultOpHang) && f.Op == "":
		return errorf(400, "%s needs op", f.Name)
	case (f.Name == FaultPage || f.Name == FaultPageStart) && PageFaults()[f.Page] == "":
		return errorf(400, "%s needs page: one of %s", f.Name, strings.Join(slices.Sorted(maps.Keys(PageFaults())), ", "))
	}
	return nil
}

// endAt ends a fault that has a time, at that time, and wakes those who wait for its end.
func (s *Server) endAt(f *Fault) {
	if f.expires.IsZero() {
		return
	}
	s.later(time.Until(f.expires)+time.Millisecond, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.faults.list = slices.DeleteFunc(s.faults.list, func(x *Fault) bool { return x == f })
		s.faultsChanged(f.Name)
	})
}

// Faults lists what is set, without the magic numbers.
func (s *Server) Faults() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	list, now := []Fault{}, time.Now()
	for _, f := range s.faults.list {
		if !f.magic && (f.expires.IsZero() || now.Before(f.expires)) {
			list = append(list, *f)
		}
	}
	return list
}

// ClearFaults ends every fault but the magic numbers, releases held messages and lets links go on that waited for a
// passkey.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	s.faults.list = slices.DeleteFunc(s.faults.list, func(f *Fault) bool { return !f.magic })
	s.faultsChanged(FaultHoldMessage)
	s.mu.Unlock()
	s.Release("")
}

// ClearFault ends one fault.
func (s *Server) ClearFault(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.list = slices.DeleteFunc(s.faults.list, func(f *Fault) bool { return !f.magic && f.ID == id })
	s.faultsChanged(FaultHoldMessage)
}

// refuses says whether new connections are refused for everybody.
func (s *Server) refuses() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.faults.list, func(f *Fault) bool {
		return f.Name == FaultDropSocket && f.Account == "" && time.Now().Before(f.expires)
	})
}

// has says whether there is such a fault, without counting it. The caller holds Server.mu.
func (f *faults) has(name FaultName, o occasion) bool {
	return slices.ContainsFunc(f.list, func(x *Fault) bool {
		return x.Name == name && (x.Account == "" || x.Account == o.account) && (x.Number == "" || x.Number == o.number)
	})
}
