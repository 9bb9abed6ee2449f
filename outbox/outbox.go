package outbox

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"kurir/browser"
	"kurir/models"
)

// Sender carries messages out. browser.Session is one.
type Sender interface {
	// Send sends a message under the id it brings and returns when WhatsApp's server has it, or when ctx ends. What
	// an error's code says decides what happens next; see Outbox.
	Send(ctx context.Context, m browser.Outgoing) (browser.Sent, error)
	// Lookup says what the page knows of ids in chat. It may say absent only when the page's database was searched
	// and no Send of that id is still under way in the page.
	Lookup(ctx context.Context, chat string, ids []string) (map[string]browser.Presence, error)
}

// Config has the limits of an Outbox. A zero field is its default.
type Config struct {
	Log      *slog.Logger // slog.Default
	FilesDir string       // the folder that Message.FilePath is relative to

	SendTimeout   time.Duration // of one attempt without its file; 60 s
	PerMegabyte   time.Duration // added for every 10⁶ bytes of the file; 2 s
	LookupTimeout time.Duration // of one look; 20 s
	MaxAttempts   int           // before a refused message is failed; 5
	BackoffMin    time.Duration // after the first refusal, doubled after each; 1 s
	BackoffMax    time.Duration // 1 min
	Poll          time.Duration // safety: how long a lost wake can delay a message; 1 s
	LookEvery     time.Duration // between two looks at the same message; 2 s
	MaxLooks      int           // that tell nothing, before a message is unknown; 5
	AckWait       time.Duration // for the ack of a message that the page holds; 60 s
	LookAgain     time.Duration // after a message became unknown, doubled after each look; 1 min
	LookAgainMax  time.Duration // 6 h
	LookFor       time.Duration // how long an unknown message is looked up at all; 7 days

	// OnChange is told of each change of a message's state that the outbox makes. It must not block. nil: nobody is.
	OnChange func(models.Message)
}

func (c Config) withDefaults() Config {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	c.SendTimeout = or(c.SendTimeout, 60*time.Second)
	c.PerMegabyte = or(c.PerMegabyte, 2*time.Second)
	c.LookupTimeout = or(c.LookupTimeout, 20*time.Second)
	c.MaxAttempts = or(c.MaxAttempts, 5)
	c.BackoffMin = or(c.BackoffMin, time.Second)
	c.BackoffMax = or(c.BackoffMax, time.Minute)
	c.Poll = or(c.Poll, time.Second)
	c.LookEvery = or(c.LookEvery, 2*time.Second)
	c.MaxLooks = or(c.MaxLooks, 5)
	c.AckWait = or(c.AckWait, 60*time.Second)
	c.LookAgain = or(c.LookAgain, time.Minute)
	c.LookAgainMax = or(c.LookAgainMax, 6*time.Hour)
	c.LookFor = or(c.LookFor, 7*24*time.Hour)
	return c
}

func or[T int | time.Duration](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}

// Outbox holds the dispatchers of all instances.
//
// What the code of a Send's error means to it:
//   - INSTANCE_NOT_READY: nothing was tried. The message waits at the head for the instance.
//   - RESTRICTED: WhatsApp lets this number write to nobody new until a time. The message waits for it; the rest passes.
//   - FIRST_CONTACT_LIMIT: the same by kurir's own pace, until the next day.
//   - SEND_REJECTED, UPLOAD_FAILED and UNAVAILABLE: WhatsApp or kurir did not take it and it has not left. It keeps
//     the head and is tried again with a growing pause, up to Config.MaxAttempts.
//   - Every code that is not passing, except INTERNAL: the message is failed at once.
//   - All else, an error without a code included: it is not known whether it left. See the package's comment.
type Outbox struct {
	db  *models.DB
	cfg Config

	mu          sync.Mutex
	dispatchers map[string]*dispatcher
	drained     bool

	end     chan struct{} // closed when Drain is done: nobody waits any longer
	endOnce sync.Once
	waiters waiters
	depths  depths

	closing context.Context //nolint:containedctx // of the sweep, which no call starts
	close   context.CancelFunc
	swept   chan struct{} // closed when the sweep has ended
}

// New returns an Outbox without instances. It works until Drain.
func New(db *models.DB, cfg Config) *Outbox {
	o := &Outbox{
		db: db, cfg: cfg.withDefaults(), dispatchers: make(map[string]*dispatcher), end: make(chan struct{}), swept: make(chan struct{}),
	}
	o.closing, o.close = context.WithCancel(context.Background())
	go o.sweep()
	return o
}

