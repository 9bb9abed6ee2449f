package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"kurir/sandbox"
)

// stepsOfSend are where kurir is killed, in the order of a send.
func stepsOfSend() []string {
	return []string{sandbox.BeforeAdd, sandbox.AfterAdd, sandbox.AfterStorage, sandbox.AfterWire, sandbox.BeforeAck}
}

// victim is what ends while messages are held at their steps.
type victim struct {
	name   string
	share  int                                            // of the runs that kurir itself gets: one in so many
	strike func(*house, context.Context, *instance) error // nil: kurir is killed, and everything with it
}

func victims() []victim {
	return []victim{
		{"kurir", 1, nil},
		{"socket", 10, func(h *house, ctx context.Context, in *instance) error {
			return h.fault(ctx, sandbox.Fault{Name: sandbox.FaultDropSocket, Account: in.number, Seconds: 1})
		}},
		{"page (reloaded)", 10, (*house).reload},
		// The more often they end, the longer kurir waits before it starts them again.
		{"renderer", 20, func(h *house, _ context.Context, in *instance) error { return h.killRenderer(in) }},
		{"Chromium", 20, func(h *house, _ context.Context, in *instance) error { return h.killBrowser(in) }},
	}
}

// stepRun is one message that was held at a step when the victim ended.
type stepRun struct {
	victim victim
	at     string
	first  *letter // the one that was held
	second *letter // waits behind it
	states [2]message
}

// stepCount is what became of the runs of one step.
type stepCount struct {
	runs, once, twice, never, unknown, again int
}

type stepsReport struct {
	counts map[string]map[string]*stepCount // by victim and step
	missed int                              // were not held where they should have been
	kills  int
	took   time.Duration
	ended  bool // the time was over before all runs were done
}

// killAtSteps holds a message of each instance at a step, kills kurir, starts it again and waits for what becomes of
// them; then the same with what kurir has to keep alive. One kill of kurir serves all instances, each held at another
// step.
func killAtSteps(ctx context.Context, h *house, o options) (*stepsReport, error) {
	fmt.Printf("kills at each step of a send: %d × %d\n", len(stepsOfSend()), o.steps)
	r := &stepsReport{counts: map[string]map[string]*stepCount{}}
	begun := time.Now()
	dice := rand.New(rand.NewPCG(o.seed, 2)) //nolint:gosec // to be repeated
	var all []stepRun
	for _, v := range victims() {
		counts := map[string]*stepCount{}
		r.counts[v.name] = counts
		for _, at := range stepsOfSend() {
			counts[at] = &stepCount{}
		}
		for {
			if r.ended = time.Since(begun) > o.stepsFor; r.ended {
				break
			}
			runs := h.nextRuns(dice, v, r.kills, counts, (o.steps+v.share-1)/v.share)
			if len(runs) == 0 {
				break
			}
			held, err := h.stepRound(ctx, dice, v, runs)
			if err != nil {
				return nil, fmt.Errorf("round %d, %s: %w", r.kills, v.name, err)
			}
			r.kills++
			r.missed += len(runs) - len(held)
			for _, x := range held {
				counts[x.at].runs++
			}
			all = append(all, held...)
		}
	}
	r.took = time.Since(begun)
	return r, h.judgeSteps(ctx, all, r)
}

// nextRuns writes the letters of a round, each instance's for the step that has been done the least.
func (h *house) nextRuns(dice *rand.Rand, v victim, round int, done map[string]*stepCount, want int) (runs []stepRun) {
	planned := map[string]int{}
	for _, in := range h.instances {
		at, least := "", want
		for _, s := range stepsOfSend() {
			if n := done[s].runs + planned[s]; n < least {
				at, least = s, n
			}
		}
		if at == "" {
			break
		}
		planned[at]++
		phone := fmt.Sprintf("62812346%02d%03d", in.n, round%40) // 40 chats each: new ones, then known ones
		x := stepRun{victim: v, at: at}
		for i, to := range []**letter{&x.first, &x.second} {
			l := &letter{in: in, phone: phone, token: fmt.Sprintf("s%d-%d-%d", in.n, round, i)}
			l.text = l.token + " tepat di " + at
			if i == 0 && round%4 == 3 {
				l.text, l.name, l.file = l.token, l.token+".bin", randomFile(dice, 1+dice.IntN(100_000))
			}
			*to = l
		}
		runs = append(runs, x)
	}
	return runs
}

// stepRound carries out one kill. It returns the runs that were held when it came.
func (h *house) stepRound(ctx context.Context, dice *rand.Rand, v victim, runs []stepRun) (held []stepRun, err error) {
	if err := h.offerHeld(ctx, dice, runs); err != nil {
		return nil, err
	}
	if held, err = h.waitHeld(ctx, runs); err != nil {
		return nil, err
	}
	late := dice.IntN(2) == 0 // WhatsApp works what it has before the page is back, or after
	if err := h.endAll(ctx, v, held, late); err != nil {
		return nil, err
	}
	for _, x := range runs { // the same key, after a restart: the first answer again
		if err := h.offer(ctx, x.first); err != nil {
			return nil, err
		}
	}
	if late {
		for _, x := range runs {
			if err := h.waitState(ctx, x.first.in, "WORKING"); err != nil {
				return nil, err
			}
		}
		if err := h.clearFaults(ctx); err != nil {
			return nil, err
		}
	}
	for i := range held {
		for n, l := range []*letter{held[i].first, held[i].second} {
			if held[i].states[n], err = h.waitEnd(ctx, l); err != nil {
				return nil, err
			}
		}
	}
	return held, nil
}

