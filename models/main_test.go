package models

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// openAt opens and migrates the database at path; the test closes it.
func openAt(t testing.TB, path string) *DB {
	t.Helper()
	db, err := Open(context.Background(), Config{URL: path, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if err := db.Migrate(context.Background()); err != nil {
		t.Fatal(err)
	}
	return db
}

// openTest opens a new database: a copy of an empty one that is migrated once, as the migrations take longer than most
// tests. (modelstest does the same for other packages; it cannot be imported here.)
func openTest(t testing.TB) *DB {
	t.Helper()
	file, err := empty()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), DefaultFile)
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return openAt(t, path)
}

var empty = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "models")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, DefaultFile)
	db, err := Open(context.Background(), Config{URL: path, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(db.Migrate(context.Background()), db.Close()); err != nil {
		return nil, err
	}
	if left, err := filepath.Glob(path + "-*"); err != nil || len(left) > 0 {
		return nil, errors.Join(fmt.Errorf("the file alone is not the database: there is %q", left), err)
	}
	return os.ReadFile(path) //nolint:gosec // written above
})

// instance creates an instance and returns its id.
func instance(t testing.TB, db *DB, name string) string {
	t.Helper()
	in := Instance{Name: name, Region: "ID"}
	if err := db.CreateInstance(context.Background(), &in); err != nil {
		t.Fatal(err)
	}
	return in.ID
}

func textTo(instanceID, body string) Message {
	return Message{InstanceID: instanceID, Chat: "6281234567890@c.us", Phone: "6281234567890", Kind: "text", Body: body, ContentHash: HashSecret(body)}
}

func enqueue(t testing.TB, db *DB, m Message) Message {
	t.Helper()
	row, _, err := db.Enqueue(context.Background(), m, AuditEntry{Action: "wa.send", Actor: "key_1", Code: "QUEUED"})
	if err != nil {
		t.Fatal(err)
	}
	return row
}
