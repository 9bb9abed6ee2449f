package models

import (
	"context"
	"database/sql"
	"sync"
)

// readPool is GORM's ConnPool for reads: it keeps prepared statements, by their text. GORM's own PrepareStmt does
// the same with a goroutine that never ends.
type readPool struct {
	*sql.DB
	mu    sync.RWMutex
	stmts map[string]*sql.Stmt
}

// prepared returns the kept statement, or nil when it is to run unprepared: the bound was reached, or it does not
// compile, which running it will report.
func (p *readPool) prepared(ctx context.Context, query string) *sql.Stmt {
	p.mu.RLock()
	stmt, full := p.stmts[query], len(p.stmts) >= maxStatements
	p.mu.RUnlock()
	if stmt != nil || full {
		return stmt
	}
	stmt, err := p.PrepareContext(context.WithoutCancel(ctx), query)
	if err != nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if other := p.stmts[query]; other != nil {
		_ = stmt.Close() //nolint:sqlclosecheck // only this one goes
		return other
	}
	p.stmts[query] = stmt
	return stmt
}

func (p *readPool) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if stmt := p.prepared(ctx, query); stmt != nil { //nolint:sqlclosecheck // kept for the next time
		return stmt.QueryContext(ctx, args...)
	}
	return p.DB.QueryContext(ctx, query, args...)
}

func (p *readPool) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if stmt := p.prepared(ctx, query); stmt != nil { //nolint:sqlclosecheck // kept for the next time
		return stmt.QueryRowContext(ctx, args...)
	}
	return p.DB.QueryRowContext(ctx, query, args...)
}

func (p *readPool) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, stmt := range p.stmts {
		_ = stmt.Close()
	}
	return p.Close()
}
