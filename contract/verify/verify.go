// Package verify holds what really is sent and answered to the contract. It is for tests: Contract.Handler stands around a
// server, Contract.Transport around the transport of a client, and each request with its answer is checked by kin-openapi.
//
// Invariant: an answer is always as the contract says, with no field that it does not know; a request is when it was
// answered 2xx. Nothing is changed on the way, and what passes is not waited for.
//
// Not looked at: addresses that are neither in the contract nor below /wa and /v1. These are the console's pages, and the
// addresses of other gateways (handlers/adapters.go), whose contracts are not ours: their own tests hold them.
package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"kurir/contract"
	"kurir/problem"
)

// What is kept of a body in bytes. A larger request is checked without its body; no answer that is JSON is larger.
const (
	maxRequest = 256 << 10
	maxAnswer  = 8 << 20
)

// Contract is the contract, ready to be held against traffic. It may be used by many goroutines.
type Contract struct {
	doc       *openapi3.T
	router    routers.Router
	schemas   *schemas
	always200 bool
	seen      *codes
}

// codes notes which codes were answered.
type codes struct {
	mu     sync.Mutex
	answer map[problem.Code]bool
}

// New reads the contract. An error is one of openapi.yaml.
func New() (*Contract, error) { return read(contract.OpenAPI()) }

func read(yaml []byte) (*Contract, error) {
	open, err := openapi3.NewLoader().LoadFromData(yaml)
	if err != nil {
		return nil, fmt.Errorf("read the contract: %w", err)
	}
	closed, err := closeAnswers(open)
	if err != nil {
		return nil, fmt.Errorf("close the contract: %w", err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(closed)
	if err != nil {
		return nil, fmt.Errorf("read the closed contract: %w", err)
	}
	router, err := legacy.NewRouter(doc, openapi3.DisableExamplesValidation()) // TestExamplesAreClosed does that, once
	if err != nil {
		return nil, fmt.Errorf("routes of the contract: %w", err)
	}
	decodeForms()
	schemas, err := newSchemas(closed)
	if err != nil {
		return nil, fmt.Errorf("schemas of the contract: %w", err)
	}
	return &Contract{doc: doc, router: router, schemas: schemas, seen: &codes{answer: map[problem.Code]bool{}}}, nil
}

// Always200 is the contract of a gateway with KURIR_WA_ALWAYS_200: the failures of /wa/* come as 200, and are what their
// code says. What it sees is seen by c, too.
func (c *Contract) Always200() *Contract {
	other := *c
	other.always200 = true
	return &other
}

// Seen lists the codes of failures that were answered, as the code of the answer or of one of the items in it.
func (c *Contract) Seen() []problem.Code {
	c.seen.mu.Lock()
	defer c.seen.mu.Unlock()
	var list []problem.Code
	for code := range c.seen.answer {
		list = append(list, code)
	}
	slices.Sort(list)
	return list
}

// exchange is one request and its answer.
type exchange struct {
	req    *http.Request // its body is not read
	body   []byte        // the request's, as far as it was read and kept
	whole  bool          // that is all of it
	status int
	header http.Header // the answer's
	answer []byte
	cut    bool // the answer is longer
}

// envelope is what every answer that is JSON has, be it a success or a failure.
type envelope struct {
	Status    *bool           `json:"status"`
	Code      problem.Code    `json:"code"`
	Data      json.RawMessage `json:"data"`
	RequestID string          `json:"request_id"`
}

// isOurs says whether the contract has a say in an address.
func (c *Contract) isOurs(path string) bool {
	return strings.HasPrefix(path, "/wa/") || strings.HasPrefix(path, "/v1/") || c.doc.Paths.Value(path) != nil
}

// check returns what is wrong with an exchange.
func (c *Contract) check(x exchange) error {
	clean := path.Clean(x.req.URL.Path)
	if !c.isOurs(clean) {
		return nil
	}
	if err := c.checked(x, clean); err != nil {
		return fmt.Errorf("contract: %s %s, HTTP %d: %w\nrequest: %s\nanswer: %s", x.req.Method, x.req.URL.Path, x.status, err, clip(x.body), clip(x.answer))
	}
	return nil
}

func clip(b []byte) string {
	const most = 600
	if len(b) > most {
		return string(b[:most]) + "…"
	}
	return string(b)
}

func (c *Contract) checked(x exchange, clean string) error {
	var e envelope
	if isJSON(x.header) && !x.cut {
		_ = json.Unmarshal(x.answer, &e) // what is no envelope is refused below
	}
	failed := e.Status != nil && !*e.Status
	if id := x.header.Get("X-Request-Id"); id == "" || failed && e.RequestID != id {
		return fmt.Errorf("the X-Request-Id is %q, and request_id %q", id, e.RequestID)
	}
	if failed {
		if c.always200 && strings.HasPrefix(clean, "/wa/") && x.status == http.StatusOK {
			x.status = problem.Lookup(e.Code).Status
		}
		if entry, ok := problem.Catalog[e.Code]; !ok || entry.Status != x.status {
			return fmt.Errorf("%s is not a code of HTTP %d", e.Code, x.status)
		}
		c.note(e)
	}
	req := x.req.Clone(context.Background())
	req.URL.Path, req.URL.RawPath = clean, ""
	route, params, err := c.router.FindRoute(req)
	if err != nil {
		return c.checkNowhere(req, e.Code)
	}
	in := &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route, Options: options()}
	if err := c.checkAnswer(x, in, e.Code, failed); err != nil {
		return err
	}
	if x.status >= 300 || x.status < 200 {
		return nil
	}
	if err := c.checkRequest(x, in); err != nil {
		return fmt.Errorf("the request was taken: %w", err)
	}
	return nil
}

func options() *openapi3filter.Options {
	return &openapi3filter.Options{
		IncludeResponseStatus: true, SkipSettingDefaults: true, MultiError: true,
		AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, // whose a key is, is not the contract's to say
	}
}

// everywhere are the codes of what is refused before the address is looked at.
var everywhere = []problem.Code{problem.KeyInURL, problem.EncodingUnsupported, problem.Internal}

// checkNowhere is for addresses and methods that the contract does not know: nothing may be there.
func (c *Contract) checkNowhere(req *http.Request, code problem.Code) error {
	want := problem.NotFound
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
		other := req.Clone(context.Background())
		other.Method = method
		if _, _, err := c.router.FindRoute(other); err == nil {
			want = problem.MethodNotAllowed
		}
	}
	if code != want && !slices.Contains(everywhere, code) && req.Method != http.MethodHead {
		return fmt.Errorf("it is not in the contract and answers %q, not %s", code, want)
	}
	return nil
}

