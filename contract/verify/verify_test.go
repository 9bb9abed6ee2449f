package verify

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"kurir/problem"
)

func load(t testing.TB) *Contract {
	t.Helper()
	c, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestExamplesAreClosed holds the examples of the contract to its closed schemas, and then each with a field too many, a
// field too few, and another type, which must all be refused: a schema that lets one pass is a schema that checks nothing.
func TestExamplesAreClosed(t *testing.T) {
	t.Parallel()
	c := load(t)
	n := 0
	for path, item := range c.doc.Paths.Map() {
		for method, op := range item.Operations() {
			for status, r := range op.Responses.Map() {
				media := r.Value.Content["application/json"]
				if media == nil {
					continue
				}
				for _, example := range examplesOf(media) {
					n++
					name := method + " " + path + " " + status
					ptr := c.schemas.pointer("paths", path, strings.ToLower(method), "responses", status, "content", typeJSON, "schema")
					visit := func(change func(map[string]any)) error {
						v := clone(t, example)
						change(v)
						return c.schemas.checkValue(ptr, v)
					}
					if err := visit(func(map[string]any) {}); err != nil {
						t.Errorf("%s: %v", name, err)
					}
					for what, change := range spoilt(example) {
						if visit(change) == nil {
							t.Errorf("%s: passes %s", name, what)
						}
					}
				}
			}
		}
	}
	if n < 300 {
		t.Errorf("%d examples", n)
	}
}

// spoilt are ways to make an answer wrong.
func spoilt(example map[string]any) map[string]func(map[string]any) {
	ways := map[string]func(map[string]any){
		"with an unknown field":      func(v map[string]any) { v["unknown"] = 1 },
		"without its code":           func(v map[string]any) { delete(v, "code") },
		"with a number as message":   func(v map[string]any) { v["message"] = 1 },
		"with the opposite status":   func(v map[string]any) { v["status"] = v["status"] != true },
		"with its data another type": func(v map[string]any) { v["data"] = "text" },
	}
	if _, ok := example["data"]; ok {
		ways["without its data"] = func(v map[string]any) { delete(v, "data") }
	}
	if _, ok := example["data"].(map[string]any); ok {
		ways["with an unknown field in its data"] = func(v map[string]any) { v["data"].(map[string]any)["unknown"] = 1 }
	}
	if list, ok := example["data"].([]any); ok && len(list) > 0 {
		ways["with an unknown field in its list"] = func(v map[string]any) { v["data"].([]any)[0].(map[string]any)["unknown"] = 1 }
	}
	return ways
}

func examplesOf(media *openapi3.MediaType) (list []map[string]any) {
	if v, ok := media.Example.(map[string]any); ok {
		list = append(list, v)
	}
	for _, name := range slices.Sorted(maps.Keys(media.Examples)) {
		if v, ok := media.Examples[name].Value.Value.(map[string]any); ok {
			list = append(list, v)
		}
	}
	return list
}

func clone(t *testing.T, v map[string]any) (out map[string]any) {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

const (
	ok       = `{"status":true,"code":"OK","message":"Done.","data":null}`
	message  = `{"id":"msg_1","wa_id":"3EB0","instance":"inst_1","chat":"628@c.us","kind":"text","state":"queued","attempts":0,"ack":0,"created_at":"2026-11-23T01:02:03Z","instance_state":"WORKING"%s}`
	queued   = `{"status":true,"code":"QUEUED","message":"m","id":"msg_1","data":` + message + `}`
	refused  = `{"status":false,"code":"%s","message":"m","data":null,"request_id":"r"}`
	jsonType = "application/json; charset=utf-8"
	hello    = `{"key":"k","phone":628,"body":"x"}`
)

// TestWrongIsFound puts servers that are wrong in one thing behind the verifier.
func TestWrongIsFound(t *testing.T) {
	t.Parallel()
	c := load(t)
	fail := func(code problem.Code) string { return fmt.Sprintf(refused, code) }
	sent := fmt.Sprintf(queued, "")
	for name, x := range map[string]struct {
		method, url, kind, body string // of the request
		always200               bool
		status                  int
		answerKind, answer      string
		id                      string // of the request, in the headers; empty: r
		want                    string // in the error; empty: all is well
	}{
		"a send":                   {url: "/wa/send", body: hello, status: 200, answer: sent},
		"as a form":                {url: "/wa/send", kind: typeForm, body: "key=k&phone[]=1&phone[]=2&body=50%+a", status: 200, answer: sent},
		"JSON in a form":           {url: "/wa/send", kind: "text/plain", body: "data=" + strings.ReplaceAll(hello, `"`, "%22"), status: 200, answer: sent},
		"JSON called a form":       {url: "/wa/send", kind: typeForm, body: "\xef\xbb\xbf " + hello, status: 200, answer: sent},
		"a slash too many":         {url: "//wa/send/", body: hello, status: 200, answer: sent},
		"a refusal":                {url: "/wa/send", body: `[`, status: 400, answer: fail(problem.BadRequest)},
		"200 for a refusal":        {url: "/wa/send", body: `[`, always200: true, status: 200, answer: fail(problem.BadRequest)},
		"not there":                {method: "GET", url: "/v1/nothing", status: 404, answer: fail(problem.NotFound)},
		"not so":                   {method: "GET", url: "/wa/send", status: 405, answer: fail(problem.MethodNotAllowed)},
		"the console":              {method: "GET", url: "/login", status: 200, answerKind: "text/html", answer: "<p>"},
		"a file":                   {method: "GET", url: "/v1/media/med_1?wait=1&signature=s", status: 200, answerKind: "image/png", answer: "png"},
		"an event":                 {method: "GET", url: "/v1/events/stream", status: 200, answerKind: "text/event-stream", answer: frame("")},
		"the wrong status":         {url: "/wa/send", body: hello, status: 201, answer: sent, want: "no such status"},
		"a missing field":          {url: "/wa/send", body: hello, status: 200, answer: strings.Replace(sent, `"wa_id":"3EB0",`, "", 1), want: "wa_id"},
		"another request's id":     {url: "/wa/send", body: `[`, status: 400, answer: fail(problem.BadRequest), id: "other", want: "X-Request-Id"},
		"an unknown field":         {url: "/wa/send", body: hello, status: 200, answer: fmt.Sprintf(queued, `,"secret":1`), want: "secret"},
		"the wrong type":           {url: "/wa/send", body: hello, status: 200, answer: strings.Replace(sent, `"ack":0`, `"ack":"0"`, 1), want: "ack"},
		"an unknown word":          {url: "/wa/send", body: hello, status: 200, answer: strings.Replace(sent, "WORKING", "ASLEEP", 1), want: "instance_state"},
		"no JSON":                  {url: "/wa/send", body: hello, status: 200, answerKind: "text/plain", answer: "sent", want: "text/plain"},
		"broken JSON":              {url: "/wa/send", body: hello, status: 200, answer: sent[:20], want: "decode"},
		"nothing":                  {url: "/wa/send", body: hello, status: 200, want: "decode"},
		"the code of another":      {url: "/wa/send", body: hello, status: 422, answer: fail(problem.BadRequest), want: "BAD_REQUEST is not a code of HTTP 422"},
		"no code":                  {url: "/wa/send", body: hello, status: 422, answer: fail("ODD"), want: "ODD"},
		"a code of elsewhere":      {url: "/wa/send", body: hello, status: 422, answer: fail(problem.PacingInvalid), want: "does not have PACING_INVALID here"},
		"200 for a refusal in v1":  {url: "/v1/messages", body: hello, always200: true, status: 200, answer: fail(problem.BadRequest), want: "BAD_REQUEST is not a code of HTTP 200"},
		"200 unasked":              {url: "/wa/send", body: hello, status: 200, answer: fail(problem.BadRequest), want: "BAD_REQUEST is not a code of HTTP 200"},
		"there after all":          {method: "GET", url: "/v1/nothing", status: 200, answer: ok, want: "not in the contract"},
		"so after all":             {method: "GET", url: "/wa/send", status: 404, answer: fail(problem.NotFound), want: "not METHOD_NOT_ALLOWED"},
		"a wrong request taken":    {url: "/wa/send", body: `{"phone":628}`, status: 200, answer: sent, want: "the request was taken"},
		"a wrong form taken":       {url: "/wa/send", kind: typeForm, body: "body=x", status: 200, answer: sent, want: "what the form says"},
		"an unknown parameter":     {method: "GET", url: "/v1/instances?all=1", status: 200, answer: `{"status":true,"code":"OK","message":"m","data":[]}`, want: `"all"`},
		"a wrong parameter":        {method: "GET", url: "/v1/audit?limit=0", status: 200, answer: `{"status":true,"code":"OK","message":"m","data":[]}`, want: "limit"},
		"a body that was not read": {url: "/wa/send", body: "unread", status: 200, answer: sent, want: "was not read"},
		"an event with more":       {method: "GET", url: "/v1/events/stream", status: 200, answerKind: "text/event-stream", answer: frame(`,"secret":1`), want: "secret"},
		"an event by another name": {method: "GET", url: "/v1/events/stream", status: 200, answerKind: "text/event-stream", answer: strings.Replace(frame(""), "event: message", "event: call", 1), want: "id and type"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := c
			if x.always200 {
				c = c.Always200()
			}
			server := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if x.body != "unread" {
					_, _ = io.Copy(io.Discard, r.Body)
				}
				kind := x.answerKind
				if kind == "" {
					kind = jsonType
				}
				w.Header().Set("Content-Type", kind)
				w.Header().Set("X-Request-Id", x.id)
				w.WriteHeader(x.status)
				for _, half := range []string{x.answer[:len(x.answer)/2], x.answer[len(x.answer)/2:]} {
					_, _ = io.WriteString(w, half)
					w.(http.Flusher).Flush()
				}
			})
			if x.method == "" {
				x.method = http.MethodPost
			}
			if x.id == "" {
				x.id = "r"
			}
			judge := func(where, said string) {
				if x.want == "" && said != "" || !strings.Contains(said, x.want) {
					t.Errorf("%s: %q, want %q", where, said, x.want)
				}
			}

			var heard recorder
			req := httptest.NewRequestWithContext(t.Context(), x.method, "http://h"+x.url, strings.NewReader(x.body))
			req.Header.Set("Content-Type", x.kind)
			rec := httptest.NewRecorder()
			c.Handler(&heard, server).ServeHTTP(rec, req)
			judge("Handler", heard.said)
			if rec.Code != x.status || rec.Body.String() != x.answer {
				t.Errorf("HTTP %d %s", rec.Code, rec.Body)
			}

			srv := httptest.NewServer(server)
			defer srv.Close()
			plain := &http.Transport{DisableKeepAlives: true}
			client := &http.Client{Transport: c.Transport(plain)}
			req, err := http.NewRequestWithContext(t.Context(), x.method, srv.URL+x.url, strings.NewReader(x.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", x.kind)
			resp, err := client.Do(req)
			if err == nil {
				var b []byte
				b, err = io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err == nil && string(b) != x.answer {
					t.Errorf("the client reads %s", b)
				}
			}
			if x.body != "unread" { // the client's side has sent it, and knows no more
				if err == nil {
					err = errors.New("")
				}
				judge("Transport", err.Error())
			}
		})
	}
}

func frame(more string) string {
	return "retry: 2000\n\nid: evt_01KAT2X5N8Q4R7S9T0V1W2X3Y4\nevent: message\ndata: " +
		`{"id":"evt_01KAT2X5N8Q4R7S9T0V1W2X3Y4","seq":1,"type":"message","time":"2026-11-23T01:02:03Z","instance":"inst_1","data":{"id":"3EB0","chat":"1@c.us","from_me":false,"kind":"chat","body":"x","time":"2026-11-23T01:02:03Z","replayed":false` +
		more + "}}\n\n: ping\n\n"
}

// recorder is a test that hears what would have failed it.
type recorder struct {
	testing.TB
	said string
}

func (r *recorder) Error(args ...any) { r.said += fmt.Sprint(args...) }

// TestSeen shows that codes are noted wherever they stand.
func TestSeen(t *testing.T) {
	t.Parallel()
	c := load(t)
	for code, answer := range map[problem.Code]string{
		problem.BulkInvalid: `{"status":false,"code":"BULK_INVALID","message":"m","request_id":"r","data":{"items":[{"index":0,"phone":"1","code":"DUPLICATE","message":"m"}]}}`,
		problem.Expired:     `{"status":false,"code":"EXPIRED","message":"m","request_id":"r","data":` + fmt.Sprintf(message, `,"code":"EXPIRED"`) + `}`,
	} {
		var heard recorder
		h := c.Always200().Handler(&heard, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", jsonType)
			w.Header().Set("X-Request-Id", "r")
			w.WriteHeader(problem.Lookup(code).Status)
			_, _ = io.WriteString(w, answer)
		}))
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "POST", "/wa/send", strings.NewReader(hello)))
		if heard.said != "" {
			t.Error(heard.said)
		}
	}
	if got := fmt.Sprint(c.Seen()); got != "[BULK_INVALID DUPLICATE EXPIRED]" {
		t.Error(got)
	}
}

