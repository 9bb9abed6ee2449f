package sandbox

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	maxDevices = 4
	// refGrace is how long a reference is still taken after its lifetime: the phone had it on its camera.
	refGrace     = 2 * time.Second
	codeLifetime = 3 * time.Minute
	// unseenLifetime is how long a device that was scanned may take to connect before it no longer counts.
	unseenLifetime = time.Minute
)

// pairing is what a page that is not linked offers to phones. Guarded by Server.mu.
type pairing struct {
	refs      []string
	expires   []time.Time
	code      string // of "link with phone number"; empty: not asked for
	codePhone string
	codeUntil time.Time
	taken     bool // a phone has taken it; waits for a passkey or is done
	platform  string
}

// newPairing makes a round of references.
func (s *Server) newPairing(platform string) (*pairing, refsOK) {
	p := &pairing{platform: platform}
	var answer refsOK
	at := time.Now()
	for _, life := range s.cfg.RefLifetimes {
		at = at.Add(life)
		p.refs = append(p.refs, "2@"+randomBase64(64))
		p.expires = append(p.expires, at)
		answer.TTLsMS = append(answer.TTLsMS, life.Milliseconds())
	}
	answer.Refs = p.refs
	return p, answer
}

func randomBase64(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // crypto/rand.Read never fails
	return base64.StdEncoding.EncodeToString(b)
}

// hello is the first frame of a connection: a linked device says who it is, another page gets references for its QR.
func (c *conn) hello(req request) error {
	a, err := decode[helloArgs](req.Args)
	if err != nil {
		return err
	}
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.device != nil || c.pairing != nil {
		return errorf(400, "hello was said")
	}
	if a.Device == nil {
		p, refs := s.newPairing(a.Platform)
		c.pairing = p
		c.ok(req.N, helloPair{Pair: refs})
		s.notify()
		return nil
	}
	d := s.world.findDevice(a.Device.ID)
	if d == nil || subtle.ConstantTimeCompare([]byte(d.Secret), []byte(a.Device.Secret)) != 1 {
		return errorf(401, "device_removed")
	}
	if f := s.dropped(d.owner.Phone.Number); f {
		c.cancel()
		return nil
	}
	if !d.Seen || d.Version != a.Version {
		if err := s.commit(&event{Op: "seen", Device: d.ID, Name: a.Version}); err != nil {
			return err
		}
	}
	if a.Got != nil {
		c.got = true
		if err := s.commit(&event{Op: "got", Device: d.ID, S: *a.Got}); err != nil {
			return err
		}
	}
	s.attach(c, d, req.N)
	return nil
}

// attach makes the connection the one of its device: success, then what has waited, then "offline". The caller holds
// s.mu.
func (s *Server) attach(c *conn, d *device, n int64) {
	if old := d.conn; old != nil {
		old.push("replaced", none{})
		old.sendFrame(item{close: true, reason: "replaced"})
		old.device = nil
	}
	d.conn, c.device = c, d
	c.saved = d.Next - int64(len(d.Pending))
	var answer helloSuccess
	answer.Success.WID, answer.Success.LID, answer.Success.Pushname = d.owner.wid(), d.owner.lid(), d.owner.Phone.Name
	answer.Success.DBKey, answer.Success.Time = d.DBKey, time.Now().Unix()
	answer.Success.LIDMigrated = d.owner.Phone.LIDMigrated
	answer.Success.Privacy = maps.Clone(d.owner.Privacy)
	c.ok(n, answer)
	if len(s.faults.steps(d.owner.Phone.Number)) > 0 {
		c.nameSteps()
	}
	for _, p := range d.Pending {
		c.sendFrame(p.item())
	}
	s.endOffline(c, d.owner.Phone.Number, len(d.Pending))
	s.notify()
}

// endOffline tells that what waited has been pushed: at once, or when no op_hang fault for "offline" keeps it back any
// more. The caller holds s.mu.
func (s *Server) endOffline(c *conn, number string, count int) {
	free := func() bool {
		if slices.ContainsFunc(s.faults.list, func(f *Fault) bool {
			return f.Name == FaultOpHang && f.Op == "offline" && (f.Account == "" || f.Account == number)
		}) {
			return false
		}
		c.push("offline", map[string]int{"count": count})
		return true
	}
	if !free() {
		s.spawn(func() { _ = s.await(c.ctx, free) }) // the page has left: nobody to tell
	}
}

