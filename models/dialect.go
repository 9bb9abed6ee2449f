package models

import (
	"context"
	"errors"
	"fmt"

	gormsqlite "gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"kurir/problem"
)

// dialector is GORM's SQLite dialect with an error translation that knows modernc's error type; the one of GORM
// looks for fields that only mattn's has.
type dialector struct{ *gormsqlite.Dialector }

func newDialector(pool gorm.ConnPool) gorm.Dialector {
	return dialector{&gormsqlite.Dialector{DriverName: driverName, Conn: pool}}
}

// Translate turns the driver's constraint errors into GORM's.
func (dialector) Translate(err error) error {
	switch sqliteCode(err) {
	case sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE: // 1555, 2067
		return gorm.ErrDuplicatedKey
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: // 787
		return gorm.ErrForeignKeyViolated
	}
	return err
}

// translate is Translate for statements that do not pass through GORM. It keeps the cause for the log.
func translate(err error) error {
	if known := (dialector{}).Translate(err); known != err { //nolint:errorlint // identity: was it translated?
		return fmt.Errorf("%w (%w)", known, err)
	}
	return err
}

// sqliteCode returns the extended result code in err's chain, or 0.
func sqliteCode(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

// StorageError gives an error of the database the code that a caller of kurir sees: STORAGE_FULL when the disk is
// full, UNAVAILABLE when the database cannot be written or reached now. Every other error, one that has a code
// already included, is returned as it is.
func StorageError(err error) error {
	var known *problem.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	switch sqliteCode(err) & 0xff {
	case sqlite3.SQLITE_FULL:
		return problem.Wrap(problem.StorageFull, "", err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR,
		sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_NOMEM:
		return problem.Wrap(problem.Unavailable, "", err)
	}
	return err
}

// endsTransaction says whether SQLite may have rolled the whole transaction back by itself on this error
// (https://www.sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction).
func endsTransaction(err error) bool {
	switch sqliteCode(err) & 0xff {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_BUSY,
		sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CORRUPT:
		return true
	}
	return false
}

// notFound turns GORM's "no such row" into the catalogue's and gives other errors their code.
func notFound(err error, what string) error {
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return problem.New(problem.NotFound, what)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if err != nil {
		return StorageError(fmt.Errorf("read %s: %w", what, err))
	}
	return nil
}