// BenchmarkCheck is what the verifier costs a request.
func BenchmarkCheck(b *testing.B) {
	c := load(b)
	answer := fmt.Sprintf(queued, "")
	for i := range b.N {
		req := httptest.NewRequestWithContext(b.Context(), "POST", "/wa/send", nil)
		header := http.Header{"Content-Type": {jsonType}, "X-Request-Id": {strconv.Itoa(i)}}
		if err := c.check(exchange{req: req, body: []byte(hello), whole: true, status: 200, header: header, answer: []byte(answer)}); err != nil {
			b.Fatal(err)
		}
	}
}

// TestDelivery shows what is wrong with a call to a webhook's address.
func TestDelivery(t *testing.T) {
	t.Parallel()
	c := load(t)
	good := `{"id":"evt_01KAT2X5N8Q4R7S9T0V1W2X3Y4","seq":0,"type":"webhook.test","time":"2026-11-23T01:02:03Z","instance":"","data":{"webhook":"wh_1","hello":"x"},"metadata":{"a":1}}`
	for name, try := range map[string]struct{ lacks, body, want string }{
		"good":             {body: good},
		"unsigned":         {lacks: "webhook-signature", body: good, want: "webhook-signature"},
		"of no type":       {lacks: "Content-Type", body: good, want: "POST"},
		"an unknown field": {body: strings.Replace(good, `"seq"`, `"secret":1,"seq"`, 1), want: "/secret is unknown"},
		"other data":       {body: strings.Replace(good, `"webhook":`, `"key":`, 1), want: "webhook"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/", nil)
		for _, h := range []string{"webhook-id", "webhook-timestamp", "webhook-signature", "X-Hub-Signature-256"} {
			r.Header.Set(h, "x")
		}
		r.Header.Set("Content-Type", typeJSON)
		r.Header.Del(try.lacks)
		err := c.Delivery(r, []byte(try.body))
		if (err == nil) != (try.want == "") || err != nil && !strings.Contains(err.Error(), try.want) {
			t.Errorf("%s: %v, want %q", name, err, try.want)
		}
	}
}
