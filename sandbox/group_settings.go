package sandbox

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// GroupSettings are what admins decide of a group.
type GroupSettings struct {
	Announce  bool   `json:"announce,omitempty"`  // only admins write
	Restrict  bool   `json:"restrict,omitempty"`  // only admins change subject, description and picture
	AdminAdd  bool   `json:"admin_add,omitempty"` // only admins add others
	Approval  bool   `json:"approval,omitempty"`  // who joins by code waits for an admin
	Ephemeral int64  `json:"ephemeral,omitempty"` // seconds after which messages vanish; told to everybody, and nothing vanishes here
	Picture   string `json:"picture,omitempty"`   // name in the media store, the SHA-256 of the JPEG
}

// GroupRequest is somebody who asked to be let in, or was in the group once.
type GroupRequest struct {
	WID    string `json:"wid"`
	T      int64  `json:"t"`
	Reason string `json:"reason,omitempty"` // of one who was in it: Left, Removed
}

// onOff reads the value of a property.
func onOff(value string) bool { return value == "1" || value == "true" }

// set changes one property, by the names that pages give them, and says what everybody is told.
func (g *group) set(property, value string) (note groupNote, err error) {
	on := onOff(value)
	note.Text = "off"
	if on {
		note.Text = "on"
	}
	switch property {
	case "announcement":
		g.Announce, note.Action = on, "announce"
	case "restrict":
		g.Restrict, note.Action = on, "restrict"
	case "member_add_mode": // 1: everybody adds
		g.AdminAdd, note.Action = !on, "member_add_mode"
		note.Text = map[bool]string{true: "all_member_add", false: "admin_add"}[on]
	case "membership_approval_mode":
		g.Approval, note.Action = on, "membership_approval_mode"
	case "ephemeral":
		if g.Ephemeral, err = strconv.ParseInt(value, 10, 64); err != nil || g.Ephemeral < 0 {
			return note, errorf(400, "ephemeral is a number of seconds, not %q", value)
		}
		note.Action, note.Text = "ephemeral", value
	default:
		return note, errorf(501, "the sandbox does not simulate the group property %q", property)
	}
	return note, nil
}

// mayChange says whether a member may carry out an action in a group; who is not an admin may, where the settings do
// not forbid it, change how the group shows itself and add others.
func (g *group) mayChange(me WireParticipant, action string) bool {
	switch action {
	case "subject", "description", "picture":
		return me.Admin || !g.Restrict
	case "add":
		return me.Admin || !g.AdminAdd
	}
	return me.Admin
}

// setPicture gives a group a JPEG, or takes it away.
func (s *Server) setPicture(g *group, picture []byte) error {
	g.Picture = ""
	if len(picture) == 0 {
		return nil
	}
	if len(picture) > maxPicture || http.DetectContentType(picture) != "image/jpeg" {
		return errorf(406, "not-acceptable: a picture is a JPEG of at most 1 MB")
	}
	name, err := s.media.put(bytes.NewReader(picture))
	g.Picture = name
	return err
}

// joinGroup lets somebody in by code, or puts them on the list of those who wait. The caller holds s.mu.
func (s *Server) joinGroup(actor *account, code string) (groupOK, error) {
	g := s.world.groupByCode(code)
	if g == nil {
		return groupOK{}, errorf(404, "item-not-found")
	}
	if g.member(actor.wid()) >= 0 {
		return groupOK{Group: g.WID}, nil
	}
	joined := *g
	joined.Participants = slices.Clone(g.Participants)
	if !g.Approval {
		s.changeMembers(&joined, "add", []string{actor.wid()})
		return groupOK{Group: g.WID}, s.commitGroup(actor, &joined, groupNote{Action: "add", Participants: []string{actor.wid()}, Invite: true})
	}
	answer := groupOK{Group: g.WID, Approval: true}
	if slices.ContainsFunc(g.Requests, func(r GroupRequest) bool { return r.WID == actor.wid() }) {
		return answer, nil
	}
	joined.Requests = append(slices.Clone(g.Requests), GroupRequest{WID: actor.wid(), T: time.Now().Unix()})
	return answer, s.commitGroup(actor, &joined, groupNote{Action: "membership_approval_request", Participants: []string{actor.wid()}})
}

func (w *world) groupByCode(code string) *group {
	for wid := range w.seeded {
		w.group(wid) // generated ones have codes, too
	}
	for _, g := range w.groups {
		if code != "" && g.Code == code {
			return g
		}
	}
	return nil
}

// decide lets those in, or not, who asked for it.
func (s *Server) decide(g *group, action string, wids []string) []participantResult {
	results := []participantResult{}
	for _, p := range wids {
		r := participantResult{WID: p, Code: 404}
		if number, err := parseUser(p); err == nil {
			r.WID = widOf(number)
		}
		i := slices.IndexFunc(g.Requests, func(x GroupRequest) bool { return x.WID == r.WID })
		if i >= 0 {
			r.Code = 200
			g.Requests = slices.Delete(slices.Clone(g.Requests), i, i+1)
			if action == "approve" {
				s.changeMembers(g, "add", []string{r.WID})
			}
		}
		results = append(results, r)
	}
	return results
}

// past notes who is no longer in a group.
func (g *group) past(wids []string, reason string) {
	g.Past = slices.Clone(g.Past)
	for _, wid := range wids {
		g.Past = slices.DeleteFunc(g.Past, func(r GroupRequest) bool { return r.WID == wid })
		g.Past = append(g.Past, GroupRequest{WID: wid, T: time.Now().Unix(), Reason: reason})
	}
}

// hears says whether a member is told of what was done: of requests only admins are.
func (n *groupNote) hears(g *group, wid string) bool {
	if n.Action != "membership_approval_request" && n.Action != "revoked_membership_requests" {
		return true
	}
	i := g.member(wid)
	return i >= 0 && g.Participants[i].Admin
}

// property splits an action like property:restrict.
func property(action string) (name string, ok bool) { return strings.CutPrefix(action, "property:") }
