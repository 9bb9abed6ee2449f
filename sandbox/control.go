package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

const (
	maxControlBody = 140 << 20 // bytes: a file of 100 MB in base64
	maxWait        = time.Minute
)

// controlHandler is the simulator's control API: JSON over HTTP for programs on this machine. It needs no key, so it
// answers only when it is addressed by a loopback name, and no web page can make a browser post to it.
func (s *Server) controlHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /info", control0(func(*http.Request) (any, error) { return s.info(), nil }))
	mux.HandleFunc("GET /phones", control0(func(*http.Request) (any, error) { return s.Phones(), nil }))
	mux.HandleFunc("POST /phones", control1(func(_ *http.Request, spec PhoneSpec) (any, error) { return s.CreatePhone(spec) }))
	mux.HandleFunc("GET /phones/{number}", control0(func(r *http.Request) (any, error) { return s.Phone(r.PathValue("number")) }))
	mux.HandleFunc("POST /phones/{number}/scan", control1(func(r *http.Request, a struct {
		QR string `json:"qr"`
	}) (any, error) {
		return s.linkAndWait(r, s.Scan(r.PathValue("number"), a.QR))
	}))
	mux.HandleFunc("POST /phones/{number}/enter-code", control1(func(r *http.Request, a struct {
		Code string `json:"code"`
	}) (any, error) {
		return s.linkAndWait(r, s.EnterCode(r.PathValue("number"), a.Code))
	}))
	mux.HandleFunc("GET /phones/{number}/inbox", control0(s.controlInbox))
	mux.HandleFunc("GET /phones/{number}/inbox/{n}/file", s.controlFile)
	mux.HandleFunc("GET /phones/{number}/messages", control0(func(r *http.Request) (any, error) {
		limit, err := queryInt(r, "limit", 100)
		if err != nil {
			return nil, err
		}
		list, err := s.Messages(r.PathValue("number"), r.FormValue("chat"), limit)
		return append([]WireMessage{}, list...), err
	}))
	mux.HandleFunc("POST /phones/{number}/send", control1(func(r *http.Request, a struct {
		To string `json:"to"`
		Message
	}) (any, error) {
		if a.ID == "" {
			a.ID = NewMessageID()
		}
		return map[string]string{"id": a.ID}, s.SendFrom(r.PathValue("number"), a.To, a.Message)
	}))
	mux.HandleFunc("POST /phones/{number}/read", control1(func(r *http.Request, a struct {
		Chat string   `json:"chat"`
		IDs  []string `json:"ids"`
	}) (any, error) {
		return none{}, s.Read(r.PathValue("number"), a.Chat, a.IDs...)
	}))
	mux.HandleFunc("POST /phones/{number}/offline", control1(func(r *http.Request, a struct {
		Offline bool `json:"offline"`
	}) (any, error) {
		return none{}, s.SetOffline(r.PathValue("number"), a.Offline)
	}))
	mux.HandleFunc("POST /phones/{number}/unlink", control0(func(r *http.Request) (any, error) { return none{}, s.Unlink(r.PathValue("number")) }))
	s.controlDeeds(mux)
	mux.HandleFunc("POST /groups", control1(func(_ *http.Request, a struct {
		Owner        string   `json:"owner"`
		Subject      string   `json:"subject"`
		Participants []string `json:"participants"`
	}) (any, error) {
		wid, err := s.CreateGroup(a.Owner, a.Subject, a.Participants)
		return map[string]string{"group": wid}, err
	}))
	s.controlFaults(mux)
	return loopbackOnly(http.NewCrossOriginProtection().Handler(mux))
}

func (s *Server) controlFaults(mux *http.ServeMux) {
	mux.HandleFunc("GET /faults", control0(func(*http.Request) (any, error) { return s.Faults(), nil }))
	mux.HandleFunc("POST /faults", control1(func(_ *http.Request, f Fault) (any, error) {
		id, err := s.SetFault(f)
		return map[string]string{"id": id}, err
	}))
	mux.HandleFunc("DELETE /faults", control0(func(*http.Request) (any, error) { s.ClearFaults(); return none{}, nil }))
	mux.HandleFunc("DELETE /faults/{id}", control0(func(r *http.Request) (any, error) { s.ClearFault(r.PathValue("id")); return none{}, nil }))
	mux.HandleFunc("GET /held", control0(func(r *http.Request) (any, error) {
		wait, err := queryInt(r, "wait", 0)
		if err != nil || wait == 0 {
			return s.Held(), err
		}
		ctx, cancel := context.WithTimeout(r.Context(), min(maxWait, time.Duration(wait)*time.Second))
		defer cancel()
		_, _ = s.WaitHeld(ctx) // nothing held in that time: an empty list says so
		return s.Held(), nil
	}))
	mux.HandleFunc("POST /held/release", control1(func(_ *http.Request, a struct {
		MessageID string `json:"message_id"`
	}) (any, error) {
		s.Release(a.MessageID)
		return none{}, nil
	}))
}

