package web

import (
	"context"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kurir/guess"
	"kurir/models"
)

func TestWrongPasswordsAreAllTheSame(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.person("siti", models.RoleOwner)
	locked := d.person("budi", models.RoleOperator)
	if err := d.db.SetUser(t.Context(), locked.ID, models.RoleOperator, true); err != nil {
		t.Fatal(err)
	}
	id := regexp.MustCompile(`value="[^"]*" autocomplete="username"`)
	var first string
	for name, password := range map[string]string{"siti": "salah salah salah", "nobody": goodPassword, "budi": goodPassword, "Not A Name!": goodPassword} {
		b := d.elsewhere()
		a := b.try(name, password)
		text := id.ReplaceAllString(a.text, "")
		if a.StatusCode != http.StatusUnauthorized || len(a.Cookies()) > 0 || b.open() || !strings.Contains(text, "The name or the password is wrong.") {
			t.Errorf("%s: %d %v", name, a.StatusCode, a.Cookies())
		}
		if first == "" {
			first = text
		}
		if d := cmp.Diff(first, text); d != "" {
			t.Errorf("%s answers another page: %s", name, d)
		}
	}
	// A password that was typed as a name is not in the log.
	for _, l := range d.lines() {
		if strings.Contains(l, "nobody console.signin UNAUTHORIZED") || strings.Contains(l, "user:") && strings.HasSuffix(l, "console.signin UNAUTHORIZED") {
			continue
		}
		t.Errorf("line %q", l)
	}
}

// TestAnUnknownNameTakesAsLong counts hashes, which are what takes the time.
func TestAnUnknownNameTakesAsLong(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.person("siti", models.RoleOwner)
	counter := &countingHasher{}
	d.console.deps.Passwords = counter
	for i, name := range []string{"siti", "nobody", "Not A Name!"} {
		if a := d.elsewhere().try(name, "salah salah"); a.StatusCode != http.StatusUnauthorized || counter.checks != i+1 {
			t.Errorf("%s: %d, %d hashes", name, a.StatusCode, counter.checks)
		}
	}
}

// notSoon is when a test spends tries that are not to come back while it runs, however slow the machine is.
func notSoon() time.Time { return time.Now().Add(time.Hour) }

// slowed makes tries until one is refused for being too many, as it must be. With time more are let through,
// but no more than come back.
func slowed(t *testing.T, try func() answer) {
	t.Helper()
	begun := time.Now()
	for n := 0; ; n++ {
		if try().StatusCode == http.StatusTooManyRequests {
			return
		}
		if most := guess.Burst + int(time.Since(begun)/guess.Period); n >= most {
			t.Fatalf("%d tries were let through in %s", n+1, time.Since(begun))
		}
	}
}

type countingHasher struct {
	Passwords
	checks int
}

func (c *countingHasher) Check(ctx context.Context, hash, plain string) (ok, stale bool, err error) {
	c.checks++
	return hasher.Check(ctx, hash, plain)
}

// TestAnAttackFromManyAddresses spends an account's tries. The person gets in from the browser that knows them, from
// any browser once time has passed, and the attacker's correct guess comes too late.
func TestAnAttackFromManyAddresses(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	g := newTries()
	from := func(i int) attempt {
		return attempt{address: guess.Address(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}).String()), account: "siti"} //nolint:gosec // a small number of the test, which fits
	}
	tried := 0
	for i := range 1000 { // one try each, all at once
		if _, ok := g.take(from(i), now); ok {
			tried++
		}
	}
	if tried != guess.Burst {
		t.Errorf("%d tries at one account", tried)
	}
	other := from(2000)
	other.account = "budi"
	if _, ok := g.take(other, now); !ok {
		t.Error("another account is slowed too")
	}
	device := from(3000)
	device.device, device.known = "hash", true
	for range guess.Burst {
		if _, ok := g.take(device, now); !ok {
			t.Fatal("the browser that knows the person is locked out")
		}
	}
	if _, ok := g.take(device, now); ok {
		t.Error("a stolen device cookie tries without end")
	}
	if wait, ok := g.take(from(4000), now); ok || wait <= 0 || wait > guess.Period {
		t.Errorf("a new browser: %v, wait %s", ok, wait)
	}
	if _, ok := g.take(from(4001), now.Add(guess.Period)); !ok {
		t.Error("no try came back with time")
	}
}

// TestALockedAccountOpensToItsBrowser is the same over HTTP.
func TestALockedAccountOpensToItsBrowser(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.person("siti", models.RoleOwner)
	home := d.as("siti")
	home.post("/logout", nil)
	for range guess.Burst { // from other addresses: their own tries are not what ends
		d.console.guesses.accounts.Take("siti", notSoon())
	}
	a := d.elsewhere().try("siti", goodPassword)
	if a.StatusCode != http.StatusTooManyRequests || a.Header.Get("Retry-After") == "" {
		t.Errorf("a new browser: %d", a.StatusCode)
	}
	if a := home.try("siti", goodPassword); a.StatusCode != http.StatusSeeOther || !home.open() {
		t.Errorf("the browser that knows her: %d", a.StatusCode)
	}
	d.person("budi", models.RoleOperator)
	home.post("/logout", nil)
	for range guess.Burst {
		d.console.guesses.accounts.Take("budi", notSoon())
	}
	if a := home.try("budi", goodPassword); a.StatusCode != http.StatusTooManyRequests {
		t.Errorf("siti's browser opens budi's account: %d", a.StatusCode)
	}
}
