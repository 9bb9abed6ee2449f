package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	ownPhones    = 5   // receivers of each instance
	sharedPhones = 2   // receivers of all
	maxBacklog   = 120 // messages that may wait before the clients do
)

// crowd is the clients and what they have sent.
type crowd struct {
	h       *house
	w       *watcher
	letters [][]*letter // by client; the client's own until it has ended
	tries   atomic.Int64
	repeats atomic.Int64
}

// phones are the numbers that an instance writes to.
func phones(in *instance) (list []string) {
	for i := range ownPhones {
		list = append(list, fmt.Sprintf("62812345%02d%03d", 10+in.n, i))
	}
	for i := range sharedPhones {
		list = append(list, fmt.Sprintf("6281234599%03d", i))
	}
	return list
}

// send has all clients send until stop ends; what is not answered then is offered until ctx ends.
func (c *crowd) send(ctx, stop context.Context, clients int) {
	c.letters = make([][]*letter, clients)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() { c.client(ctx, stop, i) })
	}
	wg.Wait()
}

// client sends one letter after the other.
func (c *crowd) client(ctx, stop context.Context, i int) {
	r := rand.New(rand.NewPCG(c.h.seed, uint64(100+i))) //nolint:gosec // to be repeated
	for n := 0; stop.Err() == nil; n++ {
		if c.w.backlog() > maxBacklog {
			n--
			pause(stop, 50*time.Millisecond)
			continue
		}
		l := c.letter(r, i, n)
		c.letters[i] = append(c.letters[i], l)
		ok := c.h.deliver(ctx, l, r)
		c.tries.Add(int64(l.tries))
		if ok && r.IntN(20) == 0 { // a program that is not sure asks again
			c.repeats.Add(1)
			_ = c.h.offer(ctx, l)
		}
		if ok && r.IntN(25) == 0 && pause(ctx, time.Duration(r.IntN(200))*time.Millisecond) {
			c.h.cancel(ctx, l)
		}
		pause(stop, time.Duration(r.ExpFloat64()*120)*time.Millisecond)
	}
}

// letter writes the n-th letter of a client: every eighth is a file, every tenth is urgent, some are worth nothing when
// they come late.
func (c *crowd) letter(r *rand.Rand, i, n int) *letter {
	in := c.h.instances[r.IntN(len(c.h.instances))]
	list := phones(in)
	l := &letter{in: in, phone: list[r.IntN(len(list))], client: fmt.Sprint("c", i), n: n, token: fmt.Sprintf("c%d-%d", i, n)}
	if r.IntN(10) == 0 {
		l.priority = "high"
	}
	if r.IntN(20) == 0 {
		l.expiresIn = 1 + r.IntN(20)
	}
	if r.IntN(8) > 0 {
		l.text = words(r, l.token, 10<<r.IntN(9))
		return l
	}
	l.text, l.name = l.token, l.token+".bin"
	l.file = randomFile(r, 1+r.IntN(1000<<r.IntN(10)))
	return l
}

// accepted lists all letters that kurir has taken.
func (c *crowd) accepted() (list []*letter) {
	for _, of := range c.letters {
		for _, l := range of {
			if l.id != "" {
				list = append(list, l)
			}
		}
	}
	return list
}
