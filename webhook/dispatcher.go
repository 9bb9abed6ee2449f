package webhook

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"kurir/events"
	"kurir/models"
	"kurir/problem"
)

// Config has the limits of a Dispatcher. A zero field is its default.
type Config struct {
	Log *slog.Logger // slog.Default
	// Allow are address ranges that receivers may have although they are private.
	Allow []netip.Prefix
	// Resolver looks up the names of receivers; nil: the machine's.
	Resolver *net.Resolver
	// MediaLink makes of kurir's path of a file an address that opens it without a key; nil: the path stays.
	MediaLink func(mediaID string) string
	// Timeout is for all of one call; 10 s.
	Timeout time.Duration
	// Schedule has the pauses after the first, second, … failed attempt; after as many and one more a delivery is failed.
	// 5 s, 30 s, 2 m, 10 m, 1 h, 6 h, 24 h.
	Schedule []time.Duration
	// DisableAfter is how long a webhook may fail, without any success between, before it is switched off; 3 days.
	DisableAfter time.Duration
	// Lanes is how many chats of one webhook are delivered at the same time; 8.
	Lanes int
	// Breath is the pause between two attempts at a receiver that has failed at everything lately; 1 s.
	Breath time.Duration
}

func (c Config) withDefaults() Config {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.Schedule == nil {
		c.Schedule = []time.Duration{
			5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour,
		}
	}
	if c.DisableAfter == 0 {
		c.DisableAfter = 72 * time.Hour
	}
	if c.Lanes == 0 {
		c.Lanes = 8
	}
	if c.Breath == 0 {
		c.Breath = time.Second
	}
	return c
}

// Dispatcher delivers what is due, with one worker for each webhook that has something to deliver.
type Dispatcher struct {
	db            *models.DB
	cfg           Config
	public, local *caller

	mu      sync.Mutex
	workers map[string]*worker
	stopped bool
	group   sync.WaitGroup
	ctx     context.Context // of the calls; ends when Close may wait no longer
	cancel  context.CancelFunc
	closing chan struct{} // closed: start nothing more
}

// New returns a Dispatcher that does nothing before Start.
func New(db *models.DB, cfg Config) *Dispatcher {
	d := &Dispatcher{db: db, cfg: cfg.withDefaults(), workers: map[string]*worker{}, closing: make(chan struct{})}
	d.public = newCaller(cfg.Allow, cfg.Resolver, d.cfg.Lanes)
	d.local = newCaller(append(append([]netip.Prefix{}, cfg.Allow...), loopback...), cfg.Resolver, d.cfg.Lanes)
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d
}

// Start begins with what an earlier kurir left and goes on with what comes.
func (d *Dispatcher) Start(ctx context.Context) error {
	d.db.OnDeliveries(func(ids []string) {
		for _, id := range ids {
			d.Wake(id)
		}
	})
	ids, err := d.db.WebhooksWithWork(ctx)
	if err != nil {
		return fmt.Errorf("look for deliveries: %w", err)
	}
	for _, id := range ids {
		d.Wake(id)
	}
	return nil
}

// Wake has a webhook's deliveries looked at: something was added or changed. It never blocks.
func (d *Dispatcher) Wake(webhookID string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return
	}
	w := d.workers[webhookID]
	if w == nil {
		w = newWorker(d, webhookID)
		d.workers[webhookID] = w
		d.group.Go(w.run)
	}
	w.poke()
}

// leave takes a worker that has nothing to do off the list; false when it was woken meanwhile: it has to look again.
func (d *Dispatcher) leave(w *worker) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-w.wake:
		if !d.stopped {
			return false
		}
	default:
	}
	delete(d.workers, w.id)
	return true
}

// Close ends the workers. Calls that are under way may finish until ctx ends; then they are cut off, and made again
// after the next start.
func (d *Dispatcher) Close(ctx context.Context) error {
	d.mu.Lock()
	if !d.stopped {
		d.stopped = true
		close(d.closing)
	}
	d.mu.Unlock()
	done := make(chan struct{})
	go func() { d.group.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
	d.cancel()
	<-done
	d.public.client.CloseIdleConnections()
	d.local.client.CloseIdleConnections()
	return nil
}

// Result is what came of a test.
type Result struct {
	Delivered bool   `json:"delivered"`
	EventID   string `json:"event_id"`
	Status    int    `json:"status"` // HTTP; 0: no answer
	Error     string `json:"error,omitempty"`
	Response  string `json:"response,omitempty"` // its start
	LatencyMS int64  `json:"latency_ms"`
}

// Test makes one call to a webhook at once, with an event of type webhook.test that is nowhere stored.
func (d *Dispatcher) Test(ctx context.Context, webhookID string) (Result, error) {
	w, err := d.db.Webhook(ctx, webhookID)
	if err != nil {
		return Result{}, err
	}
	row, err := events.Row(w.InstanceID, &events.WebhookTest{Webhook: w.ID, Hello: "This is a test from kurir."})
	if err != nil {
		return Result{}, err
	}
	id := "evt_" + ulid.Make().String()
	c, err := d.caller(ctx, w)
	if err != nil {
		return Result{}, err
	}
	a := d.post(ctx, c, w, events.Envelope{
		ID: id, Type: row.Type, Time: time.Now().UTC(), Instance: w.InstanceID, Data: row.Payload,
	})
	if ctx.Err() != nil {
		return Result{}, problem.Wrap(problem.Unavailable, "", ctx.Err())
	}
	return Result{a.ok(), id, a.status, a.failure, a.snippet, a.latency.Milliseconds()}, nil
}

// pause is the wait after the given number of failed attempts; ok is false when it was the last.
func (c Config) pause(attempts int, asked time.Duration) (time.Duration, bool) {
	if attempts > len(c.Schedule) {
		return 0, false
	}
	p := c.Schedule[attempts-1]
	// A tenth either way, so that what failed together does not come back together.
	p += rand.N(p/5+1) - p/10 //nolint:gosec // a pause is no secret
	return max(p, asked), true
}

// verdict switches a webhook off that has failed for too long.
func (d *Dispatcher) verdict(at time.Time, last string) func(models.Webhook) (string, models.NewEvent) {
	return func(w models.Webhook) (string, models.NewEvent) {
		if w.FailingSince == nil || at.Sub(*w.FailingSince) < d.cfg.DisableAfter {
			return "", models.NewEvent{}
		}
		reason := fmt.Sprintf("every attempt failed for %s; the last one: %s", at.Sub(*w.FailingSince).Round(time.Hour), last)
		row, err := events.Row(w.InstanceID, &events.WebhookDisabled{
			Webhook: w.ID, URL: withoutQuery(w.URL), Reason: reason, Since: *w.FailingSince,
		})
		if err != nil {
			return "", models.NewEvent{}
		}
		d.cfg.Log.Warn("webhook is switched off", "webhook", w.ID, "instance", w.InstanceID, "reason", reason)
		return reason, row
	}
}

// withoutQuery leaves out what may be a secret.
func withoutQuery(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}
