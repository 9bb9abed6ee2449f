package sandbox

import (
	"bytes"
	"net/http"
	"time"
)

const (
	picturePath = "/pps"
	maxPicture  = 1 << 20 // bytes; WhatsApp's are 640 × 640 at most
)

// changeProfile changes what is set of an account's name, about and picture. The caller holds s.mu.
func (s *Server) changeProfile(number string, a profileArgs) error {
	e := &event{Op: "profile", Account: number, Name: a.Name, About: a.About}
	if a.RemovePicture {
		e.Picture = new(string)
	}
	if len(a.Picture) > 0 {
		if len(a.Picture) > maxPicture || http.DetectContentType(a.Picture) != "image/jpeg" {
			return errorf(406, "not-acceptable: a picture is a JPEG of at most 1 MB")
		}
		name, err := s.media.put(bytes.NewReader(a.Picture))
		if err != nil {
			return err
		}
		e.Picture = &name
	}
	return s.commit(e)
}

// SetProfile changes what is set of a phone's name, about and picture (a JPEG).
func (s *Server) SetProfile(number, name, about string, picture []byte) error {
	n, err := parseUser(number)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.world.ensure(n)
	return s.changeProfile(n, profileArgs{Name: name, About: about, Picture: picture})
}

// personAsked returns the account that a request asks about, or nil. Blocked people see neither picture nor about.
func (c *conn) personAsked(d *device, wid string) (*account, error) {
	number, err := parseUser(wid)
	if err != nil {
		return nil, err
	}
	a := c.s.world.accounts[number]
	if a == nil {
		return nil, nil
	}
	if p := a.People[d.owner.wid()]; p != nil && p.Blocked {
		return nil, nil
	}
	return a, nil
}

// profilePicture says where somebody's picture is; without one the answer is empty.
func (c *conn) profilePicture(req request) error {
	q, err := decode[struct{ WID string }](req.Args)
	if err != nil {
		return err
	}
	return c.linked(func(d *device) error {
		answer := map[string]string{}
		if isGroup(q.WID) {
			if g := c.s.world.group(q.WID); g != nil && g.Picture != "" {
				answer["url"], answer["tag"] = "https://"+pageHost+picturePath+"/"+g.Picture, g.Picture[:10]
			}
			c.ok(req.N, answer)
			return nil
		}
		a, err := c.personAsked(d, q.WID)
		if err != nil {
			return err
		}
		if a != nil && a.Picture != "" && a.shows("profile", d.owner) {
			answer["url"] = "https://" + pageHost + picturePath + "/" + a.Picture
			answer["tag"] = a.Picture[:10]
		}
		c.ok(req.N, answer)
		return nil
	})
}

func (c *conn) about(req request) error {
	q, err := decode[struct{ WID string }](req.Args)
	if err != nil {
		return err
	}
	return c.linked(func(d *device) error {
		a, err := c.personAsked(d, q.WID)
		if err != nil {
			return err
		}
		text := ""
		if a != nil && a.shows("status", d.owner) {
			text = a.About
		}
		c.ok(req.N, map[string]string{"about": text})
		return nil
	})
}

// servePicture gives a profile picture to whoever knows its path.
func (s *Server) servePicture(w http.ResponseWriter, r *http.Request) {
	f, err := s.media.open(r.PathValue("name"))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	defer func() { _ = f.close() }()
	w.Header().Set("Content-Type", "image/jpeg")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, "", time.Time{}, f)
}
