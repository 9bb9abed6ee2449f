package models

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
)

// The audit log is a chain: each line has the hash of the line before (prev) and a hash over itself and that one. Who
// changes, deletes, inserts or moves a line must write all later lines anew, and then the last hash is another one
// than the operator has noted. Lines that are older than the chain have no hash of their own; the first line of the
// chain holds the one over them all.

// AuditHead is a line of the audit log and the hash of the chain up to it.
type AuditHead struct {
	ID   int64
	Hash [sha256.Size]byte
}

func (h AuditHead) String() string {
	return strconv.FormatInt(h.ID, 10) + ":" + hex.EncodeToString(h.Hash[:])
}

// ParseAuditHead reads what String wrote.
func ParseAuditHead(s string) (AuditHead, error) {
	var h AuditHead
	id, digest, ok := strings.Cut(strings.TrimSpace(s), ":")
	n, err := strconv.ParseInt(id, 10, 64)
	raw, hexErr := hex.DecodeString(digest)
	if !ok || err != nil || n < 0 || hexErr != nil || copy(h.Hash[:], raw) != sha256.Size || len(raw) != sha256.Size {
		return h, errors.New("a head is ID:HASH, a line's id and 64 hexadecimal digits, as `kurir audit verify` prints it")
	}
	h.ID = n
	return h, nil
}

// next is the hash of the line that follows h. The encoding is of one meaning: numbers have a fixed length, texts come
// after theirs.
func (h AuditHead) next(a *AuditEntry) [sha256.Size]byte {
	b := make([]byte, 0, 512)
	b = append(b, "kurir audit line 1\n"...)
	b = append(b, h.Hash[:]...)
	number := func(n int64) { b = binary.BigEndian.AppendUint64(b, uint64(n)) } //nolint:gosec // the same 64 bits
	text := func(s string) {
		number(int64(len(s)))
		b = append(b, s...)
	}
	number(a.ID)
	number(a.Time.UnixMicro())
	for _, s := range []string{a.RequestID, a.IP, a.Actor, a.InstanceID, a.Action, a.Target, a.Code} {
		text(s)
	}
	number(a.LatencyUS)
	return sha256.Sum256(b)
}

// auditHead is the end of the chain. It is read in the transaction that appends and forgotten with every rollback, so
// that it is never ahead of what is stored; another process may have appended since the last transaction.
func (s *session) auditHead() (AuditHead, error) {
	if s.head != nil {
		return *s.head, nil
	}
	var h AuditHead
	var hash []byte
	switch err := s.queryRow("SELECT id, hash FROM audit_log ORDER BY id DESC LIMIT 1").Scan(&h.ID, &hash); {
	case errors.Is(err, sql.ErrNoRows):
		if h, err = readAnchor(s.queryRow); err != nil {
			return h, err
		}
	case err != nil:
		return h, err
	case len(hash) == sha256.Size:
		copy(h.Hash[:], hash)
	default: // only lines from before the chain: it begins with the next
		if h, err = s.hashOf(h.ID); err != nil {
			return h, err
		}
	}
	s.head = &h
	return h, nil
}

// hashOf is the chain's hash at a line that is there. One from before the chain has it computed.
func (s *session) hashOf(id int64) (AuditHead, error) {
	h := AuditHead{ID: id}
	var hash []byte
	if err := s.queryRow("SELECT hash FROM audit_log WHERE id = ?", id).Scan(&hash); err != nil {
		return h, err
	}
	if len(hash) == sha256.Size {
		copy(h.Hash[:], hash)
		return h, nil
	}
	at, err := readAnchor(s.queryRow)
	if err != nil {
		return at, err
	}
	rows, err := s.QueryContext(s.ctx, auditLines+" WHERE id > ? AND id <= ? ORDER BY id", at.ID, id)
	if err != nil {
		return at, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		l, err := scanLine(rows)
		if err != nil {
			return at, err
		}
		at = AuditHead{l.ID, at.next(&l.AuditEntry)}
	}
	return at, s.check(rows.Err())
}

func readAnchor(queryRow func(query string, args ...any) scanner) (AuditHead, error) {
	var h AuditHead
	var hash []byte
	if err := queryRow("SELECT id, hash FROM audit_anchor").Scan(&h.ID, &hash); err != nil {
		return h, fmt.Errorf("read the audit log's anchor: %w", err)
	}
	if len(hash) != sha256.Size {
		return h, errors.New("the audit log's anchor is damaged")
	}
	copy(h.Hash[:], hash)
	return h, nil
}

// anchorAt moves the beginning of the chain to the line id, which is about to be deleted.
func anchorAt(s *session, id int64) error {
	h, err := s.hashOf(id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // it is gone already
	}
	if err == nil {
		_, err = s.exec("UPDATE audit_anchor SET id = ?, hash = ?", h.ID, h.Hash[:])
	}
	return err
}

const auditLines = `SELECT id, CAST(time AS INTEGER), request_id, ip, actor, instance_id, action, target, code, latency_us, prev, hash
	FROM audit_log`

type chainLine struct {
	AuditEntry
	prev, hash []byte
}

func scanLine(row scanner) (chainLine, error) {
	var l chainLine
	var micros int64
	err := row.Scan(&l.ID, &micros, &l.RequestID, &l.IP, &l.Actor, &l.InstanceID, &l.Action, &l.Target, &l.Code, &l.LatencyUS,
		&l.prev, &l.hash)
	l.Time = time.UnixMicro(micros)
	return l, err
}

