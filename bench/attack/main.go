// Command attack tries to get into a running kurir from outside, as somebody would who found it on the internet, and
// prints what it tried, what was refused and what got in. It ends with 1 when something got in.
//
// Without -url it starts the built binary on a folder of its own. With -url it attacks that kurir (yours, please); it
// needs -admin to make two sandbox instances there, which it deletes again.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"text/tabwriter"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "attack:", err)
		os.Exit(1)
	}
}

// siege is one run: whom it attacks, and the table.
type siege struct {
	*target
	rows []*row
	now  *row
}

// row is a line of the table.
type row struct {
	what           string
	tried, refused int
	in             []string // what got in
	unsure         []string // what was answered in no way that was expected
}

// try notes one attempt. in is true when the attacker has something that is not his.
func (s *siege) try(what string, in bool, got answer) {
	s.now.tried++
	switch {
	case in:
		s.now.in = append(s.now.in, fmt.Sprintf("%s: %d %.160s", what, got.status, got.body))
	case got.status >= 500 && got.status != 501 && got.status != 503 && got.status != 505:
		s.now.unsure = append(s.now.unsure, fmt.Sprintf("%s: %d %.160s", what, got.status, got.body))
	default:
		s.now.refused++
	}
}

func run(ctx context.Context) (err error) {
	url := flag.String("url", "", "address of a kurir that runs; empty: one is started")
	admin := flag.String("admin", os.Getenv("KURIR_ADMIN_TOKEN"), "its admin token")
	flag.Parse()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	t, err := aim(ctx, *url, *admin)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.leave(context.WithoutCancel(ctx))) }()
	s := &siege{target: t}
	for _, group := range []struct {
		what string
		do   func(*siege, context.Context)
	}{
		{"no key, wrong keys, every address", (*siege).keys},
		{"paths and methods", (*siege).paths},
		{"headers", (*siege).headers},
		{"another instance's things, with a good key", (*siege).others},
		{"files from inside the network (SSRF)", (*siege).inside},
		{"names of files", (*siege).names},
		{"large, deep, many, compressed", (*siege).bodies},
		{"SQL, CRLF, format strings", (*siege).injections},
		{"signed links", (*siege).links},
		{"the console from another site (CSRF, CORS)", (*siege).sites},
		{"smuggled requests", (*siege).smuggled},
		{"slow and idle connections", (*siege).slow},
	} {
		s.now = &row{what: group.what}
		s.rows = append(s.rows, s.now)
		group.do(s, ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !s.alive(ctx) {
			s.now.in = append(s.now.in, "kurir does not answer any more")
			break
		}
	}
	return s.table()
}

// table prints what came of it; its error says that something got in.
func (s *siege) table() error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "attack\ttried\trefused\tgot in")
	var tried, refused, in, unsure int
	for _, r := range s.rows {
		_, _ = fmt.Fprintf(w, "%s\t%d\t%d\t%d\n", r.what, r.tried, r.refused, len(r.in))
		tried, refused, in, unsure = tried+r.tried, refused+r.refused, in+len(r.in), unsure+len(r.unsure)
	}
	_, _ = fmt.Fprintf(w, "in all\t%d\t%d\t%d\n", tried, refused, in)
	_ = w.Flush()
	for _, r := range s.rows {
		for _, what := range r.in {
			fmt.Println("GOT IN:", r.what+":", what)
		}
		for _, what := range r.unsure {
			fmt.Println("NOT REFUSED CLEANLY:", r.what+":", what)
		}
	}
	if in+unsure > 0 {
		return fmt.Errorf("%d got in, %d were not refused cleanly", in, unsure)
	}
	return nil
}
