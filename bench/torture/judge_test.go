package main

import (
	"fmt"
	"maps"
	"testing"

	"kurir/sandbox"
)

// onePhone is a letter that was accepted, and how it was received.
func onePhone(n int) (*letter, delivery) {
	in := &instance{n: 0, number: "6281100001300"}
	l := &letter{token: fmt.Sprintf("c0-%d", n), in: in, phone: "6281234510000", client: "c0", n: n, id: fmt.Sprintf("msg_%d", n), waID: fmt.Sprintf("3EB0%d", n)}
	l.text = l.token + " halo"
	return l, delivery{Received: sandbox.Received{ID: l.waID, From: in.number + "@c.us", Body: l.text, Copies: 1}, phone: l.phone, place: n}
}

// TestEachBrokenPromiseIsFound judges one letter in each way in which a promise can be broken, and in those in which
// none is.
func TestEachBrokenPromiseIsFound(t *testing.T) {
	_, good := onePhone(1)
	other, elsewhere := good, good
	other.Body, elsewhere.phone = "c0-1 hal", "6281234510001"
	for _, c := range []struct {
		name  string
		state string
		had   []delivery
		want  map[string]int
	}{
		{"delivered and received", "delivered", []delivery{good}, nil},
		{"failed and not received", "failed", nil, nil},
		{"unknown and received", "unknown", []delivery{good}, nil},
		{"unknown and not received", "unknown", nil, nil},
		{"forgotten", "", nil, map[string]int{lost: 1}},
		{"queued for ever", "queued", nil, map[string]int{lost: 1}},
		{"sending for ever", "sending", []delivery{good}, map[string]int{lost: 1}},
		{"sent and not received", "sent", nil, map[string]int{wrongState: 1}},
		{"failed and received", "failed", []delivery{good}, map[string]int{wrongState: 1}},
		{"called off, they said", "called off", []delivery{good}, map[string]int{wrongState: 1}},
		{"cancelled and received", "cancelled", []delivery{good}, map[string]int{wrongState: 1}},
		{"expired and received", "expired", []delivery{good}, map[string]int{wrongState: 1}},
		{"received twice", "delivered", []delivery{good, good}, map[string]int{doubled: 1}},
		{"unknown and received twice", "unknown", []delivery{good, good}, map[string]int{doubled: 1}},
		{"another text", "delivered", []delivery{other}, map[string]int{damaged: 1}},
		{"another phone", "delivered", []delivery{elsewhere}, map[string]int{damaged: 1}},
	} {
		l, _ := onePhone(1)
		h := &house{f: &findings{}}
		r := &chaosReport{failed: map[string]int{}, unknown: map[string]int{}}
		if l.cancelled = c.state == "called off"; l.cancelled {
			c.state = "delivered"
		}
		h.judgeLetter(l, message{ID: l.id, State: c.state}, c.had, r)
		if !maps.Equal(h.f.counts, c.want) {
			t.Errorf("%s: found %v, want %v", c.name, h.f.counts, c.want)
		}
	}
}

func TestOrderIsJudged(t *testing.T) {
	for _, c := range []struct {
		name     string
		arrives  []int // letters, as the phone got them
		accepted []int // the same, in kurir's order
		unknown  []int
		want     map[string]int
	}{
		{"as accepted", []int{0, 1, 2}, []int{0, 1, 2}, nil, nil},
		{"one was unknown and came late", []int{1, 2, 0}, []int{0, 1, 2}, []int{0}, nil},
		{"one was overtaken", []int{1, 0, 2}, []int{0, 1, 2}, nil, map[string]int{disordered: 2}}, // by acceptance, and by client
		{"kurir took them in another order", []int{1, 0, 2}, []int{1, 0, 2}, nil, map[string]int{disordered: 1}},
		{"one never came", []int{0, 2}, []int{0, 1, 2}, nil, nil},
	} {
		var letters []*letter
		got, place, ever := map[string][]delivery{}, map[string]int{}, map[string]bool{}
		for n := range 3 {
			l, _ := onePhone(n)
			letters = append(letters, l)
		}
		for at, n := range c.arrives {
			_, d := onePhone(n)
			d.place = at
			got[letters[n].token] = []delivery{d}
		}
		for at, n := range c.accepted {
			place[letters[n].id] = at
		}
		for _, n := range c.unknown {
			ever[letters[n].id] = true
		}
		h := &house{f: &findings{}}
		h.judgeOrder(letters, got, ever, place)
		if !maps.Equal(h.f.counts, c.want) {
			t.Errorf("%s: found %v, want %v", c.name, h.f.counts, c.want)
		}
	}
}

func TestAStepIsJudged(t *testing.T) {
	first, a := onePhone(1)
	second, b := onePhone(2)
	for _, c := range []struct {
		name  string
		state string
		inbox []sandbox.Received
		want  map[string]int
	}{
		{"both came", "delivered", []sandbox.Received{a.Received, b.Received}, nil},
		{"twice", "delivered", []sandbox.Received{a.Received, a.Received, b.Received}, map[string]int{doubled: 1}},
		{"never, and it says so", "failed", []sandbox.Received{b.Received}, map[string]int{lost: 1}},
		{"never, and it says sent", "sent", []sandbox.Received{b.Received}, map[string]int{wrongState: 1}},
		{"overtaken", "delivered", []sandbox.Received{b.Received, a.Received}, map[string]int{disordered: 1}},
		{"the second is lost", "delivered", []sandbox.Received{a.Received}, map[string]int{lost: 1}},
		{"unknown", "unknown", []sandbox.Received{b.Received}, nil},
	} {
		h := &house{f: &findings{}}
		h.judgeStep(stepRun{at: sandbox.AfterAdd, first: first, second: second}, message{State: c.state}, c.inbox, &stepCount{})
		if !maps.Equal(h.f.counts, c.want) {
			t.Errorf("%s: found %v, want %v", c.name, h.f.counts, c.want)
		}
	}
}
