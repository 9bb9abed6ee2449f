package models

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"gorm.io/gorm"

	"kurir/problem"
)

func prefixes(list ...string) (out []netip.Prefix) {
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func newTestKey(t *testing.T, db *DB, n NewKey) (APIKey, string) {
	t.Helper()
	row, plain, err := db.CreateKey(context.Background(), n)
	if err != nil {
		t.Fatal(err)
	}
	return row, plain
}

func TestKeyRightsAreKept(t *testing.T) {
	t.Parallel()
	ctx, db := context.Background(), openTest(t)
	id := instance(t, db, "a")
	end := now().Add(time.Hour)
	want := Rights{
		Scopes: []Scope{ScopeManage}, IPs: prefixes("192.0.2.0/24", "2001:db8::/32"), Recipients: []string{"62812@c.us"},
		RatePerMinute: 7, ExpiresAt: &end,
	}
	row, plain := newTestKey(t, db, NewKey{InstanceID: id, Name: "n", Rights: want})
	same := cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
	got, err := db.KeyByPlain(ctx, plain)
	if diff := cmp.Diff(want, got.Rights, same); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	changed, err := db.ChangeKey(ctx, row.ID, func(k *APIKey) error {
		k.Name, k.Rights = "m", Rights{Scopes: DefaultScopes()}
		return nil
	})
	if err != nil || changed.Name != "m" {
		t.Fatalf("%+v, %v", changed, err)
	}
	got, err = db.Key(ctx, row.ID)
	if diff := cmp.Diff(changed, got, same, cmpopts.IgnoreFields(APIKey{}, "LastUsedAt")); err != nil || diff != "" || len(got.IPs)+len(got.Recipients) > 0 || got.ExpiresAt != nil {
		t.Errorf("%v %s", err, diff)
	}
	no := errors.New("no")
	if _, err := db.ChangeKey(ctx, row.ID, func(k *APIKey) error { k.Name = "x"; return no }); !errors.Is(err, no) {
		t.Error(err)
	}
	if got, _ := db.Key(ctx, row.ID); got.Name != "m" {
		t.Error("a refused change was stored")
	}
	_, err = db.ChangeKey(ctx, "key_none", func(*APIKey) error { return nil })
	wantCode(t, err, problem.NotFound)
	_, err = db.Key(ctx, "key_none")
	wantCode(t, err, problem.NotFound)
	if k, _ := newTestKey(t, db, NewKey{InstanceID: id}); !cmp.Equal(k.Scopes, DefaultScopes()) {
		t.Errorf("a new key has %v", k.Scopes)
	}
}

func TestOldKeysSendAndRead(t *testing.T) {
	t.Parallel()
	ctx, db := context.Background(), openTest(t)
	id := instance(t, db, "a")
	// As the migration finds them: without the new columns.
	err := db.Write(ctx, func(tx *gorm.DB) error {
		return tx.Exec("INSERT INTO api_keys (id, instance_id, hash, hint, created_at) VALUES ('key_old', ?, ?, '…', ?)", id, HashSecret("an-old-key-of-mine"), now()).Error
	})
	if err != nil {
		t.Fatal(err)
	}
	k, err := db.KeyByPlain(ctx, "an-old-key-of-mine")
	if err != nil || !cmp.Equal(k.Scopes, []Scope{ScopeSend, ScopeRead}) || len(k.IPs)+len(k.Recipients)+k.RatePerMinute > 0 || k.Open(now()) != nil {
		t.Errorf("%+v, %v", k, err)
	}
}

func TestRotateKey(t *testing.T) {
	t.Parallel()
	ctx, db := context.Background(), openTest(t)
	id := instance(t, db, "a")
	row, first := newTestKey(t, db, NewKey{InstanceID: id})
	yes := func(APIKey) error { return nil }
	opens := func(plain string) (string, bool, error) {
		k, err := db.KeyByPlain(ctx, plain)
		return k.ID, k.Old, err
	}
	turned, second, err := db.RotateKey(ctx, row.ID, time.Hour, yes)
	if err != nil || second == first || turned.OldUntil == nil || time.Until(*turned.OldUntil) > time.Hour || time.Until(*turned.OldUntil) < 59*time.Minute {
		t.Fatalf("%+v, %v", turned, err)
	}
	for plain, old := range map[string]bool{first: true, second: false} {
		if got, isOld, err := opens(plain); err != nil || got != row.ID || isOld != old {
			t.Errorf("%s, old %v, %v", got, isOld, err)
		}
	}
	k, _ := db.KeyByPlain(ctx, first)
	if err := k.Open(*turned.OldUntil); problem.CodeOf(err) != problem.KeyExpired || k.Open(turned.OldUntil.Add(-1)) != nil {
		t.Errorf("at the end of the overlap: %v", err)
	}
	if k, _ = db.KeyByPlain(ctx, second); k.Open(turned.OldUntil.Add(time.Hour)) != nil {
		t.Error("the new secret ends with the overlap")
	}
	if hashes, err := db.KeyHashes(ctx); err != nil || len(hashes) != 2 {
		t.Errorf("%d hashes, %v", len(hashes), err)
	}
	// The old secret is taken for a new key as long as it opens this one.
	_, _, err = db.CreateKey(ctx, NewKey{InstanceID: id, Plain: first})
	wantCode(t, err, problem.InstanceExists)
	_, third, err := db.RotateKey(ctx, row.ID, 0, yes)
	if err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{first, second} {
		_, _, err := opens(gone)
		wantCode(t, err, problem.Unauthorized)
	}
	if hashes, err := db.KeyHashes(ctx); err != nil || len(hashes) != 1 {
		t.Errorf("%d hashes, %v", len(hashes), err)
	} else if _, ok := hashes[sha256.Sum256([]byte(third))]; !ok {
		t.Error("the new secret is not among the hashes")
	}
	_, _, err = db.RotateKey(ctx, row.ID, 0, func(APIKey) error { return problem.New(problem.ScopeMissing, "") })
	wantCode(t, err, problem.ScopeMissing)
	if got, _, err := opens(third); err != nil || got != row.ID {
		t.Error("a refused rotation has changed the secret")
	}
	_, _, err = db.RotateKey(ctx, "key_none", 0, yes)
	wantCode(t, err, problem.NotFound)
}

func TestTooManyKeys(t *testing.T) {
	t.Parallel()
	ctx, db := context.Background(), openTest(t)
	id := instance(t, db, "a")
	err := db.Write(ctx, func(tx *gorm.DB) error { // in one: a hundred would take their time
		for range MaxKeys - 1 {
			row, _, err := NewKey{InstanceID: id}.make()
			if err := errors.Join(err, tx.Create(&row).Error); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	newTestKey(t, db, NewKey{InstanceID: id})
	_, _, err = db.CreateKey(ctx, NewKey{InstanceID: id})
	wantCode(t, err, problem.TooManyKeys)
	newTestKey(t, db, NewKey{InstanceID: instance(t, db, "b")})
}

func TestKeyEpoch(t *testing.T) {
	t.Parallel()
	ctx, db := context.Background(), openTest(t)
	last := db.KeyEpoch()
	changes := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if db.KeyEpoch() == last {
			t.Errorf("%s is not noticed", what)
		}
		last = db.KeyEpoch()
	}
	in := Instance{Name: "a"}
	row, _, err := db.CreateInstanceWithKey(ctx, &in, NewKey{})
	changes("an instance", err)
	_, _, err = db.CreateKey(ctx, NewKey{InstanceID: in.ID})
	changes("a key", err)
	_, err = db.ChangeKey(ctx, row.ID, func(*APIKey) error { return nil })
	changes("a change", err)
	_, _, err = db.RotateKey(ctx, row.ID, 0, func(APIKey) error { return nil })
	changes("a rotation", err)
	changes("a revocation", db.DeleteKey(ctx, row.ID))
	changes("an instance's end", db.DeleteInstance(ctx, in.ID))
}

func TestRights(t *testing.T) {
	t.Parallel()
	r := Rights{IPs: prefixes("192.0.2.7/32", "198.51.100.0/24", "2001:db8::/48"), Recipients: []string{"62812@c.us"}, Scopes: []Scope{ScopeSend}}
	for addr, want := range map[string]bool{
		"192.0.2.7": true, "192.0.2.8": false, "::ffff:192.0.2.7": true, "198.51.100.200": true, "2001:db8::9": true, "2001:db8:1::9": false,
		"": false, "host": false, "2001:db8::9%eth0": true,
	} {
		if r.AllowsIP(addr) != want {
			t.Errorf("%q: %v", addr, !want)
		}
	}
	if !r.AllowsRecipient("62812@c.us") || r.AllowsRecipient("62813@c.us") || !(Rights{}).AllowsRecipient("x") || !(Rights{}).AllowsIP("") {
		t.Error("lists")
	}
	if !r.Has(ScopeRead, ScopeSend) || r.Has(ScopeRead) || (Rights{}).Has(ScopeSend) {
		t.Error("scopes")
	}
}

func TestBeyond(t *testing.T) {
	t.Parallel()
	early, late := now().Add(time.Hour), now().Add(2*time.Hour)
	all := Rights{Scopes: Scopes()}
	tight := Rights{
		Scopes: []Scope{ScopeManage, ScopeSend}, IPs: prefixes("192.0.2.0/24"), Recipients: []string{"1@c.us", "2@c.us"}, RatePerMinute: 60, ExpiresAt: &early,
	}
	with := func(change func(*Rights)) Rights {
		r := tight
		change(&r)
		return r
	}
	tests := map[string]struct {
		r, other Rights
		usual    int
		want     string
	}{
		"itself":            {tight, tight, 600, ""},
		"less":              {with(func(r *Rights) { r.IPs, r.Recipients, r.Scopes = prefixes("192.0.2.9/32"), []string{"2@c.us"}, nil }), tight, 600, ""},
		"tight within all":  {tight, all, 600, ""},
		"all within tight":  {all, tight, 600, "scopes"},
		"another scope":     {with(func(r *Rights) { r.Scopes = []Scope{ScopeRead} }), tight, 600, "scopes"},
		"from anywhere":     {with(func(r *Rights) { r.IPs = nil }), tight, 600, "ips"},
		"wider network":     {with(func(r *Rights) { r.IPs = prefixes("192.0.0.0/16") }), tight, 600, "ips"},
		"another network":   {with(func(r *Rights) { r.IPs = prefixes("192.0.2.0/25", "10.0.0.0/8") }), tight, 600, "ips"},
		"the other family":  {with(func(r *Rights) { r.IPs = prefixes("2001:db8::/64") }), tight, 600, "ips"},
		"to anybody":        {with(func(r *Rights) { r.Recipients = nil }), tight, 600, "recipients"},
		"to one more":       {with(func(r *Rights) { r.Recipients = []string{"1@c.us", "3@c.us"} }), tight, 600, "recipients"},
		"faster":            {with(func(r *Rights) { r.RatePerMinute = 61 }), tight, 600, "rate_per_minute"},
		"as fast as usual":  {with(func(r *Rights) { r.RatePerMinute = 0 }), tight, 600, "rate_per_minute"},
		"usual is no limit": {with(func(r *Rights) { r.RatePerMinute = 0 }), tight, 0, "rate_per_minute"},
		"usual is slow":     {with(func(r *Rights) { r.RatePerMinute = 0 }), tight, 50, ""},
		"longer":            {with(func(r *Rights) { r.ExpiresAt = &late }), tight, 600, "expires_at"},
		"for ever":          {with(func(r *Rights) { r.ExpiresAt = nil }), tight, 600, "expires_at"},
	}
	for name, tt := range tests {
		if got := tt.r.Beyond(tt.other, tt.usual); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// TestKeysOfAnEarlierKurir migrates down and up again: the shape of the table before this version.
func TestKeysOfAnEarlierKurir(t *testing.T) {
	t.Parallel()
	db := openAt(t, filepath.Join(t.TempDir(), "kurir.db"))
	_, plain := newTestKey(t, db, NewKey{InstanceID: instance(t, db, "a"), Rights: Rights{Scopes: []Scope{ScopeManage}}})
	migrateTo(t, db.path, 5)
	if err := db.Migrate(context.Background()); err != nil {
		t.Fatal(err)
	}
	if k, err := db.KeyByPlain(context.Background(), plain); err != nil || !cmp.Equal(k.Scopes, DefaultScopes()) {
		t.Errorf("%+v, %v", k, err)
	}
}
