package models

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"
)

// exec runs a statement as nobody but a test may.
func exec(t testing.TB, db *DB, query string, args ...any) error {
	t.Helper()
	return db.Write(context.Background(), func(tx *gorm.DB) error { return tx.Exec(query, args...).Error })
}

// sweep runs a sweep to its end, in small steps.
func sweep(t testing.TB, s *Sweep) (total int64) {
	t.Helper()
	for {
		n, _, more, err := s.Step(context.Background(), 3)
		if err != nil {
			t.Fatal(err)
		}
		if total += n; !more {
			return total
		}
	}
}

func TestOldEventsGoAndUndeliveredOnesStay(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	ctx := context.Background()
	id := instance(t, db, "a")
	hook := Webhook{InstanceID: id, URL: "http://x/", Events: JoinEventTypes([]string{"message"})}
	if err := db.CreateWebhook(ctx, &hook); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		n := happening(id, fmt.Sprint(i))
		if i != 12 {
			n.Type = "message.ack" // nobody gets it
		}
		appendAll(t, db, n)
	}
	if err := exec(t, db, "UPDATE events SET created_at = 0, time = 0 WHERE seq <= 15"); err != nil {
		t.Fatal(err)
	}
	cut := time.Now().Add(-time.Hour)
	if n := sweep(t, db.SweepEvents(cut)); n != 12 {
		t.Errorf("%d deleted, want the 12 before the undelivered one", n)
	}
	due, err := db.DueDeliveries(ctx, hook.ID, time.Now().Add(time.Second), 10, nil)
	if err != nil || len(due) != 1 {
		t.Fatal(due, err)
	}
	if err := db.FinishAttempt(ctx, Attempt{ID: due[0].ID, State: DeliveryDelivered, At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if n := sweep(t, db.SweepEvents(cut)); n != 3 {
		t.Errorf("%d deleted, want the other 3 old ones", n)
	}
	first, last, err := db.EventRange(ctx, id)
	if err != nil || first != 16 || last != 20 {
		t.Errorf("%d to %d, %v", first, last, err)
	}
	if _, err := db.EventsAfterSeq(ctx, id, 14, nil, 10); err == nil || !strings.Contains(err.Error(), "EVENTS_EXPIRED") {
		t.Error(err)
	}
	if list, err := db.EventsAfterSeq(ctx, id, 15, nil, 10); err != nil || len(list) != 5 {
		t.Error(len(list), err)
	}
	// Numbers go on, also when nothing is left.
	if err := exec(t, db, "UPDATE events SET created_at = 0, time = 0"); err != nil {
		t.Fatal(err)
	}
	sweep(t, db.SweepEvents(cut))
	if added := appendAll(t, db, happening(id, "new")); added[0].Seq != 21 || added[0].Pos != 21 {
		t.Errorf("%+v", added)
	}
}

func TestOldDeliveriesMessagesAndWhatIsGone(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	ctx := context.Background()
	id := instance(t, db, "a")
	var hooks []Webhook
	for range 2 {
		h := Webhook{InstanceID: id, URL: "http://x/", Events: AllEvents}
		if err := db.CreateWebhook(ctx, &h); err != nil {
			t.Fatal(err)
		}
		hooks = append(hooks, h)
	}
	for i := range 10 {
		n := happening(id, fmt.Sprint(i))
		n.Chat = fmt.Sprint(i)
		appendAll(t, db, n)
	}
	due, err := db.DueDeliveries(ctx, hooks[0].ID, time.Now().Add(time.Second), 7, nil)
	if err != nil || len(due) != 7 {
		t.Fatal(due, err)
	}
	for _, d := range due {
		if err := db.FinishAttempt(ctx, Attempt{ID: d.ID, State: DeliveryFailed, At: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	if n := sweep(t, db.SweepDeliveries(time.Now().Add(-time.Hour))); n != 0 {
		t.Errorf("%d young ones deleted", n)
	}
	if n := sweep(t, db.SweepDeliveries(time.Now().Add(time.Hour))); n != 7 {
		t.Errorf("%d deleted, want the 7 that are over", n)
	}

	var states []MessageState
	for range 7 {
		enqueue(t, db, textTo(id, "x"))
	}
	for i, state := range []MessageState{MessageSent, MessageDelivered, MessageRead, MessageFailed, MessageUnknown, MessageSending} {
		if err := exec(t, db, "UPDATE messages SET state = ? WHERE seq = ?", string(state), i+1); err != nil {
			t.Fatal(err)
		}
	}
	if n := sweep(t, db.SweepMessages(time.Now().Add(time.Hour))); n != 4 {
		t.Errorf("%d messages deleted, want 4", n)
	}
	if err := db.reader(ctx).Raw("SELECT state FROM messages ORDER BY seq").Scan(&states).Error; err != nil || fmt.Sprint(states) != "[unknown sending queued]" {
		t.Errorf("left: %v, %v", states, err)
	}

	gone := func() (total int64) {
		for {
			n, _, more, err := db.SweepGone(ctx, 3)
			if err != nil {
				t.Fatal(err)
			}
			if total += n; !more {
				return total
			}
		}
	}
	if n := gone(); n != 0 {
		t.Errorf("%d deleted that are not gone", n)
	}
	if err := db.DeleteWebhook(ctx, hooks[1].ID); err != nil {
		t.Fatal(err)
	}
	if n := gone(); n != 10 {
		t.Errorf("%d deliveries of the deleted webhook, want 10", n)
	}
	global := Webhook{URL: "http://x/", Events: AllEvents}
	if err := db.CreateWebhook(ctx, &global); err != nil {
		t.Fatal(err)
	}
	appendAll(t, db, happening(id, "last"))
	if err := db.DeleteInstance(ctx, id); err != nil {
		t.Fatal(err)
	}
	gone()
	if list, err := db.Events(ctx, id, 0, nil, 100); err != nil || len(list) != 1 || list[0].Key != "last" {
		t.Errorf("what another webhook waits for must stay: %v, %v", list, err)
	}
	due, err = db.DueDeliveries(ctx, global.ID, time.Now().Add(time.Second), 7, nil)
	if err != nil || len(due) != 1 || due[0].Event == nil {
		t.Fatal(due, err)
	}
	if err := db.FinishAttempt(ctx, Attempt{ID: due[0].ID, State: DeliveryDelivered, At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	gone()
	if first, last, err := db.EventRange(ctx, id); err != nil || first != 1 || last != 0 {
		t.Errorf("%d %d %v", first, last, err)
	}
}

func TestTheAuditLogLetsGoBelowItsMarkOnly(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	ctx := context.Background()
	old := time.Now().Add(-30 * 24 * time.Hour)
	for i := range 10 {
		at := old
		if i >= 6 {
			at = time.Now()
		}
		if err := db.AppendAudit(ctx, AuditEntry{Time: at, Action: fmt.Sprint("a", i), Actor: "key", Code: "OK"}); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(query string, args ...any) {
		t.Helper()
		if err := exec(t, db, query, args...); err == nil {
			t.Errorf("%s was possible", query)
		}
	}
	refused("DELETE FROM audit_log WHERE id = 1")
	refused("UPDATE audit_log SET code = 'x' WHERE id = 1")
	if n := sweep(t, db.SweepAudit(time.Now().Add(-10*24*time.Hour))); n != 6 {
		t.Errorf("%d deleted, want 6", n)
	}
	lines, err := db.Audit(ctx, "", 0, 100)
	if err != nil || len(lines) != 5 || lines[4].Action != "audit.expire" || lines[4].Actor != "retention" {
		t.Errorf("%+v, %v", lines, err)
	}
	if n := sweep(t, db.SweepAudit(time.Now().Add(time.Hour))); n != 0 {
		t.Errorf("%d of this week deleted", n)
	}
	// Even with the mark above it, a line of this week stays, and the mark does not sink.
	if err := exec(t, db, "UPDATE settings SET value = '1000' WHERE name = 'audit_mark'"); err != nil {
		t.Fatal(err)
	}
	refused("DELETE FROM audit_log WHERE id = 9")
	refused("UPDATE settings SET value = '5' WHERE name = 'audit_mark'")
	refused("UPDATE settings SET name = 'x' WHERE name = 'audit_mark'")
}

func TestTheFileShrinks(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	ctx := context.Background()
	if err := exec(t, db, "CREATE TABLE filler (b BLOB)"); err != nil {
		t.Fatal(err)
	}
	if err := exec(t, db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO filler SELECT zeroblob(4000) FROM n"); err != nil {
		t.Fatal(err)
	}
	before, err := db.Stats(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := exec(t, db, "DELETE FROM filler"); err != nil {
		t.Fatal(err)
	}
	steps := 0
	for more := true; more; steps++ {
		if _, more, err = db.Vacuum(ctx, 500); err != nil { // a page at a time, until its time is over
			t.Fatal(err)
		}
	}
	after, err := db.Stats(ctx)
	if err != nil || after.DatabaseBytes > before.DatabaseBytes/2 || after.FreeBytes != spareFree*4096 || steps < 5 {
		t.Errorf("%d bytes, then %d with %d free after %d steps, %v", before.DatabaseBytes, after.DatabaseBytes, after.FreeBytes, steps, err)
	}
	if _, err := os.Stat(db.Path()); err != nil {
		t.Error(err)
	}
}

// A batch ends by the clock: a row that takes longer than a batch may take ends it after one slice, whatever was asked for.
func TestAChoreEndsWhenItsTimeIsOver(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	ctx := t.Context()
	id := instance(t, db, "a")
	hook := Webhook{InstanceID: id, URL: "http://x/", Events: AllEvents}
	if err := db.CreateWebhook(ctx, &hook); err != nil {
		t.Fatal(err)
	}
	var list []NewEvent
	for i := range 5 * slice {
		list = append(list, happening(id, fmt.Sprint(i)))
	}
	if _, err := db.AppendEvents(ctx, list...); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"events", "deliveries"} { // some 10 ms for each row on a fast machine
		if err := exec(t, db, "CREATE TRIGGER slow_"+table+" AFTER DELETE ON "+table+` BEGIN
			INSERT INTO settings (name, value) SELECT 'x', count(*) FROM (SELECT 1 FROM sqlite_master a, sqlite_master b, sqlite_master c LIMIT 100000) WHERE TRUE
			ON CONFLICT (name) DO UPDATE SET value = value; END`); err != nil {
			t.Fatal(err)
		}
	}
	if err := exec(t, db, "UPDATE deliveries SET state = 'delivered', created_at = 0"); err != nil {
		t.Fatal(err)
	}
	if err := exec(t, db, "UPDATE events SET time = 0, created_at = 0"); err != nil {
		t.Fatal(err)
	}
	cut := time.Now().Add(-time.Hour)
	for _, s := range []*Sweep{db.SweepDeliveries(cut), db.SweepEvents(cut)} {
		if n, held, more, err := s.Step(ctx, 5*slice); n != slice || held < choreTime || !more || err != nil {
			t.Errorf("%s: %d rows in %s, more %v, %v", s.Name, n, held, more, err)
		}
		if err := exec(t, db, "DROP TRIGGER slow_"+s.Name); err != nil { // shown; the rest need not be slow
			t.Fatal(err)
		}
		if n := sweep(t, s); n != 4*slice {
			t.Errorf("%s: then %d", s.Name, n)
		}
	}
	if _, err := db.AppendEvents(ctx, happening(id, "one more")); err != nil {
		t.Fatal(err)
	}
	if err := db.DeleteWebhook(ctx, hook.ID); err != nil {
		t.Fatal(err)
	}
	if n, _, _, err := db.SweepGone(ctx, 100); n != 1 || err != nil {
		t.Errorf("%d of the deleted webhook, %v", n, err)
	}
}
