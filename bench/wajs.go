package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/launcher"
	"github.com/go-rod/rod/lib/launcher/flags"
	"github.com/go-rod/rod/lib/proto"

	"kurir/browser"
	"kurir/js"
	"kurir/sandbox"
)

// page is a linked page with wa-js in it and nothing of kurir's, driven by rod as it comes.
type page struct {
	*rod.Page
	close func()
}

// openWAJS links a page of its own with a phone of its own.
func (b *bench) openWAJS(ctx context.Context, number string) (_ *page, err error) {
	binary, err := browser.FindChromium(os.Getenv("KURIR_CHROMIUM"))
	if err != nil {
		return nil, err
	}
	l := launcher.New().Context(ctx).Bin(binary).Leakless(false).NoSandbox(os.Geteuid() == 0).Set("disable-background-networking")
	for _, arg := range b.world.ChromiumArgs() {
		name, value, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		l.Set(flags.Flag(name), value)
	}
	url, err := l.Launch()
	if err != nil {
		return nil, err
	}
	p := &page{close: func() { l.Kill(); l.Cleanup() }}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	r := rod.New().Context(ctx).ControlURL(url)
	if err := r.Connect(); err != nil {
		return nil, err
	}
	if p.Page, err = r.Page(proto.TargetCreateTarget{}); err != nil {
		return nil, err
	}
	scripts, err := js.Scripts()
	if err != nil {
		return nil, err
	}
	for _, s := range scripts[:len(scripts)-1] { // all but the bridge
		if _, err := p.EvalOnNewDocument(s); err != nil {
			return nil, err
		}
	}
	if err := p.Navigate("https://web.whatsapp.com/"); err != nil {
		return nil, err
	}
	return p, b.linkWAJS(ctx, p, number)
}

func (b *bench) linkWAJS(ctx context.Context, p *page, number string) error {
	if _, err := b.world.CreatePhone(sandbox.PhoneSpec{Number: number}); err != nil {
		return err
	}
	err := poll(ctx, 30*time.Second, func() error {
		v, err := p.Eval(`() => document.querySelector('[data-ref]')?.dataset.ref ?? ""`)
		if err != nil {
			return err
		}
		return b.world.Scan(number, v.Value.Str())
	})
	if err != nil {
		return err
	}
	return poll(ctx, time.Minute, func() error {
		v, err := p.Eval(`() => !!window.WPP?.isFullReady && require('WAWebStreamModel').Stream.mode === 'MAIN'`)
		if err == nil && !v.Value.Bool() {
			err = errors.New("wa-js is not ready")
		}
		return err
	})
}

// direct is what wa-js takes in the page.
type direct struct{ text times }

// waJS sends n texts through wa-js alone, by one call of rod each, and returns the time of each as the page saw it.
func (b *bench) waJS(ctx context.Context, n int) (direct, error) {
	p, err := b.openWAJS(ctx, "6281100001091")
	if err != nil {
		return direct{}, err
	}
	defer p.close()
	send := func(i int) error {
		_, err := p.Eval(`(to, body) => WPP.chat.sendTextMessage(to, body, {createChat: true}).then(r => r.id.toString())`, customer(5000+i%10)+"@c.us", fmt.Sprint("pesan ", i))
		return err
	}
	if _, err := repeat(50, send); err != nil {
		return direct{}, err
	}
	t, err := repeat(n, send)
	return direct{text: t}, err
}

// waJSFile sends a file that the page has already, n times, and returns what sendFileMessage took by the page's clock.
func (b *bench) waJSFile(ctx context.Context, file []byte, n int) (times, error) {
	p, err := b.openWAJS(ctx, "6281100001092")
	if err != nil {
		return nil, err
	}
	defer p.close()
	name := filepath.Join(os.TempDir(), fmt.Sprintf("kurir-bench-%d.bin", os.Getpid()))
	if err := os.WriteFile(name, file, 0o600); err != nil {
		return nil, err
	}
	defer func() { _ = os.Remove(name) }()
	input, err := p.ElementByJS(rod.Eval(`() => window.benchInput = Object.assign(document.createElement('input'), {type: 'file'})`))
	if err != nil {
		return nil, err
	}
	if err := input.SetFiles([]string{name}); err != nil {
		return nil, err
	}
	send := func() (float64, error) {
		v, err := p.Eval(`async (to) => {
			const start = performance.now();
			await WPP.chat.sendFileMessage(to, benchInput.files[0], {type: 'document', createChat: true, waitForAck: true, filename: 'berkas.bin'});
			return performance.now() - start;
		}`, customer(6000)+"@c.us")
		if err != nil {
			return 0, err
		}
		return v.Value.Num(), nil
	}
	var t times
	for i := range n + 1 {
		ms, err := send()
		if err != nil {
			return nil, err
		}
		if i > 0 { // the first makes the chat
			t = append(t, time.Duration(ms*float64(time.Millisecond)))
		}
	}
	return t, nil
}
