package models

import (
	"fmt"
	"testing"
	"time"

	"kurir/problem"
)

func person(t *testing.T, db *DB, name string, role Role) User {
	t.Helper()
	u := User{Name: name, Role: role, Password: "hash of " + name}
	if err := db.CreateUser(t.Context(), &u); err != nil {
		t.Fatal(err)
	}
	return u
}

func signedIn(t *testing.T, db *DB, u *User, hash string) {
	t.Helper()
	err := db.CreateConsoleSession(t.Context(), ConsoleSession{Hash: hash, ExpiresAt: time.Now().Add(time.Hour), User: u})
	if err != nil {
		t.Fatal(err)
	}
}

func alive(t *testing.T, db *DB, hash string) bool {
	t.Helper()
	s, err := db.ConsoleSession(t.Context(), hash)
	if err != nil && problem.CodeOf(err) != problem.Unauthorized {
		t.Fatal(err)
	}
	if err == nil && (s.UserID == nil) != (s.User == nil) {
		t.Errorf("session %s: %+v", hash, s)
	}
	return err == nil
}

func TestUsers(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	ctx := t.Context()
	wantCode(t, db.CreateUser(ctx, &User{Name: "budi", Role: RoleOperator, Password: "x"}), problem.LastOwner)
	siti := person(t, db, " Siti ", RoleOwner)
	if siti.Name != "siti" || siti.ID == "" {
		t.Errorf("%+v", siti)
	}
	wantCode(t, db.CreateUser(ctx, &User{Name: "SITI", Role: RoleOwner, Password: "x"}), problem.UserExists)
	for _, bad := range []string{"", "a", "-ab", "dua kata", "x\ny", "<b>bold</b>", "áé", "0123456789012345678901234567890123456789x"} {
		wantCode(t, db.CreateUser(ctx, &User{Name: bad, Role: RoleOwner, Password: "x"}), problem.UserNameInvalid)
	}
	person(t, db, "budi@toko.id", RoleOperator)
	all, err := db.Users(ctx)
	if err != nil || len(all) != 2 || all[0].Name != "budi@toko.id" || all[1].Name != "siti" {
		t.Errorf("%+v, %v", all, err)
	}
	if u, err := db.UserByName(ctx, "siti"); err != nil || u.ID != siti.ID || u.Role != RoleOwner {
		t.Errorf("%+v, %v", u, err)
	}
	_, err = db.UserByName(ctx, "nobody")
	wantCode(t, err, problem.NotFound)
}

// TestAnOwnerIsAlwaysLeft goes through every way to lose the last one.
func TestAnOwnerIsAlwaysLeft(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	ctx := t.Context()
	siti := person(t, db, "siti", RoleOwner)
	budi := person(t, db, "budi", RoleOperator)
	tries := func(want problem.Code) {
		t.Helper()
		for name, err := range map[string]error{
			"demote": db.SetUser(ctx, siti.ID, RoleOperator, false), "lock out": db.SetUser(ctx, siti.ID, RoleOwner, true),
			"delete": db.DeleteUser(ctx, siti.ID),
		} {
			if problem.CodeOf(err) != want {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	tries(problem.LastOwner)
	if err := db.SetUser(ctx, budi.ID, RoleOwner, true); err != nil { // one who cannot sign in does not count
		t.Fatal(err)
	}
	tries(problem.LastOwner)
	if u, err := db.User(ctx, siti.ID); err != nil || u.Role != RoleOwner || u.Disabled {
		t.Errorf("after all that: %+v, %v", u, err)
	}
	if err := db.SetUser(ctx, budi.ID, RoleOwner, false); err != nil {
		t.Fatal(err)
	}
	if err := db.DeleteUser(ctx, siti.ID); err != nil {
		t.Error(err)
	}
	wantCode(t, db.DeleteUser(ctx, siti.ID), problem.NotFound)
	wantCode(t, db.DeleteUser(ctx, budi.ID), problem.LastOwner)
}

func TestSessionsEndWithTheirPerson(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	ctx := t.Context()
	siti := person(t, db, "siti", RoleOwner)
	signedIn(t, db, nil, "token")
	for name, end := range map[string]func(u User) error{
		"lock out":     func(u User) error { return db.SetUser(ctx, u.ID, u.Role, true) },
		"password":     func(u User) error { return db.SetPassword(ctx, u.ID, "another hash") },
		"delete":       func(u User) error { return db.DeleteUser(ctx, u.ID) },
		"end sessions": func(u User) error { return db.EndSessions(ctx, u.ID) },
	} {
		u := person(t, db, "budi", RoleOperator)
		signedIn(t, db, &siti, "siti "+name)
		signedIn(t, db, &u, "phone "+name)
		signedIn(t, db, &u, "laptop "+name)
		device := ConsoleDevice{Hash: "device " + name, UserID: u.ID, ExpiresAt: time.Now().Add(time.Hour)}
		if err := db.RememberDevice(ctx, device); err != nil {
			t.Fatal(err)
		}
		if known, err := db.KnowsDevice(ctx, device); err != nil || !known || !alive(t, db, "laptop "+name) {
			t.Fatalf("%s, before: %v, %v", name, known, err)
		}
		if err := end(u); err != nil {
			t.Fatal(err)
		}
		if alive(t, db, "phone "+name) || alive(t, db, "laptop "+name) {
			t.Errorf("%s: a session lives", name)
		}
		if known, err := db.KnowsDevice(ctx, device); err != nil || known {
			t.Errorf("%s: the browser is known: %v", name, err)
		}
		if !alive(t, db, "siti "+name) || !alive(t, db, "token") {
			t.Errorf("%s: another's session ended", name)
		}
		// Whoever was just checking the old password comes too late.
		err := db.CreateConsoleSession(ctx, ConsoleSession{Hash: "late " + name, ExpiresAt: time.Now().Add(time.Hour), User: &u})
		if name == "end sessions" {
			if err != nil {
				t.Errorf("signing in again: %v", err)
			}
		} else if problem.CodeOf(err) != problem.Unauthorized || alive(t, db, "late "+name) {
			t.Errorf("%s: a session that came late: %v", name, err)
		}
		if err := db.DeleteUser(ctx, u.ID); err != nil && name != "delete" {
			t.Fatal(err)
		}
	}
	if err := db.EndSessions(ctx, ""); err != nil || alive(t, db, "token") || !alive(t, db, "siti delete") {
		t.Errorf("sessions of the token: %v", err)
	}
}

func TestBrowsersAreForgotten(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	siti := person(t, db, "siti", RoleOwner)
	at := time.Now().Add(time.Hour)
	device := func(i int) ConsoleDevice {
		return ConsoleDevice{Hash: fmt.Sprint("d", i), UserID: siti.ID, ExpiresAt: at.Add(time.Duration(i) * time.Second)}
	}
	for i := range maxDevices + 2 {
		if err := db.RememberDevice(t.Context(), device(i)); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range map[int]bool{0: false, 1: false, 2: true, maxDevices + 1: true} {
		if known, err := db.KnowsDevice(t.Context(), device(i)); err != nil || known != want {
			t.Errorf("browser %d: %v, %v", i, known, err)
		}
	}
	other := device(5)
	other.UserID = "usr_other"
	if known, _ := db.KnowsDevice(t.Context(), other); known {
		t.Error("a browser is known for somebody else")
	}
	if err := db.ExpireConsoleSessions(t.Context(), at.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if known, _ := db.KnowsDevice(t.Context(), device(5)); known {
		t.Error("a browser whose time is over is known")
	}
	wantCode(t, db.RememberDevice(t.Context(), other), problem.NotFound)
}
