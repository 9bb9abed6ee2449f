package outbox

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"kurir/browser"
	"kurir/models"
	"kurir/problem"
)

// slowPoll keeps a test that lasts for days short: nothing here may depend on the poll.
const slowPoll = time.Minute

var jakarta = time.FixedZone("WIB", 7*3600)

// clockwork records when what was sent, in seconds since the start.
type clockwork struct {
	mu    sync.Mutex
	start time.Time
	at    map[string]float64
	order []string
}

func newClockwork() *clockwork { return &clockwork{start: time.Now(), at: map[string]float64{}} }

// when returns after how many seconds a message was sent; 0 when it was not.
func (c *clockwork) when(body string) float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at[body]
}

// sent returns what was sent, in order.
func (c *clockwork) sent() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.order)
}

func (c *clockwork) send(_ context.Context, m browser.Outgoing, _ int) (browser.Sent, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at[m.Body] = time.Since(c.start).Seconds()
	c.order = append(c.order, m.Body)
	return browser.Sent{Ack: 1, FirstContact: m.Body[0] == 'n'}, nil
}

func paced(t *testing.T, p models.Pacing, test func(h *house, c *clockwork)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{Poll: slowPoll})
		defer h.close()
		c := newClockwork()
		h.page.send = c.send
		h.o.SetPace(h.id, Pace{Pacing: p, Zone: jakarta}) // the bubble's clock starts at midnight UTC, 7:00 there
		h.o.SetReady(h.id, true)
		test(h, c)
	})
}

func high(m *models.Message) { m.Priority = models.PriorityHigh }

func TestGapBetweenMessages(t *testing.T) {
	t.Parallel()
	paced(t, models.Pacing{GapMS: 2000, JitterMS: 3000}, func(h *house, c *clockwork) {
		var rows []models.Message
		for i := range 40 {
			rows = append(rows, h.enqueue(fmt.Sprint(i)))
		}
		last := h.want(rows[39], models.MessageSent, "")
		var longest, shortest float64 = 0, 100
		for i := 1; i < 40; i++ {
			gap := c.when(fmt.Sprint(i)) - c.when(fmt.Sprint(i-1))
			longest, shortest = max(longest, gap), min(shortest, gap)
		}
		if shortest < 2 || longest > 5.1 || longest-shortest < 1 {
			h.t.Errorf("gaps from %.1f to %.1f s", shortest, longest)
		}
		if last.SentAt == nil {
			h.t.Errorf("%+v", last)
		}
	})
}

func TestHighPriorityIgnoresTheGap(t *testing.T) {
	t.Parallel()
	paced(t, models.Pacing{GapMS: 60_000}, func(h *house, c *clockwork) {
		a, b := h.enqueue("a"), h.enqueue("b")
		h.want(a, models.MessageSent, "")
		time.Sleep(time.Second)
		h.want(h.enqueue("code", high), models.MessageSent, "")
		h.want(h.enqueue("code 2", high), models.MessageSent, "")
		if at := c.when("code 2"); at > 1.5 {
			h.t.Errorf("the code left after %.1f s", at)
		}
		h.want(b, models.MessageSent, "")
		if at := c.when("b"); at < 60 {
			h.t.Errorf("b left after %.1f s", at)
		}
	})
}

