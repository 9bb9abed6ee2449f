package handlers

import (
	"context"
	"errors"
	"time"

	"github.com/gin-gonic/gin"

	"kurir/models"
	"kurir/problem"
)

// call is one request on its way through a handler.
type call struct {
	*gin.Context
	started time.Time
	request string            // id of the request
	line    models.AuditEntry // what the audit log will say; no line while Actor is empty
	done    bool              // the line is written
	read    bool              // reads nothing changes: the line is written after the answer

	needs  access
	tenant tenant // who calls, once that is known
	secret string // the key that was told by
	admin  bool   // the operator calls

	dialect func(envelope) any // the shape of the answer at another gateway's address; nil: the envelope
}

// reply is what a handler answers when all went well. code is a word of codes.go.
type reply struct {
	status int // HTTP status; zero: 200
	code   string
	id     string
	data   any
	// complete says whether a list has all that was asked for; nil: it does not say.
	complete *bool

	raw         []byte // instead of the envelope
	contentType string // of raw
}

// failure is an error that has something to show besides its code, such as the state of the instance.
type failure struct {
	error
	id   string
	data any
}

func (f failure) Unwrap() error { return f.error }

func withData(err error, data any) error { return failure{err, "", data} }

// handle adapts a handler, which reads decode, validate, do, respond, to Gin. action is the word of the audit log;
// calls without one leave no line there. needs is for the handler, which asks tenant or caller when it has read the key.
func (s *server) handle(needs access, action string, do func(*call) (reply, error)) gin.HandlerFunc {
	return func(g *gin.Context) {
		c := s.newCall(g, needs, action)
		r, err := do(c)
		c.line.Code = r.code
		if err != nil {
			c.line.Code = string(codeOf(c, err))
		}
		if !c.read {
			s.writeLine(c)
		}
		s.respond(c, r, err)
		if c.read {
			g.Writer.Flush()
			s.writeLine(c)
		}
	}
}

func (s *server) newCall(g *gin.Context, needs access, action string) *call {
	c := &call{Context: g, started: time.Now(), request: g.GetString(requestKey), needs: needs, dialect: s.dialects[g.Request.URL.Path]}
	c.line = models.AuditEntry{Time: c.started, RequestID: c.request, IP: g.RemoteIP(), Action: action}
	return c
}

// writeLine writes the call's line of the audit log unless that was done with the message.
func (s *server) writeLine(c *call) {
	if c.done || c.line.Action == "" || c.line.Actor == "" {
		return
	}
	c.done = true
	c.line.LatencyUS = time.Since(c.started).Microseconds()
	// What was done was done, also when the caller has gone away meanwhile.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx()), 10*time.Second)
	defer cancel()
	if err := s.DB.AppendAudit(ctx, c.line); err != nil {
		s.Log.Error("audit line is lost", "request", c.request, "action", c.line.Action, "code", c.line.Code, "err", err)
	}
}

func (c *call) ctx() context.Context { return c.Request.Context() }

// codeOf is problem.CodeOf, but a caller who went away is no error of ours, and a time limit has a name.
func codeOf(c *call, err error) problem.Code {
	code := problem.CodeOf(err)
	switch {
	case code != problem.Internal:
		return code
	case errors.Is(err, context.Canceled) && c.ctx().Err() != nil:
		return problem.Unavailable
	case errors.Is(err, context.DeadlineExceeded):
		return problem.PageTimeout
	}
	return code
}
