package handlers

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"kurir/events"
	"kurir/models"
	"kurir/models/modelstest"
	"kurir/webhook"
)

// ground is the handlers on a real event log, served over a real connection.
type ground struct {
	t      *testing.T
	db     *models.DB
	hooks  *webhook.Dispatcher
	s      *server
	url    string
	a, b   string // instances; b is a sandbox instance
	closed chan struct{}
	left   chan struct{} // 1 slot: an event stream has ended
	n      int
}

func newGround(t *testing.T) *ground {
	t.Helper()
	ctx := context.Background()
	log := slog.New(slog.DiscardHandler)
	db := modelstest.Open(t, models.Config{})
	g := &ground{t: t, db: db, hooks: webhook.New(db, webhook.Config{Log: log}), closed: make(chan struct{}), left: make(chan struct{}, 1)}
	for i, id := range []*string{&g.a, &g.b} {
		in := models.Instance{Name: fmt.Sprint("i", i), Region: "ID", Sandbox: i == 1}
		if err := db.CreateInstance(ctx, &in); err != nil {
			t.Fatal(err)
		}
		*id = in.ID
	}
	all, err := db.Instances(ctx)
	if err != nil {
		t.Fatal(err)
	}
	g.s = newServer(Deps{
		DB: &fakeDB{}, Instances: &fakeInstances{all: all}, CheckAdmin: func(token string) bool { return token == adminToken }, Log: log,
		Events: db, Webhooks: db, Deliverer: g.hooks, Closing: g.closed, FilesDir: t.TempDir(),
		Stats: func(ctx context.Context) (any, error) { return db.Stats(ctx) },
	})
	g.s.streamPatience = time.Hour // but where a test shows it
	handler := held(t, g.s.Deps, g.s.router())
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r)
		if r.URL.Path == "/v1/events/stream" {
			select {
			case g.left <- struct{}{}:
			default: // nobody waits for it
			}
		}
	}))
	g.url = srv.URL
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
		if err := g.hooks.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return g
}

// say appends n messages to an instance's log.
func (g *ground) say(instance string, n int) (ids []string) {
	g.t.Helper()
	for range n {
		g.n++
		m := &events.Message{Content: events.Content{ID: fmt.Sprint("M", g.n), Chat: "1@c.us", Kind: "chat", Body: "<halo>", Time: time.Now()}}
		added, err := events.NewLog(g.db, 0).Append(context.Background(), instance, m)
		if err != nil {
			g.t.Fatal(err)
		}
		ids = append(ids, added[0].ID)
	}
	return ids
}

// reply is kurir's envelope.
type got struct {
	HTTP int
	Code string          `json:"code"`
	ID   string          `json:"id"`
	Data json.RawMessage `json:"data"`

	Text   string
	Header http.Header
}

