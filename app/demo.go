package app

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"time"

	"kurir/browser"
	"kurir/handlers"
	"kurir/models"
	"kurir/sandbox"
)

// The demo: one sandbox instance, linked with one simulated phone. The customer is any number; this one is printed.
const (
	demoName     = "demo"
	demoNumber   = "6281100001234"
	demoCustomer = "081234567890"
)

// Greet prints what a person needs after a start: where the console is, the admin token when it was just made, and
// with --demo a curl that works.
func (a *App) Greet(ctx context.Context, out io.Writer) {
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(out, format+"\n", args...) }
	say("kurir %s is running.", a.cfg.Version)
	say("  Console:      %s", a.URL())
	switch {
	case a.admin.generated != "":
		say("  Admin token:  %s   (shown only now; keep it)", a.admin.generated)
	case a.cfg.AdminToken == "":
		say("  Admin token:  the one printed at the first start (set KURIR_ADMIN_TOKEN to choose another)")
	}
	if !a.cfg.Demo {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	key, err := a.demo(ctx)
	if err != nil {
		say("\nThe demo instance could not be made ready: %v", err)
		return
	}
	say("\nA sandbox instance is linked. Send a message with it:\n")
	say("  curl %s/wa/send -d key=%s -d phone=%s -d body='Halo dari kurir' -d wait=true\n", a.URL(), key, demoCustomer)
	if server, err := a.Sandbox(ctx); err == nil && a.cfg.SandboxControl == "" {
		say("and look at what the simulated phone received:\n")
		say("  curl %s/phones/62%s/inbox\n", server.ControlURL(), demoCustomer[1:])
		say("or hold that phone in the browser, and answer:\n")
		say("  %s/sandbox/62%s\n", a.URL(), demoCustomer[1:])
	}
	say("Ctrl-C ends kurir.")
}

// demo makes the demo instance when there is none, links it when it is not, and gives it a new key: keys are stored
// hashed, so an old one cannot be printed again.
func (a *App) demo(ctx context.Context) (key string, err error) {
	in, err := a.demoInstance(ctx)
	if err != nil {
		return "", err
	}
	old, err := a.db.Keys(ctx, in.ID)
	if err != nil {
		return "", err
	}
	for _, k := range old {
		if k.Name == demoName {
			if err := a.db.DeleteKey(ctx, k.ID); err != nil {
				return "", err
			}
		}
	}
	if _, key, err = a.db.CreateKey(ctx, models.NewKey{InstanceID: in.ID, Name: demoName, Sandbox: true}); err != nil {
		return "", err
	}
	return key, a.sessions.linkWithPhone(ctx, in.ID)
}

func (a *App) demoInstance(ctx context.Context) (models.Instance, error) {
	all, err := a.db.Instances(ctx)
	if err != nil {
		return models.Instance{}, err
	}
	for _, in := range all {
		if in.Name == demoName && in.Sandbox {
			return in, a.sessions.Start(ctx, in.ID)
		}
	}
	in, _, err := a.sessions.Create(ctx, handlers.CreateInstance{Name: demoName, Sandbox: true})
	return in, err
}

// linkWithPhone waits until the instance works, and scans its QR with a simulated phone when it asks for that.
func (s *Sessions) linkWithPhone(ctx context.Context, id string) error {
	changes, cancel := s.Subscribe()
	defer cancel()
	scanned := ""
	for {
		switch st := s.Status(id); st.State {
		case browser.StateWorking:
			return nil
		case browser.StateScanQR:
			if qr, ok := s.QR(id); ok && qr.Text != scanned {
				if err := s.Scan(ctx, id); err != nil {
					return err
				}
				scanned = qr.Text
			}
		case browser.StateLoggedOut:
			if err := s.Restart(ctx, id); err != nil {
				return err
			}
		}
		select {
		case <-changes:
		case <-ctx.Done():
			st := s.Status(id)
			return fmt.Errorf("instance is %s (%s): %w", st.State, st.Reason, ctx.Err())
		}
	}
}

// scan links an instance with a simulated phone of its own.
func (s *simulator) scan(ctx context.Context, in models.Instance, qr string) error {
	number := ownNumber(in)
	if s.cfg.SandboxControl != "" {
		if err := s.control(ctx, "/phones", map[string]string{"number": number, "name": in.Name}); err != nil {
			return err
		}
		return s.control(ctx, "/phones/"+number+"/scan", map[string]string{"qr": qr})
	}
	server, err := s.own(ctx)
	if err != nil {
		return err
	}
	if err := namePhone(server, in); err != nil {
		return err
	}
	return server.Scan(number, qr)
}

// namePhone gives an instance's phone the instance's name, and leaves everything else of it as it is.
func namePhone(server *sandbox.Server, in models.Instance) error {
	p, err := server.Phone(ownNumber(in))
	if err != nil || p.Name == in.Name {
		return err
	}
	spec := p.PhoneSpec
	spec.Name = in.Name
	_, err = server.CreatePhone(spec)
	return err
}

// ownNumber is the number of the simulated phone that links an instance.
func ownNumber(in models.Instance) string {
	if in.Name == demoName {
		return demoNumber
	}
	return phoneFor(in.ID)
}

// phoneFor derives a number for an instance's simulated phone, the same each time.
func phoneFor(id string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id))
	return fmt.Sprintf("6281%09d", h.Sum64()%1_000_000_000)
}