// dropped says whether the account's devices are refused. The caller holds s.mu.
func (s *Server) dropped(number string) bool {
	return slices.ContainsFunc(s.faults.list, func(f *Fault) bool {
		return f.Name == FaultDropSocket && f.Account == number && time.Now().Before(f.expires)
	})
}

// detach forgets a connection that has ended.
func (s *Server) detach(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if c.device != nil {
		s.saveWritten(c)
		if c.device.conn == c {
			c.device.conn = nil
		}
	}
	c.device, c.pairing = nil, nil
	s.notify()
}

// wrote is called when a numbered push is on the wire. A page that does not answer such pushes is taken to have it;
// that is journaled in bulk, so that after a crash of the server such a page may get a few pushes again.
func (s *Server) wrote(c *conn, n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := c.device
	if d == nil || c.got {
		return
	}
	d.forget(n)
	if c.written = n; n-c.saved >= 64 {
		s.saveWritten(c)
	}
}

// saveWritten journals what wrote has taken note of. The caller holds s.mu.
func (s *Server) saveWritten(c *conn) {
	if c.written > c.saved {
		c.saved = c.written
		if err := s.commit(&event{Op: "got", Device: c.device.ID, S: c.written}); err != nil {
			s.log.Error("sandbox push", "err", err)
		}
	}
}

// refs gives the page a fresh round of references.
func (c *conn) refs(req request) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.pairing == nil {
		return errorf(400, "this page is linked")
	}
	p, refs := c.s.newPairing(c.pairing.platform)
	p.code, p.codePhone, p.codeUntil = c.pairing.code, c.pairing.codePhone, c.pairing.codeUntil
	c.pairing = p
	c.ok(req.N, refs)
	c.s.notify()
	return nil
}

// pairingCode takes the code that the page shows to be typed on the phone.
func (c *conn) pairingCode(req request) error {
	a, err := decode[struct{ Phone, Code string }](req.Args)
	if err != nil {
		return err
	}
	number, err := parseUser(a.Phone)
	if err != nil {
		return err
	}
	code := cleanCode(a.Code)
	if len(code) != 8 {
		return errorf(400, "a pairing code has 8 characters")
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.pairing == nil {
		return errorf(400, "this page is linked")
	}
	if !c.s.exists(occasion{number: number}) {
		return errorf(404, "item-not-found")
	}
	c.pairing.code, c.pairing.codePhone, c.pairing.codeUntil = code, number, time.Now().Add(codeLifetime)
	c.ok(req.N, none{})
	c.s.notify()
	return nil
}

func cleanCode(s string) string {
	return strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(s))
}

// Scan lets a phone scan a QR text: ref, three keys of 32 bytes in base64, and the platform, parted by commas. It
// returns when the page has been told; WaitLinked waits until the page has come back as a linked device. The number
// becomes a phone when it is none yet.
func (s *Server) Scan(number, qrText string) error {
	parts := strings.Split(qrText, ",")
	if len(parts) != 5 || parts[4] == "" {
		return errorf(400, "not a WhatsApp QR: five parts expected, ref,noise key,identity key,adv secret,platform; this has %d", len(parts))
	}
	for i, what := range []string{"noise key", "identity key", "adv secret"} {
		if key, err := base64.StdEncoding.DecodeString(parts[i+1]); err != nil || len(key) != 32 {
			return errorf(400, "not a WhatsApp QR: the %s is not 32 bytes in base64", what)
		}
	}
	return s.take(number, parts[4], "this QR is unknown or has expired", func(p *pairing) bool {
		i := slices.Index(p.refs, parts[0])
		return i >= 0 && time.Now().Before(p.expires[i].Add(refGrace))
	})
}

// EnterCode lets a phone link the page that shows this pairing code for its number.
func (s *Server) EnterCode(number, code string) error {
	code = cleanCode(code)
	number, err := parseUser(number)
	if err != nil {
		return err
	}
	return s.take(number, "", "this code is wrong or has expired", func(p *pairing) bool {
		return p.code != "" && p.code == code && p.codePhone == number && time.Now().Before(p.codeUntil)
	})
}

