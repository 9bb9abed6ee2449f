package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/launcher"
	"github.com/go-rod/rod/lib/launcher/flags"
	"github.com/go-rod/rod/lib/proto"

	"kurir/browser"
	"kurir/js"
	"kurir/sandbox"
)

// clocks notes, by the page's own clock, when the modules are there and when wa-js is ready and the page synced.
const clocks = `{
	const at = (window.benchAt = {});
	const timer = setInterval(() => {
		if (window.__d && !at.modules) at.modules = performance.now();
		if (window.WPP?.isFullReady && !at.ready) at.ready = performance.now();
		if (at.modules && require('WAWebSocketModel').Socket.stream === 'CONNECTED' && !at.synced) at.synced = performance.now();
		if (at.ready && at.synced) clearInterval(timer);
	}, 2);
	document.addEventListener('DOMContentLoaded', () => require('WAWebBackendEventBus').BackendEventBus.onInitialChatHistorySynced(() => (at.history = performance.now())));
}`

// benchSandbox measures the simulator's page itself: it must not be what a measurement of kurir measures.
func benchSandbox(ctx context.Context, b *bench) error {
	var ready times
	small := sandbox.PhoneSpec{Number: "6281100001060", Chats: 20, Messages: 100, Seed: 1}
	big := sandbox.PhoneSpec{Number: "6281100001061", Chats: sandbox.MaxChats, Contacts: sandbox.MaxContacts, Messages: sandbox.MaxMessages, Seed: 1}
	few, err := b.sandboxPage(ctx, small, &ready, "")
	if err != nil {
		return err
	}
	b.add("sandbox page: first module → wa-js ready", "≤ 2000 ms", "%s", ready)
	many, err := b.sandboxPage(ctx, big, &ready, "10,000 chats, 20,000 contacts, 200,000 messages")
	if err != nil {
		return err
	}
	b.add("sandbox page: send by wa-js, 20 chats", "", "%s", few)
	b.add("sandbox page: send by wa-js, 10,000 chats", "≤ 2 ×", "%s, %.2f ×", many, many.at(0.5)/few.at(0.5))
	return nil
}

// sandboxPage links a page on a profile of its own, sends through wa-js, restarts it three times and returns what the
// sends took. With a name, the history is reported too.
func (b *bench) sandboxPage(ctx context.Context, spec sandbox.PhoneSpec, ready *times, history string) (times, error) {
	profile, err := os.MkdirTemp("", "kurir-bench-page-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(profile) }()
	if _, err := b.world.CreatePhone(spec); err != nil {
		return nil, err
	}
	p, err := b.openOn(ctx, profile)
	if err != nil {
		return nil, err
	}
	defer func() { p.close() }()
	if err := p.wait(ctx, "ready"); err != nil {
		return nil, err
	}
	*ready = append(*ready, p.between("modules", "ready"))
	linked := p.now()
	if err := b.linkWAJS(ctx, p, spec.Number); err != nil {
		return nil, err
	}
	if err := errors.Join(p.wait(ctx, "synced"), p.wait(ctx, "history")); err != nil {
		return nil, err
	}
	usable, complete := p.at("synced")-linked, p.at("history")-linked
	sends, err := repeat(160, p.send)
	if err != nil {
		return nil, err
	}
	var restart times
	for range 3 {
		p.close()
		if p, err = b.openOn(ctx, profile); err != nil {
			return nil, err
		}
		if err := errors.Join(p.wait(ctx, "ready"), p.wait(ctx, "synced")); err != nil {
			return nil, err
		}
		*ready = append(*ready, p.between("modules", "ready"))
		restart = append(restart, max(p.at("ready"), p.at("synced")))
	}
	if history != "" {
		b.add("sandbox page: link → usable, "+history, "", "%.1f s", usable.Seconds())
		b.add("sandbox page: link → the whole history is stored", "≤ 60 s", "%.1f s", complete.Seconds())
		b.add("sandbox page: navigation → ready, with that history", "", "%s", restart)
	}
	return sends[60:], nil // the first to each chat makes it
}

// openOn opens the page with wa-js and nothing of kurir's on a profile. close ends Chromium so that the profile is kept.
func (b *bench) openOn(ctx context.Context, profile string) (_ *page, err error) {
	binary, err := browser.FindChromium(os.Getenv("KURIR_CHROMIUM"))
	if err != nil {
		return nil, err
	}
	l := launcher.New().Context(ctx).Bin(binary).UserDataDir(profile).Leakless(false).NoSandbox(os.Geteuid() == 0).Set("disable-background-networking")
	for _, arg := range b.world.ChromiumArgs() {
		name, value, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		l.Set(flags.Flag(name), value)
	}
	_ = os.Remove(filepath.Join(profile, "DevToolsActivePort")) // of an earlier run
	url, err := l.Launch()
	if err != nil {
		return nil, err
	}
	r := rod.New().Context(ctx).ControlURL(url)
	p := &page{close: func() { _ = r.Close(); waitGone(l.PID()) }}
	if err := r.Connect(); err != nil {
		l.Kill()
		return nil, err
	}
	scripts, err := js.Scripts()
	if err != nil {
		p.close()
		return nil, err
	}
	if p.Page, err = r.Page(proto.TargetCreateTarget{}); err != nil {
		p.close()
		return nil, err
	}
	for _, s := range append([]string{clocks}, scripts[:len(scripts)-1]...) {
		if _, err := p.EvalOnNewDocument(s); err != nil {
			p.close()
			return nil, err
		}
	}
	return p, p.Navigate("https://web.whatsapp.com/")
}

// waitGone returns when a process has ended.
func waitGone(pid int) {
	for syscall.Kill(pid, 0) == nil {
		time.Sleep(5 * time.Millisecond)
	}
}

// at is when something happened, by the page's clock; 0: not yet.
func (p *page) at(what string) time.Duration {
	v, err := p.Eval(`(what) => window.benchAt?.[what] ?? 0`, what)
	if err != nil {
		return 0
	}
	return time.Duration(v.Value.Num() * float64(time.Millisecond))
}

func (p *page) now() time.Duration {
	v, err := p.Eval(`() => performance.now()`)
	if err != nil {
		return 0
	}
	return time.Duration(v.Value.Num() * float64(time.Millisecond))
}

func (p *page) between(from, to string) time.Duration { return p.at(to) - p.at(from) }

func (p *page) wait(ctx context.Context, what string) error {
	return poll(ctx, 3*time.Minute, func() error {
		if p.at(what) == 0 {
			return fmt.Errorf("%s has not happened", what)
		}
		return nil
	})
}

// send is one text through wa-js, to one of ten chats.
func (p *page) send(i int) error {
	_, err := p.Eval(`(to, body) => WPP.chat.sendTextMessage(to, body, {createChat: true}).then((r) => r.id.toString())`, customer(7000+i%10)+"@c.us", fmt.Sprint("pesan ", i))
	return err
}
