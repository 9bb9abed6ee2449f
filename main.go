// Command kurir is a self-hosted WhatsApp REST gateway.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"kurir/app"
	"kurir/licenses"
)

// version is set by the build (-ldflags -X main.version=…).
var version = "dev"

const usage = `kurir is a self-hosted WhatsApp REST gateway.

  kurir serve [--demo]   run the gateway; --demo makes and links a sandbox instance
  kurir sandbox          run the simulator of WhatsApp Web alone; --seed gives it a phone with a history
  kurir doctor           check this machine and say what to do
  kurir migrate          bring the database to this version's schema
  kurir audit verify     check that nobody has changed the audit log; --head ID:HASH, that its end is there too
  kurir user reset NAME  give a person of the console a new password
  kurir licenses         print the licences of what others wrote and is in kurir
  kurir version          print the version

Settings come from the environment; README.md lists them.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main without the process: it carries out one command and returns the exit code. It ends when ctx does.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		_, _ = io.WriteString(stderr, usage)
		return 2
	}
	name, rest := args[0], args[1:]
	switch name {
	case "version", "--version":
		_, _ = fmt.Fprintln(stdout, "kurir", version)
		return 0
	case "licenses":
		_, _ = io.WriteString(stdout, licenses.Text())
		return 0
	case "help", "--help", "-h":
		_, _ = io.WriteString(stdout, usage)
		return 0
	}

	commands := map[string]func(context.Context, app.Config, []string, io.Writer, io.Writer) error{
		"serve": serve, "sandbox": runSandbox, "doctor": doctor, "migrate": migrate, "audit": audit, "user": user,
	}
	command, ok := commands[name]
	if !ok {
		_, _ = fmt.Fprintf(stderr, "kurir: there is no command %q\n\n%s", name, usage)
		return 2
	}
	// Of what kurir and its Chromiums write, nothing is for other users of this machine.
	syscall.Umask(0o077)
	cfg, err := app.LoadConfig(environ)
	cfg.Version = version
	if err == nil {
		err = command(ctx, cfg, rest, stdout, stderr)
	}
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	default:
		_, _ = fmt.Fprintln(stderr, "kurir:", err)
		return 1
	}
}

func serve(ctx context.Context, cfg app.Config, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.BoolVar(&cfg.Demo, "demo", false, "make and link a sandbox instance, print its key and a curl")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if os.Getenv("GOGC") == "" {
		// kurir's heap is a few MB beside Chromium's hundreds; collecting it twice as often costs little and keeps a
		// gateway for one shop on a small machine at some 40 MB.
		debug.SetGCPercent(50)
	}
	a, err := app.Open(ctx, cfg, cfg.Logger(stderr))
	if err != nil {
		return err
	}
	a.Greet(ctx, stdout)
	<-ctx.Done()
	// The signal's context is over: draining has a limit of its own.
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.DrainTimeout)
	defer cancel()
	return a.Close(drain)
}

func runSandbox(ctx context.Context, cfg app.Config, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("sandbox", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var o app.SandboxOptions
	flags.BoolVar(&o.Memory, "memory", false, "keep nothing on disk")
	flags.StringVar(&o.Seed, "seed", "", "make a phone with a history, for example `chats=10000,messages=200000,contacts=20000`")
	flags.Uint64Var(&o.SeedNumber, "seed-number", 1, "which history --seed makes: the same `number`, the same history")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return app.RunSandbox(ctx, cfg, o, stdout, cfg.Logger(stderr))
}

func doctor(ctx context.Context, cfg app.Config, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("doctor", flag.ContinueOnError)
	flags.SetOutput(stderr)
	alive := flags.Bool("alive", false, "only ask a running kurir whether it is alive (for container health checks)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if *alive {
		return app.CheckAlive(ctx, cfg)
	}
	return app.Doctor(ctx, cfg, stdout)
}

func migrate(ctx context.Context, cfg app.Config, _ []string, stdout, stderr io.Writer) error {
	return app.Migrate(ctx, cfg, stdout, cfg.Logger(stderr))
}

func audit(ctx context.Context, cfg app.Config, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 || args[0] != "verify" {
		return errors.New("it is: kurir audit verify [--head ID:HASH]")
	}
	flags := flag.NewFlagSet("audit verify", flag.ContinueOnError)
	flags.SetOutput(stderr)
	head := flags.String("head", "", "an `ID:HASH` that an earlier check printed: it must still be in the log")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	return app.VerifyAudit(ctx, cfg, *head, stdout)
}

func user(ctx context.Context, cfg app.Config, args []string, stdout, stderr io.Writer) error {
	if len(args) != 2 || args[0] != "reset" {
		return errors.New("it is: kurir user reset NAME")
	}
	return app.ResetPassword(ctx, cfg, args[1], stdout, cfg.Logger(stderr))
}
