package models

import (
	"context"
	"log/slog"
	"path/filepath"
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

func openTest(t testing.TB) *DB {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "kurir.db"))
}

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
