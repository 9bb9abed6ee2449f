package sandbox

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"slices"
	"time"
)

// group carries out what a page does with groups.
func (c *conn) group(req request) error {
	a, err := decode[groupArgs](req.Args)
	if err != nil {
		return err
	}
	return c.linked(func(d *device) error {
		answer, err := c.s.changeGroup(d.owner, a)
		if err == nil {
			c.ok(req.N, answer)
		}
		return err
	})
}

// ChangeGroup lets a phone do something in a group: add, remove, promote, demote, leave, subject, description, picture,
// reset_invite, approve, reject, property:NAME, or join by code.
func (s *Server) ChangeGroup(number, action, group, text string, participants []string, picture ...byte) error {
	n, err := parseUser(number)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err = s.changeGroup(s.world.ensure(n), groupArgs{Action: action, Group: group, Subject: text, Code: text, Participants: participants, Picture: picture})
	return err
}

// CreateGroup makes a group owned by number with the given others in it, and returns its wid.
func (s *Server) CreateGroup(number, subject string, participants []string) (wid string, err error) {
	n, err := parseUser(number)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	answer, err := s.changeGroup(s.world.ensure(n), groupArgs{Action: "create", Subject: subject, Participants: participants})
	return answer.Group, err
}

// changeGroup carries out an action: anybody can create, join and look (by code); members can query, leave and ask for
// the invite_code, and what the settings allow them; admins can do the rest. The caller holds s.mu.
func (s *Server) changeGroup(actor *account, a groupArgs) (groupOK, error) {
	if a.Action == "create" {
		return s.createGroup(actor, a)
	}
	if a.Action == "join" {
		return s.joinGroup(actor, a.Code)
	}
	if a.Action == "info" {
		g := s.world.groupByCode(a.Code)
		if g == nil {
			return groupOK{}, errorf(404, "item-not-found")
		}
		return groupOK{Group: g.WID, Info: g.wire(0).Group}, nil
	}
	old := s.world.group(a.Group)
	if old == nil {
		return groupOK{}, errorf(404, "item-not-found")
	}
	me := old.member(actor.wid())
	if me < 0 {
		return groupOK{}, errorf(403, "forbidden")
	}
	answer := groupOK{Group: old.WID}
	note := groupNote{Action: a.Action}
	g := *old
	g.Participants = slices.Clone(old.Participants)
	switch a.Action {
	case "query":
		actor.tell("chat", g.wire(s.world.chat(actor, g.WID).T))
		return answer, nil
	case "invite_code":
		answer.Code = g.Code
		return answer, nil
	case "leave":
		g.Participants = slices.Delete(g.Participants, me, me+1)
		note.Participants = []string{actor.wid()}
		g.past(note.Participants, "Left")
		return answer, s.commitGroup(actor, &g, note)
	}
	if !old.mayChange(old.Participants[me], a.Action) {
		return groupOK{}, errorf(403, "not-authorized")
	}
	if name, ok := property(a.Action); ok {
		note, err := g.set(name, a.Subject)
		if err != nil {
			return groupOK{}, err
		}
		return answer, s.commitGroup(actor, &g, note)
	}
	switch a.Action {
	case "requests":
		answer.Requests = slices.Clone(old.Requests)
		return answer, nil
	case "approve", "reject":
		answer.Participants = s.decide(&g, a.Action, a.Participants)
		if note.Participants = done(answer.Participants); len(note.Participants) == 0 {
			return answer, nil
		}
		note.Action = map[string]string{"approve": "add", "reject": "revoked_membership_requests"}[a.Action]
	case "picture":
		if err := s.setPicture(&g, a.Picture); err != nil {
			return groupOK{}, err
		}
	case "subject":
		g.Subject, note.Text = a.Subject, a.Subject
	case "reset_invite":
		g.Code, note.Action = rand.Text()[:22], "revoke_invite"
		answer.Code = g.Code
	case "add", "remove", "promote", "demote":
		answer.Participants = s.changeMembers(&g, a.Action, a.Participants)
		if note.Participants = done(answer.Participants); len(note.Participants) == 0 {
			return answer, nil
		}
		if a.Action == "remove" {
			g.past(note.Participants, "Removed")
		}
	case "description":
		g.Description, note.Text = a.Subject, a.Subject
	default:
		return groupOK{}, errorf(400, "groups have no action %q", a.Action)
	}
	return answer, s.commitGroup(actor, &g, note)
}

