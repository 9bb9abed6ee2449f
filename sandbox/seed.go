package sandbox

import (
	"fmt"
	"iter"
	"strings"
	"sync"
)

// seed generates an account's past: contacts, chats and messages as functions of a number and a position, so that
// 200,000 messages need neither journal nor memory, and the same seed gives the same past again.
type seed struct {
	spec    PhoneSpec
	created int64 // epoch seconds; the past ends a minute before
	key     uint64

	once  sync.Once
	byWID map[string]int // position of a chat

	people   sync.Once
	contacts map[string]bool
}

func newSeed(spec PhoneSpec, created int64) *seed {
	return &seed{spec: spec, created: created, key: mix(spec.Seed ^ 0x6b75726972)}
}

// at returns a number that depends on the seed, what it is for, and a position.
func (g *seed) at(what byte, i, j int) uint64 {
	return mix(g.key ^ uint64(what)<<56 ^ uint64(i)<<28 ^ uint64(j)) // #nosec G115 -- positions are not negative
}

func pick(list []string, h uint64) string { return list[h%uint64(len(list))] }

// number returns the i-th generated number: Indonesian mobile numbers, no two alike, none of them magic.
func (g *seed) number(i int) string {
	const all = 100_000_000
	suffix := (uint64(i)*61_803_399 + g.key%all) % all // #nosec G115 -- a permutation: the factor shares no divisor with all
	return fmt.Sprintf("%s%08d", pick(mobilePrefixes, g.at('p', i, 0)), suffix)
}

// contact returns the i-th entry of the address book.
func (g *seed) contact(i int) WireContact {
	number := g.number(i)
	first, last := pick(firstNames, g.at('f', i, 0)), pick(lastNames, g.at('l', i, 0))
	c := WireContact{WID: widOf(number), LID: lidOf(number), Pushname: first, IsMyContact: true, Name: first + " " + last, ShortName: first}
	switch h := g.at('k', i, 0) % 100; {
	case h < 8:
		c.IsBusiness, c.Name = true, pick(shopKinds, g.at('s', i, 0))+" "+last
		c.Pushname, c.ShortName = c.Name, c.Name
	case h < 20:
		c.Name = pick(titles, g.at('t', i, 0)) + " " + first
	}
	return c
}

// isGroupAt says which of the generated chats are groups: one in ten.
func (g *seed) isGroupAt(i int) bool { return i%10 == 7 }

// person returns the position of the contact that the i-th chat is with, when it is not a group.
func (g *seed) person(i int) int { return i - (i+2)/10 }

func (g *seed) chatWID(i int) string {
	if g.isGroupAt(i) {
		return fmt.Sprintf("120363%012d%s", g.at('g', i, 0)%1_000_000_000_000, groupServer)
	}
	return widOf(g.number(g.person(i)))
}

// knows says whether somebody is in the generated address book.
func (g *seed) knows(wid string) bool {
	g.people.Do(func() {
		g.contacts = make(map[string]bool, g.spec.Contacts)
		for i := range g.spec.Contacts {
			g.contacts[widOf(g.number(i))] = true
		}
	})
	return g.contacts[wid]
}

// chatTime is the time of the last message: the first chat is the newest, the last about a year old.
func (g *seed) chatTime(i int) int64 {
	return g.created - 60 - int64(i)*max(30, 31_536_000/int64(max(1, g.spec.Chats)))/4*4
}

// count is how many messages the i-th chat has. The first has the most, so that there is a long one.
func (g *seed) count(i int) int {
	long := min(1200, g.spec.Messages/2)
	rest := g.spec.Messages - long
	n := rest / g.spec.Chats
	if i < rest%g.spec.Chats {
		n++
	}
	if i == 0 {
		n += long
	}
	return n
}

// given is how many of the newest messages of the i-th chat a device is told of when it is linked.
func (g *seed) given(i int) int {
	n := g.count(i)
	if g.spec.Recent > 0 {
		return min(n, g.spec.Recent)
	}
	return n
}

// givenInAll is the sum over all chats.
func (g *seed) givenInAll() int {
	if g.spec.Recent == 0 {
		return g.spec.Messages
	}
	n := 0
	for i := range g.spec.Chats {
		n += g.given(i)
	}
	return n
}

// earlier returns up to n messages of a chat before the one with that id (before all that devices are told of, when it is
// not a generated one), oldest first, and whether there are more.
func (g *seed) earlier(wid, id string, n int) (list []WireMessage, more bool) {
	c, ok := g.chatByWID(wid)
	if !ok {
		return nil, false
	}
	i := g.index()[wid]
	end := g.count(i) - g.given(i)
	for k := range g.count(i) {
		if g.message(i, k, &c).ID == id {
			end = k
			break
		}
	}
	for k := max(0, end-n); k < end; k++ {
		list = append(list, g.message(i, k, &c))
	}
	return list, end > n
}

