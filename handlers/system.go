package handlers

import (
	"context"
	"strconv"
	"time"

	"kurir/contract"
	"kurir/models"
	"kurir/problem"
)

const (
	readyTimeout  = 5 * time.Second
	maxAuditLimit = 1000
)

// healthz is GET /healthz: the process answers.
func (s *server) healthz(*call) (reply, error) { return reply{code: codeOK}, nil }

// readyz is GET /readyz: it can do its work. What is missing is in the log; the answer is open to everybody.
func (s *server) readyz(c *call) (reply, error) {
	if s.Ready == nil {
		return reply{code: codeOK}, nil
	}
	ctx, cancel := context.WithTimeout(c.ctx(), readyTimeout)
	defer cancel()
	if err := s.Ready(ctx); err != nil {
		return reply{}, problem.Wrap(problem.Unavailable, "", err)
	}
	return reply{code: codeOK}, nil
}

// openAPI is GET /openapi.yaml: the contract of all this.
func openAPI(*call) (reply, error) {
	return reply{raw: contract.OpenAPI(), contentType: "application/yaml"}, nil
}

// audit is GET /v1/audit?after=&limit=&instance=: lines of the audit log, the oldest first. The next page is after
// the id of the last line.
func (s *server) audit(c *call) (reply, error) {
	var after int64
	if q := c.Query("after"); q != "" {
		var err error
		if after, err = strconv.ParseInt(q, 10, 64); err != nil || after < 0 {
			return reply{}, problem.New(problem.BadRequest, "`after` must be the id of a line")
		}
	}
	n := defaultLimit
	if q := c.Query("limit"); q != "" {
		var err error
		if n, err = parseLimit(q, maxAuditLimit); err != nil {
			return reply{}, problem.New(problem.LimitInvalid, "here at most "+strconv.Itoa(maxAuditLimit))
		}
	}
	lines, err := s.DB.Audit(c.ctx(), c.Query("instance"), after, n)
	if err != nil {
		return reply{}, err
	}
	if lines == nil {
		lines = []models.AuditEntry{}
	}
	return reply{code: codeOK, data: lines}, nil
}

// stats is GET /v1/stats: how much there is of everything.
func (s *server) stats(c *call) (reply, error) {
	v, err := s.Stats(c.ctx())
	if err != nil {
		return reply{}, err
	}
	return reply{code: codeOK, data: v}, nil
}
