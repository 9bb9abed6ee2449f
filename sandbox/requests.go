package sandbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"time"
)

// handlers is the map of what the simulated WhatsApp can do.
func handlers() map[string]func(*conn, request) error {
	return map[string]func(*conn, request) error{
		"hello": (*conn).hello, "refs": (*conn).refs, "pairing_code": (*conn).pairingCode, "ping": (*conn).ping,
		"logout": (*conn).logout, "got": (*conn).gotPushes, "history": (*conn).history, "earlier": (*conn).earlier,
		"message": (*conn).message, "step": (*conn).step, "steps": (*conn).steps, "message_action": (*conn).messageAction, "receipt": (*conn).receipt,
		"chatstate": (*conn).chatstate, "presence": (*conn).presence, "call_reject": (*conn).callReject, "chat_action": (*conn).chatAction,
		"usync": (*conn).usync, "devices": (*conn).devices, "media_conn": (*conn).mediaConn, "group": (*conn).group, "block": (*conn).block, "contact": (*conn).saveContact, "message_info": (*conn).messageInfo,
		"profile": (*conn).profile, "profile_picture": (*conn).profilePicture, "about": (*conn).about, "privacy": (*conn).privacy,
	}
}

// handle carries out one request of a page and answers it.
func (c *conn) handle(req request) {
	if req.Op != "message" && c.faulty(req) {
		return
	}
	handler, ok := c.s.handlers[req.Op]
	if !ok {
		c.fail(req.N, errorf(501, "the sandbox has no request %q", req.Op))
		return
	}
	if err := handler(c, req); err != nil {
		c.fail(req.N, err)
	}
}

// faulty answers a request that a fault is set for, or leaves it without an answer. Messages look for themselves.
func (c *conn) faulty(req request) bool {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	o := occasion{op: req.Op}
	if c.device != nil {
		o.account = c.device.owner.Phone.Number
	}
	if req.Op == "usync" {
		if a, err := decode[struct{ Wids []string }](req.Args); err == nil && len(a.Wids) == 1 {
			o.number, _ = parseUser(a.Wids[0])
		}
	}
	if s.faults.take(FaultOpHang, o) != nil {
		return true
	}
	f := s.faults.take(FaultOpError, o)
	if f != nil {
		c.fail(req.N, f.error())
	}
	return f != nil
}

// linked runs f under the server's lock for the account of a linked device.
func (c *conn) linked(f func(d *device) error) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.device == nil {
		return errorf(401, "not linked")
	}
	return f(c.device)
}

func (c *conn) ping(req request) error {
	c.ok(req.N, map[string]int64{"time": time.Now().Unix()})
	return nil
}

func (c *conn) logout(req request) error {
	return c.linked(func(d *device) error {
		c.ok(req.N, none{})
		return c.s.unlink(d, "")
	})
}

// gotPushes is the page's word that it has stored the numbered pushes up to s.
func (c *conn) gotPushes(req request) error {
	a, err := decode[struct{ S int64 }](req.Args)
	if err != nil {
		return err
	}
	return c.linked(func(d *device) error {
		c.got = true
		err := c.s.commit(&event{Op: "got", Device: d.ID, S: a.S})
		if err == nil {
			c.ok(req.N, none{})
		}
		return err
	})
}

func (c *conn) usync(req request) error {
	a, err := decode[struct{ Wids []string }](req.Args)
	if err != nil {
		return err
	}
	return c.linked(func(d *device) error {
		users := []usyncUser{}
		for _, q := range a.Wids {
			u := usyncUser{Query: q}
			number, err := parseUser(q)
			if err == nil && c.s.exists(occasion{account: d.owner.Phone.Number, number: number}) {
				u.Exists, u.WID, u.LID, u.Pushname = true, widOf(number), lidOf(number), pushnameOf(number)
				if known := c.s.world.accounts[number]; known != nil {
					u.Pushname, u.Business = known.Phone.Name, known.Phone.Business
				}
			}
			users = append(users, u)
		}
		c.ok(req.N, map[string]any{"users": users})
		return nil
	})
}