func TestDailyLimitHoldsEverybody(t *testing.T) {
	t.Parallel()
	paced(t, models.Pacing{PerDay: 3}, func(h *house, c *clockwork) {
		var rows []models.Message
		for i := range 7 {
			rows = append(rows, h.enqueue(fmt.Sprint(i)))
		}
		h.want(rows[2], models.MessageSent, "")
		code := h.enqueue("code", high) // too late for today
		time.Sleep(time.Minute)
		if len(c.sent()) != 3 {
			h.t.Fatalf("sent %v", c.sent())
		}
		st, _ := h.o.PaceState(h.id)
		midnight := time.Date(2000, 1, 2, 0, 0, 0, 0, jakarta)
		if st.SentToday != 3 || st.Reason != "daily_limit" || st.WaitsUntil == nil || !st.WaitsUntil.Equal(midnight) {
			h.t.Errorf("state %+v", st)
		}
		// A restart does not give the day's messages back.
		if err := h.o.Drain(context.Background()); err != nil {
			h.t.Fatal(err)
		}
		h.start(Config{Poll: slowPoll})
		h.o.SetPace(h.id, Pace{Pacing: models.Pacing{PerDay: 3}, Zone: jakarta})
		h.o.SetReady(h.id, true)
		time.Sleep(time.Minute)
		if len(c.sent()) != 3 {
			h.t.Fatalf("after a restart: %v", c.sent())
		}
		h.want(rows[5], models.MessageSent, "")
		// The bubble starts at 7:00: the second day begins 17 h later, the third 41 h.
		for body, hours := range map[string]float64{"2": 0, "code": 17, "4": 17, "5": 41} {
			if at := c.when(body) / 3600; at < hours || at > hours+0.1 {
				h.t.Errorf("%s left after %.2f h", body, at)
			}
		}
		h.want(code, models.MessageSent, "")
		if d := cmp.Diff([]string{"0", "1", "2", "code", "3", "4", "5"}, c.sent()[:7]); d != "" {
			h.t.Error(d)
		}
	})
}

func TestFirstContactLimitLetsConversationsPass(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{Poll: slowPoll})
		defer h.close()
		c := newClockwork()
		h.page.send = func(ctx context.Context, m browser.Outgoing, n int) (browser.Sent, error) {
			if m.KnownChat && m.Body[0] == 'n' {
				return browser.Sent{}, problem.New(problem.FirstContactLimit, "")
			}
			return c.send(ctx, m, n)
		}
		h.o.SetPace(h.id, Pace{Pacing: models.Pacing{FirstPerDay: 2}, Zone: jakarta})
		h.o.SetReady(h.id, true)
		var rows []models.Message
		for _, body := range []string{"new 1", "old 1", "new 2", "new 3", "old 2", "new 4"} {
			rows = append(rows, h.enqueue(body))
		}
		h.want(rows[4], models.MessageSent, "")
		time.Sleep(time.Minute)
		if d := cmp.Diff([]string{"new 1", "old 1", "new 2", "old 2"}, c.sent()); d != "" {
			t.Fatal(d)
		}
		if m := h.row(rows[3]); m.State != models.MessageScheduled || m.Code != string(problem.FirstContactLimit) || m.Attempts != 0 {
			t.Errorf("%+v", m)
		}
		if m := h.row(rows[2]); !m.FirstContact {
			t.Errorf("%+v", m)
		}
		h.want(rows[5], models.MessageSent, "")
		if at := c.when("new 3") / 3600; at < 17 || at > 17.1 {
			t.Errorf("new 3 left after %.2f h", at)
		}
		if d := cmp.Diff([]string{"new 3", "new 4"}, c.sent()[4:]); d != "" {
			t.Error(d)
		}
	})
}

func TestQuietHours(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from, to string
		hours    float64 // until it leaves; it is 7:00
	}{
		{"21:00", "07:30", 0.5}, {"06:00", "08:00", 1}, {"21:00", "07:00", 0}, {"08:00", "09:00", 0}, {"07:00", "07:15", 0.25}, {"", "", 0},
	} {
		paced(t, models.Pacing{QuietFrom: c.from, QuietTo: c.to}, func(h *house, clock *clockwork) {
			a := h.enqueue("a")
			h.want(h.enqueue("code", high), models.MessageSent, "")
			if at := clock.when("code"); at > 1 {
				h.t.Errorf("%s–%s: the code left after %.1f s", c.from, c.to, at)
			}
			h.want(a, models.MessageSent, "")
			if at := clock.when("a") / 3600; at < c.hours-0.001 || at > c.hours+0.01 {
				h.t.Errorf("%s–%s: left after %.2f h, want %.2f", c.from, c.to, at, c.hours)
			}
		})
	}
}

