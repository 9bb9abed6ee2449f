package handlers

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kurir/models"
	"kurir/problem"
)

// fakeDB keeps what models.DB would keep, in memory.
type fakeDB struct {
	mu       sync.Mutex
	keys     map[string]models.APIKey
	messages []models.Message
	lines    []models.AuditEntry
	lookups  int // of keys
	hashed   int // how often all keys were read
	epoch    atomic.Uint64
	err      error // of every write
	filter   models.MessageFilter
}

func (d *fakeDB) Enqueue(_ context.Context, m models.Message, a models.AuditEntry) (models.Message, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	old, err := d.find(m)
	if err != nil || old != nil {
		return d.repeated(old, a), old != nil, err
	}
	m = d.add(m)
	a.Target = m.ID
	d.lines = append(d.lines, a)
	return m, false, nil
}

// The rest is called with d.mu held.

func (d *fakeDB) find(m models.Message) (*models.Message, error) {
	if d.err != nil {
		return nil, d.err
	}
	for i, old := range d.messages {
		if m.IdempotencyKey != nil && old.IdempotencyKey != nil && *old.IdempotencyKey == *m.IdempotencyKey {
			if old.ContentHash != m.ContentHash {
				return nil, problem.New(problem.IdempotencyConflict, old.ID)
			}
			return &d.messages[i], nil
		}
	}
	return nil, nil
}

func (d *fakeDB) repeated(old *models.Message, a models.AuditEntry) models.Message {
	if old == nil {
		return models.Message{}
	}
	a.Code, a.Target = "REPEATED", old.ID
	d.lines = append(d.lines, a)
	return *old
}

func (d *fakeDB) add(m models.Message) models.Message {
	m.ID, m.WAID, m.State = models.NewMessageID(), models.NewWAID(), models.MessageQueued
	if m.NotBefore.After(time.Now()) {
		m.State = models.MessageScheduled
	}
	m.CreatedAt = time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC)
	m.Seq = int64(len(d.messages) + 1)
	d.messages = append(d.messages, m)
	return m
}

// all makes one message of many, as an idempotency key sees them.
func all(list []models.Message) models.Message {
	m := list[0]
	for _, other := range list[1:] {
		m.ContentHash += other.ContentHash
	}
	return m
}

func (d *fakeDB) EnqueueAll(_ context.Context, list []models.Message, a models.AuditEntry) ([]models.Message, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	old, err := d.find(all(list))
	if err != nil {
		return nil, false, err
	}
	if old != nil {
		d.repeated(old, a)
		return slices.Clone(d.messages[old.Seq-1:][:len(list)]), true, nil
	}
	var rows []models.Message
	for i, m := range list {
		if i == 0 {
			m = all(list)
		}
		rows = append(rows, d.add(m))
	}
	a.Target = fmt.Sprint(len(rows))
	d.lines = append(d.lines, a)
	return rows, false, nil
}

func (d *fakeDB) Repeat(_ context.Context, m models.Message, a models.AuditEntry) (models.Message, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	old, err := d.find(m)
	return d.repeated(old, a), old != nil, err
}

func (d *fakeDB) RepeatAll(_ context.Context, list []models.Message, a models.AuditEntry) ([]models.Message, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	old, err := d.find(all(list))
	if err != nil || old == nil {
		return nil, false, err
	}
	d.repeated(old, a)
	return slices.Clone(d.messages[old.Seq-1:][:len(list)]), true, nil
}

func (d *fakeDB) change(instanceID, id string, a models.AuditEntry, from []models.MessageState, code problem.Code, to models.MessageState) (models.Message, string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.messages {
		m := &d.messages[i]
		if m.ID != id || instanceID != "" && m.InstanceID != instanceID {
			continue
		}
		if !slices.Contains(from, m.State) {
			return *m, "", problem.New(code, string(m.State))
		}
		file := m.FilePath
		m.State = to
		a.Target, a.InstanceID = m.ID, m.InstanceID
		d.lines = append(d.lines, a)
		return *m, file, nil
	}
	return models.Message{}, "", problem.New(problem.NotFound, "message "+id)
}

func (d *fakeDB) Cancel(_ context.Context, instanceID, id string, a models.AuditEntry) (models.Message, string, error) {
	return d.change(instanceID, id, a, []models.MessageState{models.MessageQueued, models.MessageScheduled}, problem.NotCancellable, models.MessageCancelled)
}

func (d *fakeDB) Resend(_ context.Context, instanceID, id string, a models.AuditEntry) (models.Message, error) {
	m, _, err := d.change(instanceID, id, a, []models.MessageState{models.MessageUnknown, models.MessageFailed, models.MessageExpired, models.MessageCancelled},
		problem.NotResendable, models.MessageQueued)
	return m, err
}

// Messages notes the filter; it answers the newest of all.
func (d *fakeDB) Messages(_ context.Context, f models.MessageFilter) ([]models.Message, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.filter = f
	list := slices.Clone(d.messages)
	slices.Reverse(list)
	return list[:min(len(list), f.Limit)], d.err
}

func (d *fakeDB) MessageByID(_ context.Context, id string) (models.Message, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, m := range d.messages {
		if m.ID == id {
			return m, nil
		}
	}
	return models.Message{}, problem.New(problem.NotFound, "message "+id)
}

func (d *fakeDB) Message(ctx context.Context, instanceID, id string) (models.Message, error) {
	m, err := d.MessageByID(ctx, id)
	if err == nil && m.InstanceID != instanceID {
		return models.Message{}, problem.New(problem.NotFound, "message "+id)
	}
	return m, err
}

func (d *fakeDB) KeyByPlain(_ context.Context, plain string) (models.APIKey, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lookups++
	if k, ok := d.keys[plain]; ok {
		return k, nil
	}
	return models.APIKey{}, problem.New(problem.Unauthorized, "")
}

func (d *fakeDB) KeyHashes(context.Context) (map[[sha256.Size]byte]struct{}, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hashed++
	all := map[[sha256.Size]byte]struct{}{}
	for plain := range d.keys {
		all[sha256.Sum256([]byte(plain))] = struct{}{}
	}
	return all, nil
}

func (d *fakeDB) KeyEpoch() uint64 { return d.epoch.Load() }

func (d *fakeDB) AppendAudit(_ context.Context, a models.AuditEntry) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return d.err
	}
	d.lines = append(d.lines, a)
	return nil
}

func (d *fakeDB) Audit(_ context.Context, instanceID string, after int64, limit int) ([]models.AuditEntry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []models.AuditEntry
	for i, l := range d.lines {
		if l.ID = int64(i + 1); l.ID > after && len(out) < limit && (instanceID == "" || l.InstanceID == instanceID) {
			out = append(out, l)
		}
	}
	return out, nil
}

func (d *fakeDB) last(t *testing.T) models.Message {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.messages) == 0 {
		t.Fatal("nothing was accepted")
	}
	return d.messages[len(d.messages)-1]
}

// actions lists the audit log as action:code.
func (d *fakeDB) actions() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []string
	for _, l := range d.lines {
		out = append(out, l.Action+":"+l.Code)
	}
	return out
}