// chat returns the i-th chat, newest first.
func (g *seed) chat(i int) WireChat {
	c := WireChat{WID: g.chatWID(i), T: g.chatTime(i), Unread: g.unread(i), More: g.given(i) < g.count(i)}
	if i == 2 {
		c.Pinned = c.T
	}
	switch h := g.at('a', i, 0) % 100; {
	case i > 20 && h < 5:
		c.Archived = true
	case h < 9:
		c.MuteUntil = -1
	}
	if !g.isGroupAt(i) {
		c.LID = lidOf(strings.TrimSuffix(c.WID, userServer))
		return c
	}
	c.Name = pick(groupKinds, g.at('n', i, 0)) + " " + pick(groupNames, g.at('m', i, 0))
	members := g.members(i)
	c.Group = &WireGroup{Owner: members[0].WID, Subject: c.Name, Created: c.T - 86_400*int64(1+g.at('o', i, 0)%700), Participants: members} // #nosec G115 -- below 700
	return c
}

// members returns who is in the i-th chat, a group: the account itself and 3 to 12 others, the first of whom made it.
func (g *seed) members(i int) []WireParticipant {
	n := 3 + int(g.at('c', i, 0)%10)                                              // #nosec G115 -- below 10
	start := int(g.at('b', i, 0) % uint64(max(n, g.spec.Contacts, g.spec.Chats))) // #nosec G115 -- below 20,000
	list := make([]WireParticipant, 0, n+1)
	for k := range n {
		list = append(list, WireParticipant{WID: widOf(g.number(start + k)), Admin: k == 0, SuperAdmin: k == 0})
	}
	return append(list, WireParticipant{WID: widOf(g.spec.Number), Admin: g.at('i', i, 0)%3 == 0})
}

func (g *seed) unread(i int) int {
	if h := g.at('u', i, 0); h%4 == 0 {
		return min(g.count(i), 1+int(h>>8%5)) // #nosec G115 -- below 5
	}
	return 0
}

// message returns the k-th message of the i-th chat, whose wire form and members the caller has at hand.
func (g *seed) message(i, k int, c *WireChat) WireMessage {
	n := g.count(i)
	h := g.at('x', i, k)
	m := WireMessage{
		Chat: c.WID, Type: "chat", Body: g.text(h), T: c.T - int64(n-1-k)*(40+int64(g.key%200)), // #nosec G115 -- below 200
		FromMe: h%5 < 2 && k < n-c.Unread,
	}
	id := fmt.Sprintf("%016X%02X", mix(h), h&0xFF)
	switch {
	case m.FromMe:
		m.ID, m.Ack = "3EB0"+id, 3
		if c.Group != nil {
			m.Author = widOf(g.spec.Number)
		}
	case c.Group != nil:
		m.Author = c.Group.Participants[int(h>>16%uint64(len(c.Group.Participants)-1))].WID // #nosec G115 -- a small remainder
		fallthrough
	default:
		m.ID = "3A" + id
	}
	return m
}

func (g *seed) text(h uint64) string {
	s := pick(sentences, h>>8)
	if strings.Contains(s, "%d") {
		return fmt.Sprintf(s, 1+h>>20%240)
	}
	return s
}

// index finds chats by wid; it is made at the first question.
func (g *seed) index() map[string]int {
	g.once.Do(func() {
		g.byWID = make(map[string]int, g.spec.Chats)
		for i := range g.spec.Chats {
			g.byWID[g.chatWID(i)] = i
		}
	})
	return g.byWID
}

func (g *seed) chatByWID(wid string) (WireChat, bool) {
	if g.spec.Chats == 0 {
		return WireChat{}, false
	}
	i, ok := g.index()[wid]
	if !ok {
		return WireChat{}, false
	}
	return g.chat(i), true
}

// groups yields the wids of the generated groups.
func (g *seed) groups() iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := 7; i < g.spec.Chats; i += 10 {
			if !yield(g.chatWID(i)) {
				return
			}
		}
	}
}

// pushnameOf makes up the name of an account that nobody named.
func pushnameOf(number string) string {
	var h uint64
	for i := range len(number) {
		h = mix(h ^ uint64(number[i]))
	}
	return pick(firstNames, h) + " " + pick(lastNames, h>>32)
}

// codeOf makes the invitation code of a generated group.
func codeOf(wid string) string {
	var h uint64
	for i := range len(wid) {
		h = mix(h ^ uint64(wid[i]))
	}
	return fmt.Sprintf("%016X%06X", h, mix(h)&0xFFFFFF)
}