func TestPaceChangesWhileRunning(t *testing.T) {
	t.Parallel()
	paced(t, models.Pacing{GapMS: 3_600_000}, func(h *house, c *clockwork) {
		a, b := h.enqueue("a"), h.enqueue("b")
		h.want(a, models.MessageSent, "")
		time.Sleep(time.Second)
		h.o.SetPace(h.id, Pace{Pacing: models.Pacing{GapMS: 5000}})
		h.want(b, models.MessageSent, "")
		if at := c.when("b"); at > 6.5 {
			h.t.Errorf("b left after %.1f s", at)
		}
	})
}

func TestTypingFitsTheText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		body     string
		priority int
		typing   bool
		want     time.Duration
	}{
		{"halo", 0, true, 240 * time.Millisecond}, {fmt.Sprintf("%0500d", 1), 0, true, typingMax}, {"halo", 0, false, 0}, {"1234", models.PriorityHigh, true, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := newHouse(t, Config{})
			defer h.close()
			var got time.Duration
			h.page.send = func(_ context.Context, m browser.Outgoing, _ int) (browser.Sent, error) {
				got = m.Typing
				return browser.Sent{Ack: 1}, nil
			}
			h.o.SetPace(h.id, Pace{Pacing: models.Pacing{Typing: c.typing}})
			h.o.SetReady(h.id, true)
			h.want(h.enqueue(c.body, func(m *models.Message) { m.Priority = c.priority }), models.MessageSent, "")
			if got != c.want {
				t.Errorf("%.10s: typed for %v, want %v", c.body, got, c.want)
			}
		})
	}
}

func TestPositionAndETA(t *testing.T) {
	t.Parallel()
	paced(t, models.Pacing{GapMS: 10_000}, func(h *house, _ *clockwork) {
		ctx := context.Background()
		accept := func(body string, change ...func(*models.Message)) Place {
			m := models.Message{InstanceID: h.id, Chat: "6281234567890@c.us", Kind: "text", Body: body, ContentHash: body}
			for _, f := range change {
				f(&m)
			}
			row, _, err := h.db.Enqueue(ctx, m, models.AuditEntry{Action: "wa.send"})
			if err != nil {
				h.t.Fatal(err)
			}
			return h.o.Accepted(ctx, row)
		}
		accept("0")
		synctest.Wait() // it has left, and the gap runs
		for i := 1; i <= 5; i++ {
			p := accept(fmt.Sprint(i))
			if p.Position != i || p.ETA == nil {
				h.t.Errorf("%d: %+v", i, p)
				continue
			}
			if wait := time.Until(*p.ETA).Seconds(); wait < float64(i*10)-2 || wait > float64(i*10)+2 {
				h.t.Errorf("%d leaves in %.1f s", i, wait)
			}
		}
		if p := accept("code", high); p.Position != 1 {
			h.t.Errorf("the code: %+v", p)
		}
		at := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
		if p := accept("later", func(m *models.Message) { m.NotBefore = at }); p.Position != 0 || p.ETA == nil || !p.ETA.Equal(at) {
			h.t.Errorf("the scheduled one: %+v", p)
		}
		h.o.SetReady(h.id, false)
		if p := accept("6"); p.ETA != nil {
			h.t.Errorf("not ready: %+v", p)
		}
	})
}

// Messages that leave before they were counted do not stay in the count.
func TestPositionAfterARace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{})
		defer h.close()
		h.o.SetReady(h.id, true)
		ctx := context.Background()
		h.o.Accepted(ctx, h.enqueue("0"))
		for range 5 {
			m := h.enqueue("early") // wakes the dispatcher, as a message that came just before would
			h.want(m, models.MessageSent, "")
			h.o.Accepted(ctx, m)
			synctest.Wait()
			row, _, err := h.db.Enqueue(ctx, models.Message{InstanceID: h.id, Chat: m.Chat, Kind: "text", Body: "next"}, models.AuditEntry{Action: "wa.send"})
			if err != nil {
				t.Fatal(err)
			}
			if got := h.o.Accepted(ctx, row).Position; got != 1 {
				t.Errorf("the only message is in place %d", got)
			}
			h.want(row, models.MessageSent, "")
			synctest.Wait()
		}
	})
}
