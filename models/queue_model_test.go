package models

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"kurir/problem"
)

// plain is the queue as one would write it without a database: a slice in order of acceptance.
type plain struct {
	rows   []*plainRow
	flight *plainRow
}

type plainRow struct {
	id        string
	priority  int
	state     MessageState
	notBefore time.Time
	expires   time.Time
	retryAt   time.Time
	attempts  int
}

func (p *plain) due(now time.Time) {
	for _, r := range p.rows {
		waits := r.state == MessageQueued || r.state == MessageScheduled
		if waits && !r.expires.IsZero() && !r.expires.After(now) {
			r.state = MessageExpired
		}
		if r.state == MessageScheduled && !r.notBefore.After(now) {
			r.state = MessageQueued
		}
	}
}

func (p *plain) claim(now time.Time, least int) *plainRow {
	var head *plainRow
	for _, r := range p.rows {
		expired := !r.expires.IsZero() && !r.expires.After(now)
		if r.state == MessageQueued && !expired && r.priority >= least && (head == nil || r.priority > head.priority) {
			head = r
		}
	}
	if head == nil || head.retryAt.After(now) {
		return nil
	}
	head.state, p.flight = MessageSending, head
	return head
}

func (p *plain) find(id string) *plainRow {
	i := slices.IndexFunc(p.rows, func(r *plainRow) bool { return r.id == id })
	return p.rows[i]
}

// pair is the database beside the plain queue.
type pair struct {
	t     *testing.T
	ctx   context.Context
	rng   *rand.Rand
	db    *DB
	id    string
	model plain
	seqs  map[string]int64
	count map[string]int
}

// TestQueueAgainstModel runs random operations on the database and on the plain queue: they must agree all the way.
func TestQueueAgainstModel(t *testing.T) {
	t.Parallel()
	seeds, steps := 10, 300
	if testing.Short() {
		seeds = 5
	}
	count := map[string]int{}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) {
			db := openTest(t)
			p := &pair{
				t: t, ctx: context.Background(), rng: rand.New(rand.NewPCG(uint64(seed), 4)), db: db, //nolint:gosec // chance that can be repeated is what is wanted
				id: instance(t, db, "a"), seqs: map[string]int64{}, count: count,
			}
			for step := 0; step < steps && !t.Failed(); step++ {
				p.step()
			}
			p.compare()
		})
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("%d runs of %d steps: %v", seeds, steps, count)
	for _, op := range []string{"enqueue", "scheduled", "claim", "none", "sent", "failed", "retry", "restricted", "unknown", "requeue", "expired", "cancel", "resend"} {
		if count[op] == 0 {
			t.Errorf("no %s in all runs: they prove nothing about it", op)
		}
	}
}

func (p *pair) step() {
	switch n := p.rng.IntN(100); {
	case n < 30:
		p.enqueue()
	case n < 55:
		p.claim()
	case n < 80:
		p.settle()
	case n < 83:
		p.requeue()
	case n < 87:
		p.cancel()
	case n < 90:
		p.resend()
	default:
		time.Sleep(time.Duration(p.rng.IntN(20)) * time.Second)
		p.due()
	}
	if p.rng.IntN(4) == 0 {
		p.compare()
	}
}

func (p *pair) enqueue() {
	m := textTo(p.id, fmt.Sprint(len(p.model.rows)))
	r := &plainRow{priority: []int{PriorityLow, PriorityNormal, PriorityNormal, PriorityHigh}[p.rng.IntN(4)], state: MessageQueued}
	m.Priority = r.priority
	if p.rng.IntN(5) == 0 {
		r.notBefore, r.state = now().Add(time.Duration(1+p.rng.IntN(60))*time.Second), MessageScheduled
		m.NotBefore = r.notBefore
		p.count["scheduled"]++
	}
	if p.rng.IntN(4) == 0 {
		r.expires = now().Add(time.Duration(1+p.rng.IntN(90)) * time.Second)
		m.ExpiresAt = &r.expires
	}
	row := enqueue(p.t, p.db, m)
	r.id = row.ID
	p.seqs[r.id] = row.Seq
	p.model.rows = append(p.model.rows, r)
	p.count["enqueue"]++
}

func (p *pair) claim() {
	if p.model.flight != nil {
		return // the database refuses it: TestClaimOrder
	}
	least := []int{PriorityLow, PriorityLow, PriorityHigh}[p.rng.IntN(3)]
	want := p.model.claim(now(), least)
	got, ok, err := p.db.Claim(p.ctx, p.id, least)
	switch {
	case err != nil:
		p.t.Fatal(err)
	case want == nil && ok:
		p.t.Errorf("claimed %s, the model has nothing", got.Body)
	case want != nil && (!ok || got.ID != want.id):
		p.t.Errorf("claimed %q (%v), want %s", got.ID, ok, want.id)
	case want == nil:
		p.count["none"]++
	default:
		p.count["claim"]++
	}
}