// info is what another process needs to start a Chromium for this server.
func (s *Server) info() any {
	return map[string]any{
		"url": "https://" + pageHost + "/", "addr": s.pageAddr, "host_resolver_rules": s.resolverRules(), "spki": s.id.spki,
		"chromium_args": s.ChromiumArgs(), "magic_numbers": MagicNumbers(),
	}
}

// linkAndWait answers a scan: with ?wait=SECONDS it waits until the linked page has come back.
func (s *Server) linkAndWait(r *http.Request, err error) (any, error) {
	wait, werr := queryInt(r, "wait", 0)
	if err = errors.Join(err, werr); err != nil || wait == 0 {
		return none{}, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), min(maxWait, time.Duration(wait)*time.Second))
	defer cancel()
	if err := s.WaitLinked(ctx, r.PathValue("number")); err != nil {
		return nil, errorf(504, "the page was told but has not come back in time")
	}
	return none{}, nil
}

// controlInbox lists what a phone received; with ?count=N&wait=SECONDS it waits until there are N messages.
func (s *Server) controlInbox(r *http.Request) (any, error) {
	count, err := queryInt(r, "count", 0)
	wait, err2 := queryInt(r, "wait", 0)
	if err = errors.Join(err, err2); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), min(maxWait, time.Duration(max(wait, 10))*time.Second))
	defer cancel()
	list, err := s.WaitInbox(ctx, r.PathValue("number"), func(l []Received) bool { return len(l) >= count || wait == 0 })
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	return list, nil // in time or not: what there is
}

// controlFile gives the decrypted file of the n-th message of an inbox.
func (s *Server) controlFile(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.PathValue("n"))
	if err == nil {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		err = s.WriteFile(w, r.PathValue("number"), n)
	}
	if err != nil {
		answer(w, nil, err)
	}
}

// WriteFile writes the decrypted file of the n-th message of a phone's inbox.
func (s *Server) WriteFile(w io.Writer, number string, n int) error {
	list, err := s.Inbox(number)
	if err != nil {
		return err
	}
	if n < 1 || n > len(list) || list[n-1].Media == nil || list[n-1].MediaError != "" {
		return errorf(404, "message %d of %s has no file", n, number)
	}
	_, err = s.decryptTo(w, list[n-1].Type, *list[n-1].Media)
	return err
}

func queryInt(r *http.Request, name string, otherwise int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, errorf(400, "%s must be a whole number", name)
	}
	return n, nil
}

// control0 is a call without a body.
func control0(f func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := f(r)
		answer(w, v, err)
	}
}

// control1 is a call with a JSON body, strictly read.
func control1[T any](f func(*http.Request, T) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var a T
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxControlBody))
		d.DisallowUnknownFields()
		if err := d.Decode(&a); err != nil {
			answer(w, nil, errorf(400, "body: %v", err))
			return
		}
		v, err := f(r, a)
		answer(w, v, err)
	}
}

func answer(w http.ResponseWriter, v any, err error) {
	var e *Error
	switch {
	case err == nil:
		writeJSON(w, http.StatusOK, v)
	case errors.As(err, &e):
		writeJSON(w, e.Code, map[string]*Error{"error": e})
	default:
		writeJSON(w, http.StatusInternalServerError, map[string]*Error{"error": errorf(500, "%v", err)})
	}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client has left: nobody to tell
}

// loopbackOnly refuses requests for other names: a page of the web can have its own name resolve to 127.0.0.1 and
// would otherwise be let in.
func loopbackOnly(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if !isLoopback(host) {
			answer(w, nil, errorf(403, "the control API is for programs on this machine, not for %s", fmt.Sprintf("%.80q", host)))
			return
		}
		h.ServeHTTP(w, r)
	})
}