// Attach starts the dispatcher of an instance. It claims nothing before SetReady. An instance that is attached
// already has to be detached first.
func (o *Outbox) Attach(instanceID string, s Sender, pace Pace) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.drained {
		return
	}
	if o.dispatchers[instanceID] != nil {
		o.cfg.Log.Error("attached twice: the first sender stays", "instance", instanceID)
		return
	}
	d := newDispatcher(o, instanceID, s)
	d.pacer.set(pace)
	o.dispatchers[instanceID] = d
	go d.run()
}

// Detach ends the dispatcher of an instance: it claims nothing more and the message in flight finishes. When ctx ends
// first that attempt is cancelled, its outcome is resolved when the instance is attached again, and ctx's error is
// returned.
func (o *Outbox) Detach(ctx context.Context, instanceID string) error {
	o.mu.Lock()
	d := o.dispatchers[instanceID]
	delete(o.dispatchers, instanceID)
	o.mu.Unlock()
	o.depths.forget(instanceID)
	if d == nil {
		return nil
	}
	d.stop()
	return d.wait(ctx)
}

// Drain ends all dispatchers as Detach does, and then everybody who waits. The Outbox is of no use after it, except
// that acks are still stored.
func (o *Outbox) Drain(ctx context.Context) error {
	o.mu.Lock()
	o.drained = true
	all := make([]*dispatcher, 0, len(o.dispatchers))
	for _, d := range o.dispatchers {
		all = append(all, d)
	}
	clear(o.dispatchers)
	o.mu.Unlock()
	for _, d := range all {
		d.stop()
	}
	o.close()
	<-o.swept
	var err error
	for _, d := range all {
		if e := d.wait(ctx); err == nil {
			err = e
		}
	}
	o.endOnce.Do(func() { close(o.end) })
	return err
}

// SetReady says whether the instance can send now: its session is WORKING.
func (o *Outbox) SetReady(instanceID string, ready bool) {
	if d := o.dispatcher(instanceID); d != nil {
		d.setReady(ready)
	}
}

// SetPace changes the pace of an instance from now on.
func (o *Outbox) SetPace(instanceID string, pace Pace) {
	if d := o.dispatcher(instanceID); d != nil {
		d.pacer.set(pace)
		d.poke()
	}
}

// PaceState says where an attached instance stands with its pace.
func (o *Outbox) PaceState(instanceID string) (PaceState, bool) {
	d := o.dispatcher(instanceID)
	if d == nil {
		return PaceState{}, false
	}
	return d.pacer.state(time.Now()), true
}

// Wake tells the dispatcher that a message was enqueued. It never blocks.
func (o *Outbox) Wake(instanceID string) {
	if d := o.dispatcher(instanceID); d != nil {
		d.poke()
	}
}

func (o *Outbox) dispatcher(instanceID string) *dispatcher {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.dispatchers[instanceID]
}

// Ack stores an ack of WhatsApp (models.DB.Acknowledge). It may come before the send's own result, and for a message
// of which nothing was known; it settles both. Acks of messages that are not of this outbox are ignored.
func (o *Outbox) Ack(ctx context.Context, instanceID, waID string, ack int) error {
	m, file, changed, err := o.db.Acknowledge(ctx, instanceID, waID, ack, time.Now().UTC())
	if err != nil {
		return fmt.Errorf("ack %d: %w", ack, err)
	}
	if !changed {
		return nil
	}
	o.removeFile(m, file)
	o.tell(m)
	o.Wake(instanceID) // it may be the one in flight
	return nil
}

// Wait returns the message as soon as it no longer waits and is not being sent; when ctx ends or the outbox is drained
// before that, the message as it is then.
func (o *Outbox) Wait(ctx context.Context, messageID string) (models.Message, error) {
	told, leave := o.waiters.enter(messageID)
	defer leave()
	m, err := o.db.MessageByID(ctx, messageID)
	if err != nil || settled(m) {
		return m, err
	}
	select {
	case m := <-told:
		return m, nil
	case <-ctx.Done():
	case <-o.end:
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return o.db.MessageByID(ctx, messageID)
}

// settled says whether a message has left the queue.
func settled(m models.Message) bool {
	return m.State != models.MessageQueued && m.State != models.MessageScheduled && m.State != models.MessageSending
}

// path is where a row's file is on this machine.
func (o *Outbox) path(rel string) string {
	return filepath.Join(o.cfg.FilesDir, filepath.FromSlash(rel))
}

// removeFile removes the file of a row that has let go of it. One that stays is found by models.DB.UnneededFiles.
func (o *Outbox) removeFile(m models.Message, rel string) {
	if rel == "" || m.FilePath != "" {
		return
	}
	if err := os.Remove(o.path(rel)); err != nil && !os.IsNotExist(err) {
		o.cfg.Log.Warn("remove a sent file", "instance", m.InstanceID, "message", m.ID, "err", err)
	}
}
