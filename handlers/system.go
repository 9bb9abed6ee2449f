package handlers

import (
	"context"
	"time"

	"kurir/contract"
	"kurir/problem"
)

const readyTimeout = 5 * time.Second

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

// stats is GET /v1/stats: how much there is of everything.
func (s *server) stats(c *call) (reply, error) {
	v, err := s.Stats(c.ctx())
	if err != nil {
		return reply{}, err
	}
	return reply{code: codeOK, data: v}, nil
}
