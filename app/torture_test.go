package app_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"kurir/events"
	"kurir/sandbox"
)

// hooksEnv makes the webhooks of a kurir in its own process as impatient as a test is.
const hooksEnv = "KURIR_TEST_HOOKS"

// tortureEnv asks for the full size: see `make events-torture`.
const tortureEnv = "KURIR_TORTURE"

const tortureChats = 20

// TestEveryEventArrives sends messages to a linked phone while its kurir is killed again and again, and while the program
// that gets the webhooks refuses, hangs and is away: every message is one event, numbered without a gap, in the order of
// its chat, and reaches the program at least once, in that order, under the same id each time.
func TestEveryEventArrives(t *testing.T) {
	messages, kills, rate := 500, 2, 50
	if os.Getenv(tortureEnv) != "" {
		messages, kills, rate = 10_000, 20, 200
	}
	seed := uint64(time.Now().UnixNano())
	if s, err := strconv.ParseUint(os.Getenv("KURIR_TORTURE_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("seed %d", seed)
	chance := rand.New(rand.NewPCG(seed, 5)) //nolint:gosec // chance that can be repeated is what is wanted

	world := openWorld(t)
	dir := t.TempDir()
	start := func() *process {
		return startProcess(t, dir, world, func(c *exec.Cmd) { c.Env = append(c.Env, hooksEnv+"=1", "KURIR_LOG_LEVEL=warn") })
	}
	p := start()
	in := p.linkedIn(world, "siksa", "6281100000921")
	hook := openReceiver(t)
	if a := p.call("POST", "/v1/webhooks", map[string]any{"instance": in.ID, "url": "http://" + hook.addr + "/", "events": []string{"message"}}); !a.Status {
		t.Fatalf("webhook: %+v", a)
	}

	begun := time.Now()
	sent := make(chan error, 1)
	go func() { sent <- sendMany(t, world, in.Number, messages, rate) }()
	upset := make(chan struct{})
	calm := make(chan struct{})
	go hook.suffer(rand.New(rand.NewPCG(seed, 6)), upset, calm) //nolint:gosec // chance that can be repeated is what is wanted
	for n := range kills {
		if chance.IntN(4) > 0 { // else it is killed while it starts
			p.waitWorking(in)
			hook.progress(messages*(n+1)/(kills+1), 12*time.Second)
		}
		time.Sleep(time.Duration(chance.IntN(1500)) * time.Millisecond) // a moment by chance: nothing is waited for
		p.kill()
		p = start()
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	t.Logf("sent %d messages in %s", messages, time.Since(begun).Round(time.Millisecond))
	close(upset)
	<-calm
	p.waitWorking(in)
	hook.waitFor(messages)
	t.Logf("all there after %s, %d calls, %d kills", time.Since(begun).Round(time.Millisecond), hook.calls, kills)

	list := p.eventsOf(in, events.TypeMessage)
	p.eventsOf(in, "") // the numbers have no gap
	if len(list) != messages {
		t.Errorf("%d messages in the log, want %d", len(list), messages)
	}
	countsUp(t, "the log", list)
	hook.check(list)
}

// waitWorking waits longer than other tests do: the page has to take in all that came while it was away.
func (p *process) waitWorking(in instance) {
	p.t.Helper()
	for until := time.Now().Add(5 * patience); time.Now().Before(until); time.Sleep(100 * time.Millisecond) {
		if p.status(in.ID).State == "WORKING" {
			return
		}
	}
	p.t.Fatalf("the instance is %+v", p.status(in.ID))
}

// sendMany has people write, in turn, so many messages a second in all. Each chat counts for itself.
func sendMany(t *testing.T, world *sandbox.Server, to string, messages, rate int) error {
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for n := range messages {
		select {
		case <-tick.C:
		case <-t.Context().Done():
			return t.Context().Err()
		}
		from := fmt.Sprintf("62812345670%02d", n%tortureChats)
		if err := world.SendFrom(from, to, sandbox.Message{Body: strconv.Itoa(n / tortureChats)}); err != nil {
			return err
		}
	}
	return nil
}

// suffer makes the receiver ill until end is closed, and well again then.
func (r *receiver) suffer(chance *rand.Rand, end <-chan struct{}, over chan<- struct{}) {
	defer close(over)
	for {
		switch chance.IntN(5) {
		case 0:
			r.mode.Store(refuses)
		case 1:
			r.mode.Store(hangs)
		case 2:
			r.leave()
		default:
		}
		select {
		case <-time.After(time.Duration(200+chance.IntN(1500)) * time.Millisecond):
		case <-end:
		case <-r.t.Context().Done():
			return
		}
		r.mode.Store(takes)
		r.come()
		select {
		case <-time.After(time.Duration(200+chance.IntN(1500)) * time.Millisecond):
		case <-end:
			return
		}
	}
}

// waitFor waits until n events were taken; as long as some still come it goes on.
func (r *receiver) waitFor(n int) {
	r.t.Helper()
	for last := -1; ; {
		deadline := time.Now().Add(patience)
		for r.got() <= last && time.Now().Before(deadline) {
			time.Sleep(50 * time.Millisecond)
		}
		if last = max(last, r.got()); last >= n {
			return
		}
		if !time.Now().Before(deadline) {
			r.t.Fatalf("%d of %d events arrived, and no more for %s", last, n, patience)
		}
	}
}

// progress waits until n events were taken, or for so long: kills are spread over the whole way.
func (r *receiver) progress(n int, most time.Duration) {
	for until := time.Now().Add(most); r.got() < n && time.Now().Before(until); {
		time.Sleep(20 * time.Millisecond)
	}
}

// check holds what arrived to the log.
func (r *receiver) check(list []told) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range list {
		if r.taken[e.ID] == 0 {
			r.t.Errorf("event %d (%s) never arrived", e.Seq, e.ID)
		}
	}
	if len(r.events) != len(list) || len(r.changed) > 0 {
		r.t.Errorf("%d events arrived of %d in the log; %d were not the same each time", len(r.events), len(list), len(r.changed))
	}
	var arrived []told
	for _, id := range r.order {
		x := told{Envelope: r.events[id]}
		if err := json.Unmarshal(x.Data, &x.Content); err != nil {
			r.t.Fatal(err)
		}
		arrived = append(arrived, x)
	}
	countsUp(r.t, "the receiver", arrived)
}

// countsUp checks that each chat counts up from 0.
func countsUp(t *testing.T, where string, list []told) {
	t.Helper()
	chats := map[string][]string{}
	for _, e := range list {
		chats[e.Content.Chat] = append(chats[e.Content.Chat], e.Content.Body)
	}
	for chat, bodies := range chats {
		for i, b := range bodies {
			if b != strconv.Itoa(i) {
				t.Errorf("%s has of %s, from %d on: %v", where, chat, i, bodies[i:min(i+10, len(bodies))])
				break
			}
		}
	}
	if len(chats) != tortureChats {
		t.Errorf("%s has %d chats", where, len(chats))
	}
}