func (g *ground) call(method, path string, body string) got {
	g.t.Helper()
	req, err := http.NewRequestWithContext(g.t.Context(), method, g.url+path, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	out := got{HTTP: resp.StatusCode, Text: string(b)}
	if err := json.Unmarshal(b, &out); err != nil {
		g.t.Fatalf("%s %s: %s", method, path, b)
	}
	return out
}

func (r got) into(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal(r.Data, v); err != nil {
		t.Fatalf("%s: %v", r.Text, err)
	}
}

// ids returns the ids of a list of events.
func (r got) ids(t *testing.T) string {
	t.Helper()
	var list []events.Envelope
	r.into(t, &list)
	var out []string
	for _, e := range list {
		out = append(out, e.ID)
	}
	return strings.Join(out, " ")
}

func TestReadEvents(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	a := g.say(g.a, 3)
	b := g.say(g.b, 2)
	join := func(lists ...[]string) string {
		var all []string
		for _, l := range lists {
			all = append(all, l...)
		}
		return strings.Join(all, " ")
	}
	for path, want := range map[string]string{
		"":                                    join(a, b),
		"?limit=2":                            join(a[:2]),
		"?after=" + a[1]:                      join(a[2:], b),
		"?after=latest":                       "",
		"?instance=" + g.a:                    join(a),
		"?instance=" + g.a + "&after=1":       join(a[1:]),
		"?instance=" + g.b + "&after=" + a[2]: join(b),
		"?types=message.ack":                  "",
		"?types=message.ack,message":          join(a, b),
	} {
		if r := g.call("GET", "/v1/events"+path, ""); r.HTTP != 200 || r.ids(t) != want {
			t.Errorf("%s: %s, want %s", path, r.Text, want)
		}
	}
	if r := g.call("GET", "/v1/events?limit=1", ""); !strings.Contains(r.Text, `"seq":1,"type":"message"`) || !strings.Contains(r.Text, `"body":"<halo>"`) {
		t.Error(r.Text)
	}
	if r := g.call("GET", "/v1/events/schema", ""); r.HTTP != 200 || !strings.Contains(r.Text, "https://json-schema.org/draft/2020-12/schema") {
		t.Errorf("the schema: %d %.200s", r.HTTP, r.Text)
	}
	for path, want := range map[string]string{
		"?after=1": "400 BAD_REQUEST", "?after=x": "400 BAD_REQUEST", "?instance=" + g.a + "&after=99": "400 BAD_REQUEST",
		"?after=evt_x": "410 EVENTS_EXPIRED", "?instance=none": "404 NOT_FOUND", "?types=x": "422 EVENT_TYPE_UNKNOWN",
		"?limit=0": "422 LIMIT_INVALID", "?limit=1001": "422 LIMIT_INVALID", "?wait=x": "400 BAD_REQUEST",
	} {
		if r := g.call("GET", "/v1/events"+path, ""); fmt.Sprint(r.HTTP, " ", r.Code) != want {
			t.Errorf("%s: %s, want %s", path, r.Text, want)
		}
	}
}

func TestLongPoll(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	first := g.say(g.a, 1)[0]
	if r := g.call("GET", "/v1/events?wait=30", ""); r.ids(t) != first {
		t.Error(r.Text) // what is there is answered at once
	}
	answer := make(chan got, 1)
	go func() { answer <- g.call("GET", "/v1/events?types=message&wait=30&instance="+g.a+"&after="+first, "") }()
	g.say(g.b, 2) // not asked for; if it comes first the reader goes on waiting
	want := g.say(g.a, 1)[0]
	if r := <-answer; r.ids(t) != want {
		t.Errorf("%s, want %s", r.Text, want)
	}
	go func() { answer <- g.call("GET", "/v1/events?wait=30&after=latest", "") }()
	close(g.closed) // kurir ends
	if r := <-answer; r.HTTP != 200 || r.ids(t) != "" {
		t.Error(r.Text)
	}
	if r := g.call("GET", "/v1/events?wait=0.01&after=latest", ""); r.HTTP != 200 || string(r.Data) != "[]" {
		t.Error(r.Text)
	}
}

// listen opens the stream and returns a function that reads the ids of the next n events.
func (g *ground) listen(query, last string) (next func(n int) string, hangUp func()) {
	g.t.Helper()
	ctx, cancel := context.WithCancel(g.t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.url+"/v1/events/stream"+query, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream; charset=utf-8" {
		g.t.Fatalf("HTTP %d, %v", resp.StatusCode, resp.Header)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	lines.Scan() // retry:, which says that it listens
	return func(n int) string {
			var ids []string
			for len(ids) < n && lines.Scan() {
				if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
					ids = append(ids, id)
				}
			}
			return strings.Join(ids, " ")
		}, func() {
			cancel()
			_ = resp.Body.Close()
		}
}

func TestStream(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	before := g.say(g.a, 2)
	next, hangUp := g.listen("", "")
	ids := append(g.say(g.a, 2), g.say(g.b, 1)...)
	if got := next(3); got != strings.Join(ids, " ") {
		t.Errorf("%s, want %s", got, ids)
	}
	hangUp()
	missed := g.say(g.a, 300) // more than one batch
	next, hangUp = g.listen("", ids[2])
	missed = append(missed, g.say(g.a, 1)...)
	if got := next(301); got != strings.Join(missed, " ") {
		t.Error("a gap after the reconnect")
	}
	hangUp()
	next, hangUp = g.listen("?types=message&instance="+g.a+"&after="+before[0], "")
	if got := next(1); got != before[1] {
		t.Error(got)
	}
	hangUp()
	if r := g.call("GET", "/v1/events/stream?after=evt_gone", ""); r.HTTP != 410 || r.Code != "EVENTS_EXPIRED" {
		t.Error(r.Text)
	}
	next, hangUp = g.listen("", "")
	close(g.closed)
	if got := next(1); got != "" {
		t.Errorf("after the end: %s", got)
	}
	hangUp()
}

// A reader that takes nothing is cut off, and misses nothing when it comes back.
func TestASlowReaderIsDroppedAndGoesOn(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(g.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.(*net.TCPConn).SetReadBuffer(64 << 10) // the kernel holds less for it
	_, _ = fmt.Fprintf(conn, "GET /v1/events/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", adminToken)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		t.Fatal(resp)
	}
	want := g.say(g.a, 1)
	var begin strings.Builder // up to the first event, which is read while there is time
	for one := make([]byte, 1); !strings.HasSuffix(begin.String(), "}\n\n"); begin.Write(one) {
		if _, err := io.ReadFull(resp.Body, one); err != nil {
			t.Fatalf("%q, %v", begin.String(), err)
		}
	}
	g.s.streamPatience = 200 * time.Millisecond // of the writes to come
	big := strings.Repeat("x", 100_000)
	for i := range 100 { // 10 MB: more than the kernel holds for it
		added, err := events.NewLog(g.db, 0).Append(t.Context(), g.a, &events.Message{Content: events.Content{ID: fmt.Sprint("big", i), Chat: "1@c.us", Body: big, Time: time.Now()}})
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, added[0].ID)
	}
	select {
	case <-g.left:
	case <-time.After(3 * time.Minute):
		t.Fatal("one that takes nothing is still served")
	}
	all, _ := io.ReadAll(resp.Body)
	var last string
	seen := 0
	for _, event := range strings.Split(begin.String()+string(all), "\n\n") { // only whole events count, as for a browser
		if _, rest, ok := strings.Cut(event, "id: "); ok && strings.HasSuffix(event, "}") {
			last, _, _ = strings.Cut(rest, "\n")
			seen++
		}
	}
	if seen == len(want) || seen == 0 {
		t.Fatalf("it saw %d of %d", seen, len(want))
	}
	g.s.streamPatience = time.Hour
	next, hangUp := g.listen("", last)
	defer hangUp()
	if got := next(len(want) - seen); got != strings.Join(want[seen:], " ") {
		t.Error("a gap after the reconnect")
	}
}