// checkAnswer holds an answer to what the contract says of this operation and status.
func (c *Contract) checkAnswer(x exchange, in *openapi3filter.RequestValidationInput, code problem.Code, failed bool) error {
	described := in.Route.Operation.Responses.Status(x.status)
	if described == nil {
		return errors.New("the contract has no such status here")
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: x.status, Header: x.header, Options: options()}
	out.SetBodyBytes(x.answer)
	content := described.Value.Content
	switch kind := x.header.Get("Content-Type"); {
	case in.Request.Method == http.MethodHead, x.status == http.StatusNotModified:
		return nil // kin has nothing to say, and there is no body
	case len(content) == 0 && len(x.answer) > 0:
		return errors.New("the contract knows of no body")
	case len(content) > 0 && content.Get(kind) == nil:
		return fmt.Errorf("the contract has no %q here", kind)
	case x.cut && isJSON(x.header):
		return fmt.Errorf("the answer is longer than the %d bytes that are looked at", maxAnswer)
	case !isJSON(x.header): // a file; a stream is checked as it passes
		out.Options.ExcludeResponseBody = true
	default:
		ptr := c.schemas.pointer("paths", in.Route.Path, strings.ToLower(in.Route.Method), "responses", statusName(in.Route.Operation, x.status), "content", typeJSON, "schema")
		if err := c.schemas.check(ptr, x.answer); err != nil {
			return err
		}
		out.Options.ExcludeResponseBody = !c.schemas.first(fmt.Sprint(in.Route.Operation.OperationID, x.status))
	}
	if err := openapi3filter.ValidateResponse(context.Background(), out); err != nil {
		return reason(err)
	}
	if failed && !slices.Contains(codesOf(content), code) {
		return fmt.Errorf("the contract does not have %s here, only %v", code, codesOf(content))
	}
	return nil
}

// statusName is the name under which an operation has a status: itself, or 4XX.
func statusName(op *openapi3.Operation, status int) string {
	if name := strconv.Itoa(status); op.Responses.Value(name) != nil {
		return name
	}
	return fmt.Sprintf("%dXX", status/100)
}

// codesOf lists the codes that the examples of a failure have.
func codesOf(content openapi3.Content) (list []problem.Code) {
	for _, media := range content {
		for _, example := range media.Examples {
			if value, ok := example.Value.Value.(map[string]any); ok {
				code, _ := value["code"].(string)
				list = append(list, problem.Code(code))
			}
		}
	}
	slices.Sort(list)
	return list
}

// note keeps the code of a failure, and those of the items that it is about.
func (c *Contract) note(e envelope) {
	c.seen.mu.Lock()
	defer c.seen.mu.Unlock()
	c.seen.answer[e.Code] = true
	var data struct {
		Items []struct{ Code problem.Code } `json:"items"`
	}
	if json.Unmarshal(e.Data, &data) != nil {
		return // it is about something else
	}
	for _, item := range data.Items {
		c.seen.answer[item.Code] = true
	}
}

func isJSON(h http.Header) bool { return strings.HasPrefix(h.Get("Content-Type"), "application/json") }