// devices says on how many devices accounts are: the phone, and what is linked with it.
func (c *conn) devices(req request) error {
	a, err := decode[struct{ WIDs []string }](req.Args)
	if err != nil {
		return err
	}
	return c.linked(func(*device) error {
		counts := make([]int, len(a.WIDs))
		for i, wid := range a.WIDs {
			number, err := parseUser(wid)
			if err != nil || !c.s.exists(occasion{number: number}) {
				continue
			}
			counts[i] = 1
			if known := c.s.world.accounts[number]; known != nil {
				counts[i] += len(known.Devices)
			}
		}
		c.ok(req.N, map[string]any{"counts": counts})
		return nil
	})
}

// receipt passes on that the page has got or read messages.
func (c *conn) receipt(req request) error {
	a, err := decode[receiptArgs](req.Args)
	if err != nil {
		return err
	}
	return c.linked(func(d *device) error {
		r := &a
		if !isShared(r.Chat) {
			number, err := parseUser(r.Chat)
			if err != nil {
				return err
			}
			r.Chat = widOf(number)
			r.Author = r.Chat
		}
		if !slices.Contains([]string{"delivery", "read", "played"}, r.Type) {
			return errorf(400, "there is no receipt %q", r.Type)
		}
		err := c.s.commit(&event{Op: "receipt", T: time.Now().Unix(), Account: d.owner.Phone.Number, Device: d.ID, Receipt: r})
		if err == nil {
			c.ok(req.N, none{})
		}
		return err
	})
}

// chatstate tells the other side that somebody is typing.
func (c *conn) chatstate(req request) error {
	a, err := decode[chatstateArgs](req.Args)
	if err != nil {
		return err
	}
	if number, err := parseUser(a.Chat); err == nil {
		a.Chat = widOf(number) // a migrated account says the lid
	}
	return c.linked(func(d *device) error {
		c.ok(req.N, none{})
		d.owner.typing(a.Chat, a.State)
		c.s.showTyping(d.owner, a.Chat, a.State)
		c.s.notify()
		return nil
	})
}

// chatAction keeps a change of a chat and passes it to the account's other devices.
func (c *conn) chatAction(req request) error {
	a, err := decode[chatActionArgs](req.Args)
	if err != nil {
		return err
	}
	return c.linked(func(d *device) error {
		if !isGroup(a.Chat) {
			number, err := parseUser(a.Chat)
			if err != nil {
				return err
			}
			a.Chat = widOf(number)
		}
		err := c.s.commit(&event{Op: "chat", T: time.Now().Unix(), Account: d.owner.Phone.Number, Device: d.ID, Chat: &a})
		if err == nil {
			c.ok(req.N, none{})
		}
		return err
	})
}

func (c *conn) block(req request) error {
	a, err := decode[struct {
		WID     string
		Blocked bool
	}](req.Args)
	if err != nil {
		return err
	}
	return c.changeContact(a.WID, func(p *WireContact) { p.Blocked = a.Blocked }, func(WireContact) { c.ok(req.N, none{}) })
}

func (c *conn) profile(req request) error {
	a, err := decode[profileArgs](req.Args)
	if err != nil {
		return err
	}
	return c.linked(func(d *device) error {
		err := c.s.changeProfile(d.owner.Phone.Number, a)
		if err == nil {
			c.ok(req.N, none{})
		}
		return err
	})
}

// mediaConn says where files go. The token is bound to the device and stays valid over a restart of the server.
func (c *conn) mediaConn(req request) error {
	return c.linked(func(d *device) error {
		c.ok(req.N, mediaConnOK{Auth: c.s.uploadToken(d.ID), TTL: 3600, UploadPath: uploadPath, MaxBytes: maxUpload})
		return nil
	})
}

func (s *Server) uploadToken(device string) string {
	mac := hmac.New(sha256.New, s.id.secret)
	mac.Write([]byte(device))
	return base64.RawURLEncoding.EncodeToString([]byte(device)) + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// uploader returns the account that an upload token belongs to.
func (s *Server) uploader(token string) (number string, ok bool) {
	name, _, _ := strings.Cut(token, ".")
	device, err := base64.RawURLEncoding.DecodeString(name)
	if err != nil || !hmac.Equal([]byte(token), []byte(s.uploadToken(string(device)))) {
		return "", false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.world.findDevice(string(device))
	if d == nil {
		return "", false
	}
	return d.owner.Phone.Number, true
}
