package webhook

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.uber.org/goleak"

	"kurir/events"
	"kurir/models"
)

// helperEnv makes the test binary a kurir without browser, so that a test can SIGKILL it: it names the database.
const helperEnv = "KURIR_TEST_WEBHOOK_DB"

func TestMain(m *testing.M) {
	if path := os.Getenv(helperEnv); path != "" {
		if err := helper(path, os.Getenv(helperEnv+"_INSTANCE")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

const (
	killChats    = 20
	killMessages = 1000
)

// killMessage is the n-th message that comes, the same each time.
func killMessage(n int) *events.Message {
	return &events.Message{Content: events.Content{
		ID: fmt.Sprint("M", n), Chat: fmt.Sprint(n%killChats, "@c.us"), Kind: "chat", Body: fmt.Sprint(n), Time: time.Date(2026, 11, 23, 0, 0, n, 0, time.UTC),
	}}
}

// helper has all messages come, those again that came in an earlier life, and delivers until it is killed.
func helper(path, instance string) error {
	ctx := context.Background()
	db, err := models.Open(ctx, models.Config{URL: path, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	d := New(db, Config{Log: slog.New(slog.DiscardHandler), Schedule: slices.Repeat([]time.Duration{5 * time.Millisecond}, 1000), Breath: time.Millisecond, Timeout: 200 * time.Millisecond})
	if err := d.Start(ctx); err != nil {
		return err
	}
	fmt.Println("started")
	log := events.NewLog(db, 0)
	// A catch-up begins a little before what is known.
	_, last, err := db.EventRange(ctx, instance)
	if err != nil {
		return err
	}
	for n := max(0, int(last)-50); n < killMessages; n += 5 {
		if _, err := log.Append(ctx, instance, killMessage(n), killMessage(n+1), killMessage(n+2), killMessage(n+3), killMessage(n+4)); err != nil {
			return err
		}
	}
	select {}
}

// kurir is SIGKILLed again and again while messages come and the receiver fails, hangs, and works: every message is one
// event, numbered without a gap, and is delivered at least once, of each chat in order.
func TestNothingIsLostOnSIGKILL(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kurir.db")
	w := openWorld(t, path, Config{})
	instance := w.instance
	r := newReceiver(t, func(_ call, n int) int {
		switch {
		case n%97 == 0:
			time.Sleep(300 * time.Millisecond) // longer than kurir waits
		case n%11 == 0:
			return 500
		}
		return 200
	})
	hook := w.hook(r.URL)
	w.close()

	kills := 20
	for i := range kills + 1 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$") //nolint:gosec // a program of the test's own
		cmd.Env = append(os.Environ(), helperEnv+"="+path, helperEnv+"_INSTANCE="+instance)
		cmd.Stderr = t.Output()
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		kill := func() {
			_ = cmd.Process.Signal(syscall.SIGKILL)
			_ = cmd.Wait()
		}
		t.Cleanup(kill)
		if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			t.Fatalf("life %d: %q %v", i, line, err)
		}
		before := len(r.got())
		if i < kills {
			for deadline := time.Now().Add(patience); len(r.got()) < before+20+rand.IntN(80) && len(r.firsts()) < killMessages; { //nolint:gosec // chance that can be repeated is what is wanted
				if time.Now().After(deadline) {
					t.Fatalf("life %d: nothing moves", i)
				}
				time.Sleep(time.Millisecond)
			}
			kill()
			continue
		}
		for deadline := time.Now().Add(4 * patience); len(r.firsts()) < killMessages; time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d of %d were delivered", len(r.firsts()), killMessages)
			}
		}
		kill()
	}

	w = openWorld(t, path, Config{})
	list, err := w.db.Events(t.Context(), instance, 0, nil, killMessages+1)
	if err != nil || len(list) != killMessages {
		t.Fatalf("%d events, %v", len(list), err)
	}
	place := map[string]int{}
	chats := map[string][]string{}
	for i, e := range list {
		if e.Seq != int64(i+1) {
			t.Fatalf("event %d has number %d", i+1, e.Seq)
		}
		chats[e.Chat] = append(chats[e.Chat], e.ID)
		place[e.ID] = i
	}
	firsts := map[string][]string{}
	for _, id := range r.firsts() {
		i, ok := place[id]
		if !ok {
			t.Fatalf("%s was delivered and is not in the log", id)
		}
		firsts[list[i].Chat] = append(firsts[list[i].Chat], id)
	}
	for chat, ids := range chats {
		if !slices.Equal(ids, firsts[chat]) {
			t.Errorf("chat %s: first deliveries out of order", chat)
		}
	}
	bodies := map[string]string{}
	for _, c := range r.got() {
		verifyBy(t, hook.Secret, c, (*standard.Webhook).VerifyIgnoringTimestamp) // the first of them came minutes ago, where the machine is slow
		if old, ok := bodies[c.id]; ok && old != string(c.body) {
			t.Errorf("%s was repeated with another body", c.id)
		}
		bodies[c.id] = string(c.body)
		if !strings.Contains(string(c.body), c.id) {
			t.Errorf("%s is not the id of %s", c.id, c.body)
		}
	}
	t.Logf("%d events, %d calls, %d kills", len(list), len(r.got()), kills)
}
