package models

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"gorm.io/gorm"

	"kurir/problem"
)

// maxBatch bounds how many writers share a transaction, so that none waits long for the others.
const maxBatch = 128

// The life of a request: pending until the writer takes it or its caller gives up.
const (
	pending = iota
	taken
	abandoned
)

// Holder is who kept the writer for a while.
type Holder int

// The holders of the writer.
const (
	HoldWriters    Holder = iota // callers that share a transaction
	HoldChore                    // one step of the janitor
	HoldCheckpoint               // a checkpoint's last pages; no transaction
)

// request is one caller's part of a transaction.
type request struct {
	fn    func(*session) error
	kind  Holder
	firm  bool // an error of fn comes before it has changed anything; else it has called save, or the database is ill
	state atomic.Int32
	err   error
	held  time.Duration // from the writer's taking it until the writer was free again
	done  chan error    // 1 slot; nil when nobody waits
}

// writer is the goroutine that owns the writing connection.
type writer struct {
	s       *session
	log     *slog.Logger
	queue   chan *request
	alone   chan *request // one at a time, each in a transaction of its own, or in none
	closing chan struct{} // closed: take no new requests
	done    chan struct{} // closed: the goroutine ended

	appended     broadcast // events
	onDeliveries atomic.Pointer[func(webhookIDs []string)]
	onMedia      atomic.Pointer[func(instanceID string)]
	onHold       atomic.Pointer[func(held time.Duration, by Holder)]
	onCommit     func() // set before the first request
}

func newWriter(s *session, log *slog.Logger, onCommit func()) *writer {
	return &writer{
		s: s, log: log, onCommit: onCommit, queue: make(chan *request, 1024),
		alone: make(chan *request), closing: make(chan struct{}), done: make(chan struct{}),
	}
}

// Write runs fn in a transaction and returns after the transaction is on disk. Writers that wait at the same moment
// share one transaction and one fsync; fn's error (or panic) undoes only what fn did. A lone writer waits for nobody.
//
// fn runs on the writer's goroutine: it must be short, must do nothing but database work on tx, and must not call
// Write. When ctx ends before fn began, fn does not run and ctx's error is returned; once it began, Write waits for
// the outcome, because only then is it known. Errors of the disk have the codes STORAGE_FULL and UNAVAILABLE.
func (db *DB) Write(ctx context.Context, fn func(tx *gorm.DB) error) error {
	return db.write(ctx, func(*session) error {
		return fn(db.tx.Session(&gorm.Session{NewDB: true, Context: context.WithoutCancel(ctx)}))
	})
}

func (db *DB) write(ctx context.Context, fn func(*session) error) error {
	return db.writer.do(ctx, db.writer.queue, &request{fn: fn, done: make(chan error, 1)})
}

// writeFirm is write for an fn that is refused before it changes anything, if at all: it needs no savepoint, which costs
// SQLite a copy of each page that fn touches. An fn that changes something before it can be refused calls save first.
func (db *DB) writeFirm(ctx context.Context, fn func(*session) error) error {
	return db.writer.do(ctx, db.writer.queue, &request{fn: fn, firm: true, done: make(chan error, 1)})
}

// chore is write for work that nobody waits for: in a transaction of its own, so that held, which is how long the
// writer was kept from others by it, COMMIT with its fsync included, is all its own.
func (db *DB) chore(ctx context.Context, fn func(*session) error) (held time.Duration, err error) {
	r := &request{kind: HoldChore, fn: fn, done: make(chan error, 1)}
	err = db.writer.do(ctx, db.writer.alone, r)
	if r.state.Load() != taken {
		return 0, err
	}
	return r.held, err
}

// OnHold has fn told how long the writer was kept each time, and by whom. fn runs on the writer's goroutine.
func (db *DB) OnHold(fn func(held time.Duration, by Holder)) { db.writer.onHold.Store(&fn) }

// do hands a request to the writer and waits for what comes of it.
func (w *writer) do(ctx context.Context, queue chan<- *request, r *request) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-w.closing:
		return errClosed()
	default:
	}
	select {
	case queue <- r:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.closing:
		return errClosed()
	}
	cancelled := ctx.Done()
	for {
		select {
		case err := <-r.done:
			return err
		case <-cancelled:
			if r.state.CompareAndSwap(pending, abandoned) {
				return ctx.Err()
			}
			cancelled = nil
		case <-w.done: // a request that came while the writer was ending
			select {
			case err := <-r.done:
				return err
			default:
				return errClosed()
			}
		}
	}
}

