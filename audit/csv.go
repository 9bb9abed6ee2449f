// Package audit writes the audit log as a table for spreadsheets. The API and the console both hand it out.
//
// Invariant: a file that ends well is whole; no cell is taken for a formula; memory does not grow with the log.
package audit

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"kurir/models"
	"kurir/problem"
)

// FileName is what a browser calls the export.
const FileName = "kurir-audit.csv"

// Source is where the lines are.
type Source interface {
	AuditLines(ctx context.Context, f models.AuditFilter, limit int) ([]models.AuditEntry, error)
}

// page is how many lines are in memory at a time.
const page = 500

// Filter reads ?after=, ?since= and ?instance=; BAD_REQUEST says which of them is wrong.
func Filter(q url.Values) (models.AuditFilter, error) {
	f := models.AuditFilter{InstanceID: q.Get("instance")}
	if s := q.Get("after"); s != "" {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < 0 {
			return f, problem.New(problem.BadRequest, "`after` must be the id of a line")
		}
		f.After = n
	}
	if s := q.Get("since"); s != "" {
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			at, err = time.Parse(time.DateOnly, s)
		}
		if err != nil {
			return f, problem.New(problem.BadRequest, "`since` must be a time such as 2026-11-28T08:00:00+07:00, or a day such as 2026-11-28 (UTC)")
		}
		f.Since = at
	}
	return f, nil
}

// WriteCSV writes a line with the names of the columns and then the log, oldest first. flush is called after every
// page. After an error the file is not whole, and whoever reads it must be told: end the connection without its end.
func WriteCSV(ctx context.Context, w io.Writer, flush func() error, from Source, f models.AuditFilter) error {
	out := csv.NewWriter(w)
	err := out.Write([]string{"id", "time", "actor", "ip", "action", "instance", "target", "code", "request_id", "latency_us", "prev", "hash"})
	for err == nil {
		var lines []models.AuditEntry
		if lines, err = from.AuditLines(ctx, f, page); err != nil {
			break
		}
		for i := range lines {
			_ = out.Write(cells(&lines[i])) // kept by out until Error
		}
		out.Flush()
		if err = out.Error(); err == nil && flush != nil {
			err = flush()
		}
		if len(lines) < page {
			break
		}
		f.After = lines[len(lines)-1].ID
	}
	if err != nil {
		return fmt.Errorf("write the audit log as CSV: %w", err)
	}
	return nil
}

func cells(a *models.AuditEntry) []string {
	return []string{
		strconv.FormatInt(a.ID, 10), a.Time.UTC().Format("2006-01-02T15:04:05.000000Z"), harmless(a.Actor), harmless(a.IP), harmless(a.Action),
		harmless(a.InstanceID), harmless(a.Target), harmless(a.Code), harmless(a.RequestID), strconv.FormatInt(a.LatencyUS, 10),
		a.Prev.String(), a.Hash.String(),
	}
}

// harmless keeps a spreadsheet from running what begins as a formula.
func harmless(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r\n", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}
