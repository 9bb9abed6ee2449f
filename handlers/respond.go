package handlers

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"kurir/problem"
)

// The codes of success.
const (
	codeOK        = "OK"
	codeCreated   = "CREATED"
	codeQueued    = "QUEUED"
	codeScheduled = "SCHEDULED"
	codeSent      = "SENT"
)

// okText is the sentence that goes with a code of success.
func okText(code string, indonesian bool) string {
	switch {
	case code == codeQueued && indonesian:
		return "Pesan masuk antrean dan akan dikirim."
	case code == codeQueued:
		return "The message is in the queue and will be sent."
	case code == codeScheduled && indonesian:
		return "Pesan disimpan dan akan dikirim pada waktunya."
	case code == codeScheduled:
		return "The message is kept and will be sent at its time."
	case code == codeSent && indonesian:
		return "Pesan sudah diterima WhatsApp."
	case code == codeSent:
		return "WhatsApp has taken the message."
	case code == codeCreated && indonesian:
		return "Instance dibuat. Simpan key-nya: hanya ditampilkan sekali ini."
	case code == codeCreated:
		return "The instance is made. Keep its key: it is shown only now."
	case code == codeSecret && indonesian:
		return "Simpan secret ini: hanya ditampilkan sekali ini."
	case code == codeSecret:
		return "Keep the secret: it is shown only now."
	case code == codePending && indonesian:
		return "File sedang diambil dari WhatsApp."
	case code == codePending:
		return "The file is being fetched from WhatsApp."
	case indonesian:
		return "Berhasil."
	}
	return "Done."
}

// envelope is every answer.
type envelope struct {
	Status    bool   `json:"status"`
	Code      string `json:"code"`
	Message   string `json:"message"`
	ID        string `json:"id,omitempty"`
	Data      any    `json:"data"`
	Complete  *bool  `json:"complete,omitempty"`
	RequestID string `json:"request_id,omitempty"` // of a failure, to find it in the log
}

// respond writes the answer: the reply, or the error as the catalogue has it.
func (s *server) respond(c *call, r reply, err error) {
	h := c.Writer.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if err == nil && r.raw != nil {
		c.write(http.StatusOK, r.contentType, r.raw)
		return
	}
	indonesian := prefersIndonesian(c.GetHeader("Accept-Language"))
	status, e := http.StatusOK, envelope{Status: true, Code: r.code, ID: r.id, Data: r.data, Complete: r.complete}
	if err == nil {
		e.Message = okText(r.code, indonesian)
		if r.status != 0 {
			status = r.status
		}
	} else {
		status, e = s.explain(c, err, indonesian)
	}
	if s.WAAlways200 && (c.dialect != nil || strings.HasPrefix(c.Request.URL.Path, "/wa/")) {
		status = http.StatusOK
	}
	c.Set(codeKey, e.Code)
	body, err := encode(c.say(e))
	if err != nil {
		s.Log.Error("answer cannot be encoded", "request", c.request, "err", err)
		status, e = s.explain(c, err, indonesian)
		body, _ = encode(c.say(e)) // texts only
	}
	c.write(status, "application/json; charset=utf-8", body)
}

// explain turns an error into an answer. One without a code is logged and not told.
func (s *server) explain(c *call, err error, indonesian bool) (int, envelope) {
	code := codeOf(c, err)
	entry := problem.Lookup(code)
	level := slog.LevelDebug
	switch {
	case code == problem.Internal:
		level = slog.LevelError
	case entry.Status >= http.StatusInternalServerError && code != problem.InstanceNotReady:
		level = slog.LevelWarn
	}
	s.Log.Log(c.ctx(), level, "call refused", "request", c.request, "path", c.FullPath(), "instance", c.line.InstanceID, "code", code, "err", err)
	e := envelope{Code: string(code), Message: sentence(code, err, indonesian), RequestID: c.request}
	var f failure
	if errors.As(err, &f) {
		e.ID, e.Data = f.id, f.data
	}
	return entry.Status, e
}

// sentence is what the catalogue says about an error, with the case at hand.
func sentence(code problem.Code, err error, indonesian bool) string {
	text := problem.Lookup(code).EN
	if indonesian {
		text = problem.Lookup(code).ID
	}
	var p *problem.Error
	if errors.As(err, &p) && p.Code == code && p.Detail != "" {
		text += " (" + p.Detail + ")"
	}
	return text
}

// say puts an answer into the shape that the caller knows.
func (c *call) say(e envelope) any {
	if c.dialect != nil {
		return c.dialect(e)
	}
	return e
}

func encode(e any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // texts arrive as they were written
	err := enc.Encode(e)
	return b.Bytes(), err
}

// write sends the whole answer with its length, so that no intermediary has to guess.
func (c *call) write(status int, contentType string, body []byte) {
	h := c.Writer.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	c.Writer.WriteHeader(status)
	_, _ = c.Writer.Write(body) // a caller who went away needs no answer
}

// prefersIndonesian reads the first language of Accept-Language.
func prefersIndonesian(accept string) bool {
	first, _, _ := strings.Cut(accept, ",")
	first, _, _ = strings.Cut(first, ";")
	lang, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(first)), "-")
	return lang == "id" || lang == "in" // in: the old code, which Java still sends
}