// take links the page whose offer fits to a phone.
func (s *Server) take(number, platform, otherwise string, fits func(*pairing) bool) error {
	number, err := parseUser(number)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		p := c.pairing
		if p == nil || p.taken || !fits(p) {
			continue
		}
		if platform != "" {
			p.platform = platform
		}
		if err := s.roomForDevice(number); err != nil {
			return err
		}
		o := occasion{account: number, number: number}
		if s.faults.take(FaultPasskey, o) == nil {
			return s.pair(c, number)
		}
		p.taken = true
		c.push("passkey", map[string]string{"challenge": randomBase64(32)})
		if !s.spawn(func() { s.pairAfterPasskey(c, number, o) }) {
			return errorf(503, "the sandbox was closed")
		}
		return nil
	}
	return errorf(404, "%s", otherwise)
}

// pairAfterPasskey links when nobody asks for the passkey any more.
func (s *Server) pairAfterPasskey(c *conn, number string, o occasion) {
	err := s.await(c.ctx, func() bool {
		if s.faults.has(FaultPasskey, o) {
			return false
		}
		if c.pairing != nil {
			if err := s.pair(c, number); err != nil {
				s.log.Error("sandbox link", "err", err)
			}
		}
		return true
	})
	if err != nil {
		s.log.Debug("sandbox page left while it waited for a passkey", "err", err)
	}
}

// roomForDevice drops devices that never connected and checks the limit. The caller holds s.mu.
func (s *Server) roomForDevice(number string) error {
	a := s.world.ensure(number)
	if a.Offline {
		return errOffline(number)
	}
	for _, d := range slices.Clone(a.Devices) {
		if !d.Seen && time.Since(time.Unix(d.Linked, 0)) > unseenLifetime {
			if err := s.commit(&event{Op: "unlink", Account: number, Device: d.ID}); err != nil {
				return err
			}
		}
	}
	if len(a.Devices) >= maxDevices {
		return errorf(409, "%s has %d linked devices already", number, maxDevices)
	}
	return nil
}

// pair makes the page's device and tells it. The caller holds s.mu.
func (s *Server) pair(c *conn, number string) error {
	a := s.world.ensure(number)
	d := &device{
		ID: fmt.Sprintf("%s:%s", number, rand.Text()[:8]), Secret: rand.Text(), DBKey: randomBase64(32),
		Platform: c.pairing.platform, Linked: time.Now().Unix(),
	}
	if err := s.commit(&event{Op: "link", T: d.Linked, Account: number, Link: d}); err != nil {
		return err
	}
	c.pairing.taken = true
	c.push("paired", pairedPush{
		Device: wireDevice{ID: d.ID, Secret: d.Secret}, WID: a.wid(), LID: a.lid(), Pushname: a.Phone.Name, Platform: "android",
	})
	return nil
}

// Unlink lets the phone remove all its linked devices.
func (s *Server) Unlink(number string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.world.accounts[number]
	if a == nil {
		return errorf(404, "there is no phone %s", number)
	}
	for _, d := range slices.Clone(a.Devices) {
		if err := s.unlink(d, "device_removed"); err != nil {
			return err
		}
	}
	return nil
}

// unlink removes a device and tells it when it is there; otherwise it learns at its next hello. The caller holds s.mu.
func (s *Server) unlink(d *device, reason string) error {
	c := d.conn
	if err := s.commit(&event{Op: "unlink", Account: d.owner.Phone.Number, Device: d.ID}); err != nil {
		return err
	}
	if c != nil {
		if reason != "" {
			c.push("device_removed", reasonArgs{Reason: reason})
		}
		c.device, d.conn = nil, nil
	}
	return nil
}

// WaitLinked waits until a linked device of the number is connected.
func (s *Server) WaitLinked(ctx context.Context, number string) error {
	return s.await(ctx, func() bool {
		a := s.world.accounts[number]
		return a != nil && slices.ContainsFunc(a.Devices, func(d *device) bool { return d.conn != nil })
	})
}