// done returns the participants for whom it worked.
func done(results []participantResult) []string {
	var wids []string
	for _, r := range results {
		if r.Code == 200 {
			wids = append(wids, r.WID)
		}
	}
	return wids
}

func (s *Server) createGroup(actor *account, a groupArgs) (groupOK, error) {
	if a.Subject == "" {
		return groupOK{}, errorf(406, "not-acceptable: a group needs a subject")
	}
	tail, err := rand.Int(rand.Reader, big.NewInt(1_000_000_000_000))
	if err != nil {
		return groupOK{}, fmt.Errorf("make group id: %w", err)
	}
	g := &group{
		WID: fmt.Sprintf("120363%012d%s", tail, groupServer), Subject: a.Subject, Owner: actor.wid(), Created: time.Now().Unix(), Code: rand.Text()[:22],
		Participants: []WireParticipant{{WID: actor.wid(), Admin: true, SuperAdmin: true}},
	}
	if a.Settings != nil {
		g.GroupSettings = *a.Settings
		g.Picture = ""
	}
	answer := groupOK{Group: g.WID, Participants: s.changeMembers(g, "add", a.Participants)}
	return answer, s.commitGroup(actor, g, groupNote{Action: "create", Text: a.Subject, Participants: done(answer.Participants)})
}

// changeMembers carries out an action for each participant and says how it went.
func (s *Server) changeMembers(g *group, action string, participants []string) []participantResult {
	results := []participantResult{}
	for _, p := range participants {
		r := participantResult{WID: p, Code: 200}
		number, err := parseUser(p)
		r.WID = widOf(number)
		i := g.member(r.WID)
		switch {
		case err != nil || !s.exists(occasion{number: number}):
			r.WID, r.Code = p, 404
		case action == "add" && i >= 0:
			r.Code = 409
		case action == "add":
			g.Participants = append(g.Participants, WireParticipant{WID: r.WID})
		case i < 0:
			r.Code = 404
		case action == "remove":
			g.Participants = slices.Delete(g.Participants, i, i+1)
		default:
			g.Participants[i].Admin = action == "promote"
		}
		results = append(results, r)
	}
	return results
}

func (s *Server) commitGroup(actor *account, g *group, note groupNote) error {
	t := time.Now().Unix()
	note.ID, note.Group, note.Author, note.T = NewMessageID(), g.WID, actor.wid(), t
	return s.commit(&event{Op: "group", T: t, Account: actor.Phone.Number, Group: g, Note: &note})
}

// applyGroup puts a group's new state in place and tells everybody who is or was in it.
func (w *world) applyGroup(e *event) []outgoing {
	g := *e.Group
	var before []WireParticipant
	if old := w.group(g.WID); old != nil {
		before = old.Participants
	}
	w.groups[g.WID] = &g
	var out []outgoing
	told := map[string]bool{}
	for _, p := range slices.Concat(before, g.Participants) {
		number, err := parseUser(p.WID)
		if err != nil || told[number] {
			continue
		}
		told[number] = true
		a := w.ensure(number)
		c := w.chat(a, g.WID)
		c.T = max(c.T, e.T)
		line := *c
		line.Name, line.Group = g.Subject, g.wire(c.T).Group
		out = append(out, a.all("chat", line, "")...)
		if e.Note != nil && e.Note.hears(&g, a.wid()) {
			out = append(out, a.all("group_notification", e.Note, "")...)
		}
	}
	return out
}
