package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"kurir/events"
	"kurir/models"
	"kurir/sandbox"
)

// arrivals is a program that gets webhooks and notes when each message came.
type arrivals struct {
	mu   sync.Mutex
	at   map[int]time.Time // by the number in the message's text
	some chan struct{}     // one slot
}

func (r *arrivals) ServeHTTP(_ http.ResponseWriter, req *http.Request) {
	var e struct {
		Data events.Content `json:"data"`
	}
	now := time.Now()
	if json.NewDecoder(req.Body).Decode(&e) != nil {
		return
	}
	n, err := strconv.Atoi(e.Data.Body)
	if err != nil {
		return
	}
	r.mu.Lock()
	if r.at[n].IsZero() {
		r.at[n] = now
	}
	r.mu.Unlock()
	select {
	case r.some <- struct{}{}:
	default:
	}
}

// wait returns when n messages came.
func (r *arrivals) wait(ctx context.Context, n int) error {
	for {
		r.mu.Lock()
		have := len(r.at)
		r.mu.Unlock()
		if have >= n {
			return nil
		}
		select {
		case <-r.some:
		case <-time.After(time.Minute):
			return fmt.Errorf("%d of %d events arrived, and no more for a minute", have, n)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// receiver starts a program that gets the messages of an instance as webhooks.
func (b *bench) receiver(ctx context.Context, in instance) (r *arrivals, stop func(), err error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	r = &arrivals{at: map[int]time.Time{}, some: make(chan struct{}, 1)}
	s := &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.Serve(l) }()
	hook := map[string]any{"instance": in.id, "url": "http://" + l.Addr().String() + "/", "events": []string{"message"}}
	if _, err := b.kurir.request(ctx, "POST", "/v1/webhooks", hook); err != nil {
		return nil, nil, errors.Join(err, s.Close())
	}
	return r, func() { _ = s.Close() }, nil
}

// heard links an instance whose messages a receiver gets.
func (b *bench) heard(ctx context.Context, name, number string) (in instance, r *arrivals, stop func(), err error) {
	if in, err = b.linked(ctx, name, sandbox.PhoneSpec{Number: number}); err != nil {
		return in, nil, nil, err
	}
	r, stop, err = b.receiver(ctx, in)
	return in, r, stop, err
}

// benchSoak says how kurir's memory grows with what it has told: 100,000 incoming messages, each delivered to a webhook.
func benchSoak(ctx context.Context, b *bench) error {
	in, r, stop, err := b.heard(ctx, "soak", "6281100001071")
	if err != nil {
		return err
	}
	defer stop()
	const step, steps = 20_000, 5
	begun, rss := time.Now(), ""
	for i := range step * steps {
		if err := b.world.SendFrom(customer(9000+i%20), in.number, sandbox.Message{Body: strconv.Itoa(i)}); err != nil {
			return err
		}
		if n := i + 1; n%500 == 0 { // not more under way than a page of the real client would see
			if err := r.wait(ctx, n-500); err != nil {
				return err
			}
			if n == 500 || n%step == 0 {
				rss += fmt.Sprintf(" %d: %.0f MB", n, memory(b.kurir.cmd.Process.Pid, "status", "VmRSS"))
			}
		}
	}
	if err := r.wait(ctx, step*steps); err != nil {
		return err
	}
	b.add("RSS of kurir over 100,000 events", "flat", "after%s (%.0f/s, load %s)", rss, step*steps/time.Since(begun).Seconds(), load())
	return b.drop(ctx, in)
}

// benchEvents measures the way of an incoming message from the other phone to the user's program, and how much the event
// log takes.
func benchEvents(ctx context.Context, b *bench) error {
	in, r, stop, err := b.heard(ctx, "events", "6281100001070")
	if err != nil {
		return err
	}
	defer stop()
	sent := map[int]time.Time{}
	send := func(from, n, perSecond int) (time.Time, error) {
		tick := time.NewTicker(time.Second / time.Duration(perSecond))
		defer tick.Stop()
		begun := time.Now()
		for i := from; i < from+n; i++ {
			<-tick.C
			sent[i] = time.Now()
			if err := b.world.SendFrom(customer(9000+i%20), in.number, sandbox.Message{Body: strconv.Itoa(i)}); err != nil {
				return begun, err
			}
		}
		return begun, r.wait(ctx, from+n)
	}
	if _, err := send(0, 100, 50); err != nil { // warm: the chats are made
		return err
	}
	if _, err := send(100, 1500, 50); err != nil {
		return err
	}
	var took times
	for i := 100; i < 1600; i++ {
		took = append(took, r.at[i].Sub(sent[i]))
	}
	b.add("phone sends → webhook received, 50/s in 20 chats", "median ≤ 15 ms, p99 ≤ 100 ms", "%s", took)
	before := b.cpu()
	begun, err := send(1600, 4000, 1000)
	if err != nil {
		return err
	}
	b.add("incoming messages through page, log and webhook", "200/s", "%.0f/s (n=4000 sent as fast as it goes, load %s)",
		4000/time.Since(begun).Seconds(), load())
	b.add("CPU for each of them", "", "%s", b.cpu().per(4000, before))
	if err := b.drop(ctx, in); err != nil {
		return err
	}
	return b.eventLog(ctx)
}

// eventLog measures the log alone, in a database of its own.
func (b *bench) eventLog(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "kurir-bench-log-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	db, err := models.Open(ctx, models.Config{URL: filepath.Join(dir, "kurir.db"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	if err := db.Migrate(ctx); err != nil {
		return err
	}
	in := models.Instance{Name: "log", Region: "ID"}
	if err := db.CreateInstance(ctx, &in); err != nil {
		return err
	}
	log := events.NewLog(db, 0)
	message := func(i int) events.Payload {
		phone := customer(i % 20)
		return &events.Message{Content: events.Content{
			ID: fmt.Sprintf("3EB0%018X", i), Chat: phone + "@c.us", Phone: phone, Kind: "chat", Body: "halo", Time: time.Now().UTC(),
		}}
	}
	next := 0
	one, err := repeat(1000, func(int) error {
		_, err := log.Append(ctx, in.ID, message(next))
		next++
		return err
	})
	if err != nil {
		return err
	}
	begun := time.Now()
	const n, batch = 100_000, 100
	for range n / batch {
		list := make([]events.Payload, batch)
		for i := range list {
			list[i] = message(next)
			next++
		}
		if _, err := log.Append(ctx, in.ID, list...); err != nil {
			return err
		}
	}
	b.add("an event into the log, on disk", "", "%s", one)
	b.add("events into the log, on disk", "1000/s", "%.0f/s (n=%d, %d at a time, as they come in a burst)", n/time.Since(begun).Seconds(), n, batch)
	return nil
}