// offerHeld sets the holds and has the letters accepted.
func (h *house) offerHeld(ctx context.Context, dice *rand.Rand, runs []stepRun) error {
	for _, x := range runs {
		if err := h.waitState(ctx, x.first.in, "WORKING"); err != nil {
			return err
		}
		if err := h.fault(ctx, sandbox.Fault{Name: sandbox.FaultHoldMessage, At: x.at, Account: x.first.in.number, Number: x.first.phone, Count: 1}); err != nil {
			return err
		}
		for _, l := range []*letter{x.first, x.second} {
			if !h.deliver(ctx, l, dice) {
				return errors.New("not accepted: " + l.token)
			}
		}
	}
	return nil
}

// endAll ends the victim. With late, WhatsApp goes on holding what it has.
func (h *house) endAll(ctx context.Context, v victim, held []stepRun, late bool) error {
	if v.strike == nil {
		h.kill(ctx)
	} else {
		for _, x := range held {
			if err := v.strike(h, ctx, x.first.in); err != nil {
				return err
			}
		}
	}
	if !late {
		if err := h.releaseAfterKill(ctx); err != nil {
			return err
		}
	}
	if v.strike == nil {
		return h.start(ctx)
	}
	return nil
}

// waitHeld waits until each run's message is held at its step. One that went through is left out.
func (h *house) waitHeld(ctx context.Context, runs []stepRun) (held []stepRun, err error) {
	err = poll(ctx, 20*time.Second, 3*time.Millisecond, func() error {
		now, err := h.held(ctx)
		if err != nil {
			return err
		}
		held = nil
		for _, x := range runs {
			for _, m := range now {
				if m.MessageID == x.first.waID && m.At == x.at {
					held = append(held, x)
				}
			}
		}
		if len(held) < len(runs) {
			return fmt.Errorf("%d of %d messages are held", len(held), len(runs))
		}
		return nil
	})
	if len(held) > 0 && ctx.Err() == nil {
		return held, nil
	}
	return nil, err
}

// releaseAfterKill waits until the sandbox has noticed that the pages are gone, and lets go of what it holds.
func (h *house) releaseAfterKill(ctx context.Context) error {
	err := poll(ctx, 10*time.Second, 3*time.Millisecond, func() error {
		now, err := h.held(ctx)
		if err != nil {
			return err
		}
		for _, m := range now {
			if m.At != sandbox.AfterWire {
				return fmt.Errorf("%s is still held at %s", m.MessageID, m.At)
			}
		}
		return nil
	})
	return errors.Join(err, h.clearFaults(ctx))
}

// waitEnd waits until a message is neither queued nor sending.
func (h *house) waitEnd(ctx context.Context, l *letter) (m message, err error) {
	err = poll(ctx, 4*time.Minute, 10*time.Millisecond, func() error {
		if m, err = h.message(ctx, l.id); err != nil {
			return err
		}
		if m.waiting() {
			return fmt.Errorf("%s is %s", l.token, m.State)
		}
		return nil
	})
	if err != nil && m.waiting() && ctx.Err() == nil {
		return m, nil // judged as lost
	}
	return m, err
}

// judgeSteps compares the runs with the inboxes as they are at the end: what is doubled late counts, too.
func (h *house) judgeSteps(ctx context.Context, all []stepRun, r *stepsReport) error {
	inboxes := map[string][]sandbox.Received{}
	for _, x := range all {
		for _, l := range []*letter{x.first, x.second} {
			if _, ok := inboxes[l.phone]; ok {
				continue
			}
			list, err := h.inbox(ctx, l.phone)
			if err != nil {
				return err
			}
			inboxes[l.phone] = list
		}
	}
	for _, x := range all {
		c := r.counts[x.victim.name][x.at]
		m, err := h.message(ctx, x.first.id)
		if err != nil {
			h.f.bad(lost, "%s, %s ended at %s: %v", x.first.token, x.victim.name, x.at, err)
			continue
		}
		h.judgeStep(x, m, inboxes[x.first.phone], c)
	}
	return nil
}

func (h *house) judgeStep(x stepRun, m message, inbox []sandbox.Received, c *stepCount) {
	var places [2][]int
	for i, got := range inbox {
		for n, l := range []*letter{x.first, x.second} {
			if token, _, _ := strings.Cut(got.Body+got.Caption, " "); token == l.token {
				places[n] = append(places[n], i)
			}
		}
		if got.ID == x.first.waID {
			c.again += got.Copies - 1
			if x.first.file != nil && got.SHA256 != x.first.sha() {
				h.f.bad(damaged, "%s at %s", x.first.token, x.at)
			}
		}
	}
	about := fmt.Sprintf("%s %s, %s ended at %s: %s %s %s", x.first.token, x.first.id, x.victim.name, x.at, m.State, m.Code, m.Detail)
	n := len(places[0])
	switch {
	case n == 1:
		c.once++
	case n > 1:
		c.twice++
		h.f.bad(doubled, "%s: %d times", about, n)
	default:
		c.never++
	}
	switch {
	case m.State == "unknown":
		c.unknown++
	case m.waiting():
		h.f.bad(lost, "%s: it still waits", about)
	case m.left() != (n > 0):
		h.f.bad(wrongState, "%s: received %d times", about, n)
	case n == 0:
		h.f.bad(lost, "%s: nothing was in its way", about)
	}
	if x.states[0].State != "unknown" && n > 0 && len(places[1]) > 0 && places[0][0] > places[1][0] {
		h.f.bad(disordered, "%s: the one behind it came first", about)
	}
	if len(places[1]) != 1 {
		h.f.bad(lost, "%s behind it came %d times, %s", x.second.token, len(places[1]), x.states[1].State)
	}
}