func (p *pair) settle() {
	r := p.model.flight
	if r == nil {
		return
	}
	o := Outcome{Seq: p.seqs[r.id], Attempted: true}
	name := []string{"sent", "sent", "failed", "retry", "restricted", "unknown"}[p.rng.IntN(6)]
	switch name {
	case "sent":
		o.State, o.Ack = MessageSent, 1
	case "failed":
		o.State, o.Code = MessageFailed, "NOT_ON_WHATSAPP"
	case "retry":
		o.State, o.RetryAt = MessageQueued, now().Add(time.Duration(p.rng.IntN(10))*time.Second)
	case "restricted":
		o.State, o.NotBefore, o.Attempted = MessageQueued, now().Add(time.Duration(1+p.rng.IntN(40))*time.Second), false
		r.notBefore = o.NotBefore
	case "unknown":
		o.State, o.LookAt = MessageUnknown, now()
	}
	if r.state = o.State; name == "restricted" {
		r.state = MessageScheduled
	}
	r.retryAt = o.RetryAt
	if o.Attempted {
		r.attempts++
	}
	p.model.flight = nil
	if _, _, err := p.db.Settle(p.ctx, o, false); err != nil {
		p.t.Fatal(err)
	}
	p.count[name]++
}

// requeue: an unknown one turns out not to have left.
func (p *pair) requeue() {
	m, ok, err := p.db.UnknownDue(p.ctx, p.id)
	if err != nil {
		p.t.Fatal(err)
	}
	if !ok {
		return
	}
	r := p.model.find(m.ID)
	if r.state != MessageUnknown {
		p.t.Errorf("%s is to be looked up, and %s", r.id, r.state)
	}
	if _, _, err := p.db.Settle(p.ctx, Outcome{Seq: m.Seq, From: MessageUnknown, State: MessageQueued}, false); err != nil {
		p.t.Fatal(err)
	}
	r.state, r.retryAt = MessageQueued, time.Time{}
	p.count["requeue"]++
}

// cancel calls any message off; only one that waits lets itself be.
func (p *pair) cancel() {
	r := p.any()
	if r == nil {
		return
	}
	_, _, err := p.db.Cancel(p.ctx, p.id, r.id, AuditEntry{Action: "message.cancel"})
	if r.state == MessageQueued || r.state == MessageScheduled {
		r.state = MessageCancelled
		p.count["cancel"]++
	} else if problem.CodeOf(err) == problem.NotCancellable {
		err = nil
	}
	if err != nil {
		p.t.Error(err)
	}
}

// resend queues any message again; only one that has ended without having left lets itself be.
func (p *pair) resend() {
	r := p.any()
	if r == nil {
		return
	}
	_, err := p.db.Resend(p.ctx, p.id, r.id, AuditEntry{Action: "message.resend"})
	switch r.state {
	case MessageFailed, MessageExpired, MessageCancelled, MessageUnknown:
		r.state, r.attempts, r.retryAt, r.expires = MessageQueued, 0, time.Time{}, time.Time{}
		p.count["resend"]++
	default:
		if problem.CodeOf(err) == problem.NotResendable {
			err = nil
		}
	}
	if err != nil {
		p.t.Error(err)
	}
}

func (p *pair) due() {
	p.model.due(now())
	for {
		d, err := p.db.Due(p.ctx)
		if err != nil {
			p.t.Fatal(err)
		}
		p.count["expired"] += len(d.Expired)
		if !d.More {
			return
		}
	}
}

func (p *pair) any() *plainRow {
	if len(p.model.rows) == 0 {
		return nil
	}
	return p.model.rows[p.rng.IntN(len(p.model.rows))]
}

// compare looks at every row.
func (p *pair) compare() {
	all, err := p.db.Messages(p.ctx, MessageFilter{InstanceID: p.id, Limit: len(p.model.rows) + 1}) // newest first
	if err != nil || len(all) != len(p.model.rows) {
		p.t.Fatalf("%d rows, in the model %d, %v", len(all), len(p.model.rows), err)
	}
	for i, m := range slices.Backward(all) {
		r := p.model.rows[len(all)-1-i]
		if m.ID != r.id {
			p.t.Fatalf("row %d is %s, in the model %s", i, m.ID, r.id)
		}
		if m.State != r.state || m.Attempts != r.attempts {
			p.t.Errorf("%s is %s after %d attempts, in the model %s after %d", r.id, m.State, m.Attempts, r.state, r.attempts)
		}
		ended := map[MessageState]bool{MessageFailed: true, MessageExpired: true, MessageUnknown: true, MessageCancelled: true}[m.State]
		if (m.EndedAt != nil) != ended || (m.SentAt != nil) != (m.State == MessageSent) {
			p.t.Errorf("%s is %s, ended %v, sent %v", r.id, m.State, m.EndedAt, m.SentAt)
		}
	}
}
