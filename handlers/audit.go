package handlers

import (
	"net/http"
	"strconv"
	"time"

	"kurir/audit"
	"kurir/handlers/intake"
	"kurir/models"
	"kurir/problem"
)

const (
	maxAuditLimit = 1000
	csvPatience   = 30 * time.Second // how long a reader may take for a page of the export
)

// audit is GET /v1/audit?after=&since=&limit=&instance=: lines of the audit log, the oldest first. The next page is
// after the id of the last line.
func (s *server) audit(c *call) (reply, error) {
	f, err := audit.Filter(c.Request.URL.Query())
	if err != nil {
		return reply{}, err
	}
	n := defaultLimit
	if q := c.Query("limit"); q != "" {
		if n, err = parseLimit(q, maxAuditLimit); err != nil {
			return reply{}, problem.New(problem.LimitInvalid, "here at most "+strconv.Itoa(maxAuditLimit))
		}
	}
	lines, err := s.DB.AuditLines(c.ctx(), f, n)
	if err != nil {
		return reply{}, err
	}
	if lines == nil {
		lines = []models.AuditEntry{}
	}
	return reply{code: codeOK, data: lines}, nil
}

// auditCSV is GET /v1/audit.csv?after=&since=&instance=: the whole log as a file. It is written while it is read; when
// that breaks off the connection ends without the file's end, so that nobody takes a part for the whole.
func (s *server) auditCSV(c *call) {
	f, err := audit.Filter(c.Request.URL.Query())
	if _, _, denied := s.caller(c, &intake.Form{}); denied != nil {
		err = denied
	}
	c.line.Action, c.line.Code, c.line.InstanceID = "audit.export", codeOK, f.InstanceID
	if err == nil { // so that a database that does not answer is an answer of its own
		_, err = s.DB.AuditLines(c.ctx(), f, 1)
	}
	if err != nil {
		s.respond(c, reply{}, err)
		return
	}
	s.writeLine(c)
	h := c.Writer.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="`+audit.FileName+`"`)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	c.Status(http.StatusOK)
	out := http.NewResponseController(c.Writer)
	flush := func() error {
		_ = out.SetWriteDeadline(time.Now().Add(csvPatience)) // not every ResponseWriter (of a test) has deadlines
		return out.Flush()
	}
	if err := audit.WriteCSV(c.ctx(), c.Writer, flush, s.DB, f); err != nil {
		if c.ctx().Err() == nil {
			s.Log.Error("export of the audit log broke off", "request", c.request, "err", err)
		}
		panic(http.ErrAbortHandler)
	}
}
