package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"kurir/browser"
	"kurir/problem"
)

// events is the event stream of one open page: the list, with ?instance= that instance, with ?screen= a simulated
// phone. At first it sends all that
// moves (the page may have waited in a background tab), then what changes. Each event is HTML that names the elements
// it replaces (htmx's <hx-partial>), so the texts and their escaping stay in the templates.
func (c *Console) events(w http.ResponseWriter, r *http.Request) {
	changed, cancel := c.deps.Instances.Subscribe()
	defer cancel()
	s := stream{
		console: c, w: w, out: http.NewResponseController(w), text: c.text(r), instance: r.FormValue("instance"),
		phone: r.FormValue("phone"), screen: r.FormValue("screen"), chat: r.FormValue("chat"), sent: map[string]string{},
	}
	if !s.choose() {
		c.notFound(w, r)
		return
	}
	s.curl = curl(r, s.text.T("instance.your_key"), s.text.T("created.hello"))
	s.ended = c.ended.heard()
	v, _ := visitorOf(r)
	if now, ok := c.lookUp(r.Context(), v.hash); !ok || now.owner() != v.owner() { // it ended since guard looked
		http.Error(w, "signed out", http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would hold events back
	w.WriteHeader(http.StatusOK)
	ping := time.NewTicker(c.ping)
	defer ping.Stop()
	for {
		moved, err := s.moves(r.Context()) // before looking, so that no change falls between
		if err != nil || s.push(r.Context()) != nil || !s.wait(r.Context(), v, changed, moved, ping.C) {
			return
		}
	}
}

// moves returns a channel that is closed at the next change of a phone; nil for pages that show none.
func (s *stream) moves(ctx context.Context) (<-chan struct{}, error) {
	if s.screen == "" {
		return nil, nil
	}
	return s.console.deps.Phones.Changed(ctx)
}

// wait returns true when it is time to look again, false when the stream is over.
func (s *stream) wait(ctx context.Context, was visitor, changed <-chan string, moved <-chan struct{}, ping <-chan time.Time) bool {
	c := s.console
	for {
		select {
		case <-ctx.Done():
			return false
		case <-c.closing:
			return false
		case id, open := <-changed:
			if !open {
				return false
			}
			if s.instance == "" || id == s.instance {
				return true
			}
		case <-moved:
			// Changes come in bursts, and a page can be drawn only so often.
			select {
			case <-time.After(phonePause):
				return true
			case <-ctx.Done():
				return false
			case <-c.closing:
				return false
			}
		case <-s.ended:
			s.ended = c.ended.heard()
			if now, ok := c.lookUp(ctx, was.hash); !ok || now.owner() != was.owner() {
				return false // the page comes again, and sees what it may see now
			}
		case <-ping:
			// Someone may have signed out in another tab, or the session was ended by another process.
			now, ok := c.lookUp(ctx, was.hash)
			return ok && now.owner() == was.owner() && s.write(": ping\n\n") == nil
		}
	}
}

// choose takes how to look from what is looked at; false: there is no such page.
func (s *stream) choose() bool {
	screens := []string{"chats", "chat", "devices", "settings", "faults"}
	switch {
	case s.screen != "" && (s.console.deps.Phones == nil || s.screen != "desk" && !slices.Contains(screens, s.screen)):
		return false
	case s.screen != "":
		s.look = s.lookAtPhones
	case s.instance != "":
		s.look = s.lookAtInstance
	default:
		s.look = s.lookAtList
	}
	return true
}

// stream is one reader of events.
type stream struct {
	console  *Console
	w        http.ResponseWriter
	out      *http.ResponseController
	text     text
	curl     string            // the example on the page of a connected instance
	instance string            // "" is the list
	sent     map[string]string // what each element shows, as far as this reader was told
	ended    <-chan struct{}   // closed when sessions have ended
	started  bool
	look     func(context.Context) ([]fragment, error)

	phone, screen, chat string // of a simulated phone; screen "" is none, "desk" the choice of a phone
}

// fragment is an element that is pushed. It is sent when its key changed.
type fragment struct {
	target, key, html string
}

// writePatience is how long a reader may take for one event before it counts as gone.
const writePatience = 10 * time.Second

// phonePause is how long a phone's page is left alone after a change.
const phonePause = 100 * time.Millisecond

func (s *stream) write(text string) error {
	// Not every ResponseWriter (of a test) has deadlines.
	if err := s.out.SetWriteDeadline(time.Now().Add(writePatience)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.out.Flush()
}

// push sends what changed since the last push. Its error means that the stream is over.
func (s *stream) push(ctx context.Context) error {
	fragments, err := s.look(ctx)
	if err != nil {
		if ctx.Err() == nil {
			s.console.deps.Log.ErrorContext(ctx, "console: event stream", "instance", s.instance, "err", err)
		}
		return err
	}
	var b strings.Builder
	for _, f := range fragments {
		if s.sent[f.target] == f.key {
			continue
		}
		s.sent[f.target] = f.key
		fmt.Fprintf(&b, "<hx-partial hx-target=\"#%s\" hx-swap=\"outerMorph\">%s</hx-partial>\n", f.target, f.html)
	}
	s.started = true
	if b.Len() == 0 {
		return nil
	}
	return s.write("data: " + strings.ReplaceAll(strings.TrimSpace(b.String()), "\n", "\ndata: ") + "\n\n")
}

// lookAtList returns the whole list when instances came or went, else its cards.
func (s *stream) lookAtList(ctx context.Context) ([]fragment, error) {
	list, err := s.console.listView(ctx, s.text)
	if err != nil {
		return nil, err
	}
	var ids, news strings.Builder
	fragments := make([]fragment, 0, len(list.Items)+1)
	for _, item := range list.Items {
		fmt.Fprintln(&ids, item.ID)
		html, err := s.draw("card", item)
		if err != nil {
			return nil, err
		}
		fragments = append(fragments, fragment{"card-" + item.ID, html, html})
		if s.sent["card-"+item.ID] != html {
			fmt.Fprintln(&news, item.Announcement())
		}
	}
	if s.started && news.Len() > 0 {
		announcement, err := s.announce(news.String())
		if err != nil {
			return nil, err
		}
		fragments = append(fragments, announcement)
	}
	if known, ok := s.sent["list"]; !ok || known != ids.String() {
		html, err := s.draw("instances", list)
		if err != nil {
			return nil, err
		}
		for _, f := range fragments { // they are in the list
			s.sent[f.target] = f.key
		}
		return []fragment{{"list", ids.String(), html}}, nil
	}
	return fragments, nil
}

// lookAtInstance returns the parts of the instance's page. The QR code has a part of its own: its replacement must not
// touch the form beside it, where someone may be typing.
func (s *stream) lookAtInstance(ctx context.Context) ([]fragment, error) {
	view, err := s.console.deps.Instances.Get(ctx, s.instance)
	if err != nil {
		if problem.CodeOf(err) != problem.NotFound {
			return nil, err
		}
		html, err := s.draw("gone", s.text)
		return []fragment{{"panel", "gone", html}}, err
	}
	v := s.console.instanceView(s.text, view)
	v.Curl = s.curl
	head, err := s.draw("head", v)
	if err != nil {
		return nil, err
	}
	fragments := []fragment{{"head", head, head}}
	panelKey := strings.Join([]string{string(v.State()), v.Status.Reason, v.Status.Phone, v.Status.Pushname}, "\x00")
	qrKey := v.qr.Text + v.qr.Expires.String()
	if s.sent["panel"] != panelKey {
		html, err := s.draw("panel", v)
		if err != nil {
			return nil, err
		}
		fragments = append(fragments, fragment{"panel", panelKey, html})
		s.sent["qr"] = qrKey // it is in the panel
	} else if v.State() == browser.StateScanQR {
		html, err := s.draw("qr", v)
		if err != nil {
			return nil, err
		}
		fragments = append(fragments, fragment{"qr", qrKey, html})
	}
	announcement, err := s.announce(v.Announcement())
	return append(fragments, announcement), err
}

// announce is what a screen reader says. At first it is silent: the page has just been read.
func (s *stream) announce(what string) (fragment, error) {
	if !s.started {
		s.sent["announce"] = what
	}
	html, err := s.draw("announce", what)
	return fragment{"announce", what, html}, err
}

func (s *stream) draw(name string, data any) (string, error) {
	var b bytes.Buffer
	if err := s.console.templates.ExecuteTemplate(&b, name, data); err != nil {
		return "", err
	}
	return b.String(), nil
}
