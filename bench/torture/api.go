package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"kurir/sandbox"
)

const adminToken = "admin-token-of-the-torture"

// api calls kurir and the sandbox's control API.
type api struct {
	kurir, control string
	http           *http.Client
}

func newAPI(kurir, control string) *api {
	return &api{kurir: kurir, control: control, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: 90 * time.Second}}
}

// answer is kurir's envelope.
type answer struct {
	HTTP    int             `json:"-"`
	Status  bool            `json:"status"`
	Code    string          `json:"code"`
	Message string          `json:"message"`
	ID      string          `json:"id"`
	Data    json.RawMessage `json:"data"`
}

// message is what kurir says of one.
type message struct {
	ID     string `json:"id"`
	WAID   string `json:"wa_id"`
	State  string `json:"state"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Ack    int    `json:"ack"`
}

// left says whether WhatsApp has it, by kurir's word.
func (m message) left() bool { return m.State == "sent" || m.State == "delivered" || m.State == "read" }

// waiting says whether it has not come to an end.
func (m message) waiting() bool {
	return m.State == "queued" || m.State == "scheduled" || m.State == "sending"
}

// post sends a body to kurir and reads the envelope. An error is one of the transport, or an answer that is no envelope.
func (a *api) post(ctx context.Context, method, path, contentType string, body []byte) (answer, error) {
	var out answer
	req, err := http.NewRequestWithContext(ctx, method, a.kurir+path, bytes.NewReader(body))
	if err != nil {
		return out, err
	}
	req.Header.Set("Content-Type", contentType)
	if !strings.HasPrefix(path, "/wa/") { // there the key is in the body
		req.Header.Set("Authorization", "Bearer "+adminToken)
	}
	resp, err := a.http.Do(req)
	if err != nil {
		return out, err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(b, &out); err != nil {
		return out, fmt.Errorf("%s answered %d %.200q", path, resp.StatusCode, b)
	}
	out.HTTP = resp.StatusCode
	return out, nil
}

// admin makes a call of /v1 that has to succeed.
func (a *api) admin(ctx context.Context, method, path string, body, into any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	out, err := a.post(ctx, method, path, "application/json", b)
	if err != nil {
		return err
	}
	if !out.Status {
		return fmt.Errorf("%s answered %d %s %s", path, out.HTTP, out.Code, out.Message)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(out.Data, into)
}

func (a *api) message(ctx context.Context, id string) (m message, err error) {
	err = a.admin(ctx, http.MethodGet, "/v1/messages/"+id, nil, &m)
	return m, err
}

// world calls the sandbox.
func (a *api) world(ctx context.Context, method, path string, body, into any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, a.control+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	resp, err := a.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if b, err = io.ReadAll(resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the sandbox answered %s to %s: %.200s", resp.Status, path, bytes.TrimSpace(b))
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(b, into)
}

func (a *api) fault(ctx context.Context, f sandbox.Fault) error {
	return a.world(ctx, http.MethodPost, "/faults", f, nil)
}

func (a *api) clearFaults(ctx context.Context) error {
	return a.world(ctx, http.MethodDelete, "/faults", nil, nil)
}

func (a *api) held(ctx context.Context) (list []sandbox.Held, err error) {
	err = a.world(ctx, http.MethodGet, "/held", nil, &list)
	return list, err
}

// inbox is what a phone has received, once it has fetched all files.
func (a *api) inbox(ctx context.Context, number string) (list []sandbox.Received, err error) {
	err = poll(ctx, time.Minute, 50*time.Millisecond, func() error {
		list = nil
		if err := a.world(ctx, http.MethodGet, "/phones/"+number+"/inbox", nil, &list); err != nil {
			return err
		}
		for _, r := range list {
			if r.Fetching {
				return fmt.Errorf("phone %s still fetches %s", number, r.ID)
			}
		}
		return nil
	})
	return list, err
}

// qr is the text of an instance's code.
func (a *api) qr(ctx context.Context, in *instance) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.kurir+"/v1/instances/"+in.id+"/qr", nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	req.Header.Set("Accept", "text/plain")
	resp, err := a.http.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	return string(bytes.TrimSpace(text)), err
}
