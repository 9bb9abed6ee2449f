package password

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/crypto/argon2"

	"kurir/problem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestHashAndCheck(t *testing.T) {
	t.Parallel()
	h := New()
	hash, err := h.Hash(t.Context(), "kopi susu gula aren")
	if err != nil || !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("%q, %v", hash, err)
	}
	if again, err := h.Hash(t.Context(), "kopi susu gula aren"); err != nil || again == hash {
		t.Errorf("two hashes of one password are the same, %v", err)
	}
	for _, c := range []struct {
		hash, plain string
		ok          bool
	}{
		{hash, "kopi susu gula aren", true}, {hash, "kopi susu gula areN", false}, {hash, "", false}, {hash, strings.Repeat("x", 1<<20), false},
		{"", "kopi susu gula aren", false}, {"", "", false},
	} {
		if ok, stale, err := h.Check(t.Context(), c.hash, c.plain); err != nil || ok != c.ok || stale {
			t.Errorf("%q with %.30q: %v, %v, %v", c.hash, c.plain, ok, stale, err)
		}
	}
}

// TestOlderCostsStillOpen: when the costs are raised, hashes from before open and are said to be stale.
func TestOlderCostsStillOpen(t *testing.T) {
	t.Parallel()
	old, salt := params{memory: 64, time: 1, threads: 2}, []byte("12345678")
	hash := old.encode(salt, argon2.IDKey([]byte("kata sandi lama"), salt, 1, 64, 2, keyBytes))
	if ok, stale, err := New().Check(t.Context(), hash, "kata sandi lama"); !ok || !stale || err != nil {
		t.Errorf("%v, %v, %v", ok, stale, err)
	}
}

func TestDamagedHashesOpenToNothing(t *testing.T) {
	t.Parallel()
	good := current.encode(random(saltBytes), random(keyBytes))
	for _, bad := range []string{
		"x", "$argon2id$", strings.Replace(good, "argon2id", "argon2i", 1), strings.Replace(good, "v=19", "v=16", 1),
		strings.Replace(good, "m=19456", "m=4000000000", 1), strings.Replace(good, "t=2", "t=0", 1), strings.Replace(good, "t=2", "t=99", 1),
		strings.Replace(good, "p=1", "p=0", 1), strings.Replace(good, "p=1", "p=1 ", 1), good + "$", good[:len(good)-4],
	} {
		if ok, _, err := New().Check(t.Context(), bad, "x"); ok || !errors.Is(err, errDamaged) {
			t.Errorf("%q: %v, %v", bad, ok, err)
		}
	}
}

func TestCheckNew(t *testing.T) {
	t.Parallel()
	for plain, ok := range map[string]bool{
		"123456789": false, "1234567890": true, "sandi kopi": true, "": false, "          ": false, "ábcdéfghíj": true, "áéíóúáéíó": false,
		strings.Repeat("x", 256): true, strings.Repeat("x", 257): false, "siti.rahma1": false, "SITI.Rahma1 ": false, "siti.rahma12": true,
		"\xff\xfe0123456789": false,
	} {
		if err := CheckNew("siti.rahma1", plain); (err == nil) != ok || err != nil && problem.CodeOf(err) != problem.PasswordInvalid {
			t.Errorf("%q: %v", plain, err)
		}
	}
	seen := map[string]bool{}
	for range 100 {
		p := Random()
		if len(p) != 19 || seen[p] || CheckNew("siti", p) != nil {
			t.Fatalf("%q", p)
		}
		seen[p] = true
	}
}

// TestFewAtOnce: beyond those that compute and those in the line, callers are turned away at once; who waits too long or
// gives up leaves the line.
func TestFewAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := New()
		release := make([]func(), atOnce)
		for i := range release {
			var err error
			if release[i], err = h.turn(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		var mu sync.Mutex
		codes := map[problem.Code]int{}
		ctx, cancel := context.WithCancel(t.Context())
		gaveUp := make(chan error)
		go func() {
			_, err := h.turn(ctx)
			gaveUp <- err
		}()
		for range inLine - 1 {
			go func() {
				_, err := h.turn(t.Context())
				mu.Lock()
				codes[problem.CodeOf(err)]++
				mu.Unlock()
			}()
		}
		synctest.Wait()
		if _, err := h.turn(t.Context()); problem.CodeOf(err) != problem.Unavailable {
			t.Errorf("one too many: %v", err)
		}
		cancel()
		if err := <-gaveUp; !errors.Is(err, context.Canceled) {
			t.Errorf("who gave up: %v", err)
		}
		time.Sleep(waiting)
		synctest.Wait()
		mu.Lock()
		if codes[problem.Unavailable] != inLine-1 {
			t.Errorf("after %s: %v", waiting, codes)
		}
		mu.Unlock()
		for _, f := range release {
			f()
		}
		if len(h.line) != 0 || len(h.turns) != 0 {
			t.Errorf("%d in the line, %d computing", len(h.line), len(h.turns))
		}
	})
}