// writeLater queues fn without waiting for it; it is dropped when the queue is full. For notes that may be lost.
func (db *DB) writeLater(fn func(*session) error) {
	select {
	case <-db.writer.closing:
	case db.writer.queue <- &request{fn: fn}:
	default:
	}
}

func errClosed() error { return problem.New(problem.Unavailable, "the database is closed") }

// run serves requests until closing, and then those that were queued before.
func (w *writer) run() {
	defer close(w.done)
	batch := make([]*request, 0, maxBatch)
	for {
		select {
		case r := <-w.queue:
			batch = w.collect(append(batch[:0], r))
			w.serve(batch)
			clear(batch)
		case r := <-w.alone:
			w.serve(append(batch[:0], r))
		case <-w.closing:
			for batch = w.collect(batch[:0]); len(batch) > 0; batch = w.collect(batch[:0]) {
				w.serve(batch)
			}
			return
		}
	}
}

// collect adds what is queued already. It waits for nothing: the fsync of one batch is the time in which the next
// one gathers.
func (w *writer) collect(batch []*request) []*request {
	for len(batch) < maxBatch {
		select {
		case r := <-w.queue:
			batch = append(batch, r)
		default:
			return batch
		}
	}
	return batch
}

// serve runs a batch in one transaction and answers everybody after the commit.
func (w *writer) serve(batch []*request) {
	live := batch[:0:len(batch)]
	for _, r := range batch {
		if r.state.CompareAndSwap(pending, taken) {
			live = append(live, r)
		}
	}
	if len(live) == 0 {
		return
	}
	begun := time.Now()
	var err error
	if live[0].kind == HoldCheckpoint {
		w.s.broken = nil
		err = w.guard(live[0].fn)
	} else {
		err = w.transact(live)
	}
	held := time.Since(begun)
	if fn := w.onHold.Load(); fn != nil {
		(*fn)(held, live[0].kind)
	}
	for _, r := range live {
		r.held = held
		if r.err == nil {
			r.err = err
		}
		r.err = StorageError(r.err)
		if r.done != nil {
			r.done <- r.err
		} else if r.err != nil {
			w.log.Warn("write a note to the database", "err", r.err)
		}
	}
}

// transact returns the error that befell the transaction as a whole; an error of one part is in its request.
func (w *writer) transact(batch []*request) error {
	w.s.begun, w.s.broken, w.s.news, w.s.head = time.Now(), nil, news{}, nil
	if _, err := w.s.exec("BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("begin a transaction: %w", err)
	}
	failed := 0
	for _, r := range batch {
		w.part(r, len(batch) > 1)
		if r.err != nil {
			failed++
		}
		if w.s.broken != nil {
			return w.rollback(fmt.Errorf("write to the database: %w", w.s.broken))
		}
	}
	if failed == len(batch) {
		return w.rollback(nil)
	}
	if _, err := w.s.exec("COMMIT"); err != nil {
		return w.rollback(fmt.Errorf("commit: %w", err))
	}
	w.onCommit()
	w.tell()
	return nil
}

func (w *writer) rollback(cause error) error {
	w.s.broken = nil
	// SQLite may have rolled back already; then this fails and nothing is open, which is what is wanted.
	if _, err := w.s.exec("ROLLBACK"); err != nil && cause == nil {
		return fmt.Errorf("roll back: %w", err)
	}
	return cause
}

// part runs one request; among others it has a savepoint, so that its error leaves their work alone. A firm one goes
// without. Should it break its word (nothing but a fault of the program can make it), nobody's work is stored.
func (w *writer) part(r *request, shared bool) {
	w.s.shared, w.s.saved = shared, false
	if !r.firm {
		if r.err = w.s.save(); r.err != nil {
			return
		}
	}
	before := w.s.steps
	r.err = w.guard(r.fn)
	if !shared || w.s.broken != nil {
		return
	}
	if !w.s.saved {
		if r.err != nil && w.s.steps != before {
			w.s.broken = fmt.Errorf("a write failed half done: %v", r.err) //nolint:errorlint // its code is not the others'
		}
		return
	}
	if r.err != nil {
		w.s.head = nil // it may be one of the lines that go
		if _, err := w.s.exec("ROLLBACK TO part"); err != nil {
			w.s.broken = errors.Join(r.err, err)
			return
		}
	}
	if _, err := w.s.exec("RELEASE part"); err != nil {
		w.s.broken = errors.Join(r.err, err)
	}
}

// guard turns a panic of fn into an error: the writer serves everybody.
func (w *writer) guard(fn func(*session) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a database write: %v", p)
			w.log.Error("panic in a database write", "err", err, "stack", string(debug.Stack()))
		}
	}()
	return fn(w.s)
}
