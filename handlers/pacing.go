package handlers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"kurir/models"
	"kurir/outbox"
	"kurir/problem"
)

// Bounds of the figures of a pace. They catch slips, such as seconds for milliseconds the wrong way round.
const (
	maxGapMS  = 60 * 60 * 1000
	maxPerDay = 1_000_000
)

// pacingView is an instance's pace: the figures that hold, whether somebody chose them (set), and where it stands.
type pacingView struct {
	models.Pacing
	Now *outbox.PaceState `json:"now,omitempty"` // while the instance runs
}

func (s *server) viewPacing(in models.Instance) pacingView {
	v := pacingView{Pacing: in.Pace()}
	if now, ok := s.Outbox.PaceState(in.ID); ok {
		v.Now = &now
	}
	return v
}

// updateBody is what PATCH /v1/instances/{id} takes. What is absent stays as it is.
type updateBody struct {
	Name   *string         `json:"name"`
	Pacing json.RawMessage `json:"pacing"`
}

// updateInstance is PATCH /v1/instances/{id}: it is called something else, or has another pace from now on.
func (s *server) updateInstance(c *call) (reply, error) {
	id := c.instanceID()
	var body updateBody
	if err := c.json(&body); err != nil {
		return reply{}, err
	}
	s.pacing.Lock()
	defer s.pacing.Unlock()
	in, err := s.Instances.Get(c.ctx(), id)
	if err != nil {
		return reply{}, err
	}
	var change UpdateInstance
	if body.Name != nil {
		named := createBody{Name: *body.Name}
		if err := named.validate(); err != nil {
			return reply{}, err
		}
		change.Name = &named.Name
	}
	if body.Pacing != nil {
		p, err := changePacing(in, body.Pacing)
		if err != nil {
			return reply{}, err
		}
		change.Pacing = &p
	}
	if change == (UpdateInstance{}) {
		return reply{}, problem.New(problem.BadRequest, "`pacing` or `name` can be changed")
	}
	ctx, cancel := c.unhurried()
	defer cancel()
	if in, err = s.Instances.Update(ctx, id, change); err != nil {
		return reply{}, err
	}
	s.keys.forget(id)
	return reply{code: codeOK, id: id, data: s.view(in)}, nil
}

// changePacing returns an instance's pace with the figures that a caller sent. null in place of all brings the defaults
// back, null in place of one the default of that one.
func changePacing(in models.Instance, raw json.RawMessage) (models.Pacing, error) {
	if bytes.Equal(bytes.TrimSpace(raw), []byte("null")) {
		return models.Pacing{}, nil
	}
	var said map[string]json.RawMessage
	if err := json.Unmarshal(raw, &said); err != nil {
		return models.Pacing{}, problem.Wrap(problem.PacingInvalid, "it must be an object, or null for the defaults", err)
	}
	p, usual := in.Pace(), models.DefaultPacing(in.Sandbox)
	figures, defaults := figuresOf(&p), figuresOf(&usual)
	for name, value := range said {
		into, ok := figures[name]
		switch {
		case name == "set" || name == "now": // of a view that somebody changed and sent back
			continue
		case !ok:
			return p, problem.New(problem.PacingInvalid, fmt.Sprintf("there is no `%s`", clip(name)))
		case string(value) == "null":
			value, _ = json.Marshal(defaults[name]) // a number, a text or a bool
		}
		if err := json.Unmarshal(value, into); err != nil {
			return p, problem.Wrap(problem.PacingInvalid, fmt.Sprintf("`%s` has the wrong type", name), err)
		}
	}
	p.Set = true
	return p, checkPacing(p)
}

// figuresOf gives the figures their names in JSON.
func figuresOf(p *models.Pacing) map[string]any {
	return map[string]any{
		"gap_ms": &p.GapMS, "jitter_ms": &p.JitterMS, "typing": &p.Typing, "per_day": &p.PerDay,
		"first_contacts_per_day": &p.FirstPerDay, "quiet_from": &p.QuietFrom, "quiet_to": &p.QuietTo,
	}
}

func checkPacing(p models.Pacing) error {
	wrong := func(detail string) error { return problem.New(problem.PacingInvalid, detail) }
	switch {
	case p.GapMS < 0 || p.GapMS > maxGapMS:
		return wrong("`gap_ms` is 0 to 3600000 milliseconds")
	case p.JitterMS < 0 || p.JitterMS > maxGapMS:
		return wrong("`jitter_ms` is 0 to 3600000 milliseconds")
	case p.PerDay < 0 || p.PerDay > maxPerDay:
		return wrong("`per_day` is 0 (no limit) to 1000000")
	case p.FirstPerDay < 0 || p.FirstPerDay > maxPerDay:
		return wrong("`first_contacts_per_day` is 0 (no limit) to 1000000")
	case (p.QuietFrom == "") != (p.QuietTo == ""), p.QuietFrom != "" && p.QuietFrom == p.QuietTo:
		return wrong("`quiet_from` and `quiet_to` are two times of day, or both empty")
	case p.QuietFrom != "" && (!isClock(p.QuietFrom) || !isClock(p.QuietTo)):
		return wrong("`quiet_from` and `quiet_to` look like 21:30")
	}
	return nil
}

// isClock says whether a text is a time of day with two digits each.
func isClock(text string) bool {
	_, err := time.Parse("15:04", text)
	return err == nil && len(text) == 5 && strings.IndexByte(text, ':') == 2
}
