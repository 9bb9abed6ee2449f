package models

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// maxStatements bounds the prepared statements kept; a query text beyond it is prepared each time.
const maxStatements = 256

// errOwned is the answer to a Commit or Rollback inside a Write.
var errOwned = errors.New("models: DB.Write owns the transaction")

// session is the one connection that writes, with its prepared statements. It is GORM's ConnPool inside a Write.
// It is not database/sql's Tx because that prepares a statement anew in every transaction that did not see it first.
//
// Only the writer goroutine uses it. Statements run without the caller's context: an interrupted statement can roll
// back the whole transaction, and with it the work of others.
type session struct {
	ctx    context.Context // of every statement; it never ends
	conn   *sql.Conn
	stmts  map[string]*sql.Stmt
	begun  time.Time  // of the transaction
	shared bool       // the part that runs is not alone in the transaction
	saved  bool       // it has a savepoint
	steps  int        // statements of exec that did not fail, ever
	broken error      // set when SQLite may have ended the transaction by itself: nothing more may run in it
	head   *AuditHead // of the audit log, as this transaction has it; nil: not read since the transaction or a rollback began
	news   news       // of the transaction, told after its commit; more than happened when a part was undone, which is harmless

	outcomes func(before, after Message) []NewEvent // see Config.Outcomes; nil: none
}

func newSession(ctx context.Context, pool *sql.DB) (*session, error) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the writer connection: %w", err)
	}
	return &session{ctx: context.WithoutCancel(ctx), conn: conn, stmts: make(map[string]*sql.Stmt)}, nil
}

func (s *session) close() error {
	for _, stmt := range s.stmts {
		_ = stmt.Close()
	}
	return s.conn.Close()
}

func (s *session) prepare(query string) (*sql.Stmt, error) {
	if s.broken != nil {
		return nil, s.broken
	}
	if stmt := s.stmts[query]; stmt != nil {
		return stmt, nil
	}
	stmt, err := s.conn.PrepareContext(s.ctx, query)
	if err != nil {
		return nil, s.check(err)
	}
	if len(s.stmts) >= maxStatements {
		for old, o := range s.stmts { // any one: reaching the bound is not expected, only survivable
			_ = o.Close()
			delete(s.stmts, old)
			break
		}
	}
	s.stmts[query] = stmt
	return stmt, nil
}

// check remembers an error that may have ended the transaction.
func (s *session) check(err error) error {
	if err != nil && s.broken == nil && endsTransaction(err) {
		s.broken = err
	}
	return err
}

func (s *session) exec(query string, args ...any) (sql.Result, error) {
	stmt, err := s.prepare(query) //nolint:sqlclosecheck // kept for the next time
	if err != nil {
		return nil, err
	}
	res, err := stmt.ExecContext(s.ctx, args...)
	if err == nil {
		s.steps++
	}
	return res, s.check(err)
}

// save makes an error of the part that runs undo what it does from now on, and leave the others' work alone. The part
// has done nothing yet. Alone it needs none: its error ends the transaction.
func (s *session) save() error {
	if !s.shared || s.saved {
		return nil
	}
	if _, err := s.exec("SAVEPOINT part"); err != nil {
		if s.broken == nil {
			s.broken = err
		}
		return err
	}
	s.saved = true
	return nil
}

func (s *session) queryRow(query string, args ...any) scanner {
	rows, err := s.QueryContext(s.ctx, query, args...) //nolint:rowserrcheck // oneRow does
	return oneRow{s: s, rows: rows, err: err}
}

// scanner is a row that can be read.
type scanner interface{ Scan(dest ...any) error }

// oneRow reads the first row and runs the statement to its end, so that an UPDATE … RETURNING is done.
type oneRow struct {
	s    *session
	rows *sql.Rows
	err  error
}

func (r oneRow) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	defer func() { _ = r.rows.Close() }()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return r.s.check(err)
		}
		return sql.ErrNoRows
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	for r.rows.Next() { // to the end
	}
	return r.s.check(r.rows.Err())
}

// PrepareContext is part of gorm.ConnPool.
func (s *session) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	return s.conn.PrepareContext(ctx, query)
}

// ExecContext is part of gorm.ConnPool.
func (s *session) ExecContext(_ context.Context, query string, args ...any) (sql.Result, error) {
	return s.exec(query, args...)
}

// QueryContext is part of gorm.ConnPool.
func (s *session) QueryContext(_ context.Context, query string, args ...any) (*sql.Rows, error) {
	stmt, err := s.prepare(query) //nolint:sqlclosecheck // kept for the next time
	if err != nil {
		return nil, err
	}
	rows, err := stmt.QueryContext(s.ctx, args...) //nolint:contextcheck // see session: the caller's must not interrupt
	return rows, s.check(err)
}

// QueryRowContext is part of gorm.ConnPool.
func (s *session) QueryRowContext(_ context.Context, query string, args ...any) *sql.Row {
	return s.conn.QueryRowContext(s.ctx, query, args...) //nolint:contextcheck // see session
}

// Commit and Rollback make GORM take a nested Transaction as a savepoint.
func (s *session) Commit() error { return errOwned }

// Rollback is refused like Commit: a Write ends by its function's answer.
func (s *session) Rollback() error { return errOwned }
