package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"kurir/models"
	"kurir/password"
	"kurir/problem"
)

// The commands here work on the data folder while kurir runs there and while it does not.

// errAudit is the end of VerifyAudit when the log does not fit; what is wrong was printed.
var errAudit = errors.New("the audit log was changed by something other than kurir")

// VerifyAudit checks the chain of the audit log and prints what it found. head is one that was noted earlier, or "".
func VerifyAudit(ctx context.Context, cfg Config, head string, stdout io.Writer) error {
	var noted *models.AuditHead
	if head != "" {
		h, err := models.ParseAuditHead(head)
		if err != nil {
			return fmt.Errorf("--head: %w", err)
		}
		noted = &h
	}
	c, err := models.VerifyAudit(ctx, cfg.databaseURL(), noted)
	if err != nil {
		return err
	}
	if c.Broken != nil {
		_, _ = fmt.Fprintf(stdout, "line %d: %s\n%d lines before it are in order.\n", c.Broken.ID, c.Broken.Why, c.Lines)
		return errAudit
	}
	_, _ = fmt.Fprintf(stdout, "ok: %d lines, %d to %d\n", c.Lines, c.First, c.Head.ID)
	if c.Old > 0 {
		_, _ = fmt.Fprintf(stdout, "the first %d are older than the chain: they are as they were when it began\n", c.Old)
	}
	if c.Anchor.ID > 0 {
		_, _ = fmt.Fprintf(stdout, "lines up to %d were deleted for their age\n", c.Anchor.ID)
	}
	_, _ = fmt.Fprintf(stdout, "head: %s\nNote the head somewhere else: with --head %d:… the next check also sees whether the end was cut off.\n", c.Head, c.Head.ID)
	return nil
}

// ResetPassword gives a person of the console a new password, prints it this once, and signs them out everywhere.
func ResetPassword(ctx context.Context, cfg Config, name string, stdout io.Writer, log *slog.Logger) (err error) {
	if name, err = models.UserName(name); err != nil {
		return err
	}
	db, err := models.Open(ctx, models.Config{URL: cfg.databaseURL(), Log: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if v, err := db.SchemaVersion(ctx); err != nil || v.Pending() || v.Newer() {
		return errors.Join(err, fmt.Errorf("the database has schema %d and this kurir wants %d: run `kurir migrate`, or the newer kurir", v.Current, v.Target))
	}
	u, err := db.UserByName(ctx, name)
	if err != nil {
		if problem.CodeOf(err) == problem.NotFound {
			return fmt.Errorf("nobody in the console is called %q", name)
		}
		return err
	}
	plain := password.Random()
	hash, err := password.New().Hash(ctx, plain)
	if err == nil {
		err = db.SetPassword(ctx, u.ID, hash)
	}
	if err == nil {
		err = db.AppendAudit(ctx, models.AuditEntry{Actor: "cli", Action: "user.password", Target: u.ID + " " + u.Name, Code: "OK"})
	}
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(stdout, "new password of %s: %s\nIt is shown only now. Change it after signing in.\n", u.Name, plain)
	if u.Disabled {
		_, _ = fmt.Fprintln(stdout, "This person is locked out; an owner can let them in again.")
	}
	return nil
}