// AuditCheck is what VerifyAudit found.
type AuditCheck struct {
	Anchor AuditHead // the last line that was deleted for its age
	First  int64     // 0: there is no line
	Lines  int64
	Old    int64 // of them, from before the chain
	Head   AuditHead
	Broken *AuditBreak // nil: all fits
}

// AuditBreak is the first place where the log does not fit.
type AuditBreak struct {
	ID  int64 // of the line at which it shows
	Why string
}

// VerifyAudit reads the audit log of a database file from its anchor to its end and computes every hash anew. noted is
// a head from an earlier time, which must still be in the log; nil: none was noted. It changes nothing, takes no lock
// that a running kurir would wait for, and sees one moment of the log.
func VerifyAudit(ctx context.Context, databaseURL string, noted *AuditHead) (AuditCheck, error) {
	path, err := sqlitePath(databaseURL)
	if err != nil {
		return AuditCheck{}, err
	}
	pool, err := sql.Open(driverName, dsn(path, forReads))
	if err != nil {
		return AuditCheck{}, err
	}
	defer func() { _ = pool.Close() }()
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return AuditCheck{}, fmt.Errorf("open the database %s: %w", path, StorageError(err))
	}
	defer func() { _ = tx.Rollback() }()
	c, err := verifyChain(ctx, tx, noted)
	if err != nil {
		return c, fmt.Errorf("read the audit log of %s: %w", path, StorageError(err))
	}
	return c, nil
}

func verifyChain(ctx context.Context, tx *sql.Tx, noted *AuditHead) (c AuditCheck, err error) {
	c.Anchor, err = readAnchor(func(query string, args ...any) scanner { return tx.QueryRowContext(ctx, query, args...) })
	if err != nil {
		return c, err
	}
	rows, err := tx.QueryContext(ctx, auditLines+" ORDER BY id")
	if err != nil {
		return c, err
	}
	defer func() { _ = rows.Close() }()
	c.Head = c.Anchor
	seen := noted == nil
	for rows.Next() {
		l, err := scanLine(rows)
		if err != nil {
			c.Broken = &AuditBreak{c.Head.ID + 1, "it cannot be read: " + err.Error()}
			return c, nil
		}
		if c.Broken = c.take(l); c.Broken != nil {
			return c, nil
		}
		if !seen && l.ID == noted.ID {
			seen = true
			if subtle.ConstantTimeCompare(c.Head.Hash[:], noted.Hash[:]) != 1 {
				c.Broken = &AuditBreak{l.ID, "its hash is not the one that was noted: the log up to here was written anew"}
				return c, nil
			}
		}
	}
	if err := rows.Err(); err != nil {
		return c, err
	}
	if !seen {
		c.Broken = c.missing(noted)
	}
	return c, nil
}

// take adds a line to the check, or says why it does not follow the one before.
func (c *AuditCheck) take(l chainLine) *AuditBreak {
	if c.Lines == 0 {
		c.First = l.ID
	}
	want := c.Head.next(&l.AuditEntry)
	switch chained := c.Lines > c.Old; {
	case l.hash == nil && l.prev == nil && !chained: // from before the chain: the first line of the chain holds the hash
		c.Old++
	case l.ID != c.Head.ID+1:
		return &AuditBreak{l.ID, fmt.Sprintf("the line before it is %d: lines between were deleted, or it was inserted", c.Head.ID)}
	case subtle.ConstantTimeCompare(l.prev, c.Head.Hash[:]) != 1:
		why := "it does not follow the line before it: one of the two was changed, moved or inserted"
		if !chained && c.Old > 0 {
			why = "it does not follow the lines before it, which are older than the chain: one of them was changed or deleted"
		}
		return &AuditBreak{l.ID, why}
	case subtle.ConstantTimeCompare(l.hash, want[:]) != 1:
		return &AuditBreak{l.ID, "its content is not what it was when it was written"}
	}
	c.Lines++
	c.Head = AuditHead{l.ID, want}
	return nil
}

// missing says why the noted head was not met.
func (c *AuditCheck) missing(noted *AuditHead) *AuditBreak {
	switch {
	case noted.ID == c.Anchor.ID && noted.Hash == c.Anchor.Hash:
		return nil
	case noted.ID <= c.Anchor.ID:
		return &AuditBreak{noted.ID, fmt.Sprintf("the log now begins after line %d, so the noted head cannot be compared: "+
			"older lines were deleted (by the retention, if KURIR_RETENTION_AUDIT is as short as that)", c.Anchor.ID)}
	default:
		return &AuditBreak{noted.ID, fmt.Sprintf("the log ends at line %d, before the noted head: its last lines were deleted", c.Head.ID)}
	}
}

// beginChain gives lines from before the chain their hash by adding the chain's first line, so that they are safe from
// the moment of the migration on and not only from the next request.
func (db *DB) beginChain(ctx context.Context, done []*goose.MigrationResult) error {
	for _, r := range done {
		if r.Source.Version != auditChainVersion {
			continue
		}
		if old, err := db.Audit(ctx, "", 0, 1); err != nil || len(old) == 0 {
			return err
		}
		return db.AppendAudit(ctx, AuditEntry{Actor: "kurir", Action: "audit.chain", Code: "OK"})
	}
	return nil
}

// auditChainVersion is the migration that made the log a chain.
const auditChainVersion = 8
