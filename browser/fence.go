package browser

import (
	"context"
	"encoding/json"
	"net/url"

	"github.com/go-rod/rod/lib/proto"
)

// The fence around the page: it may load WhatsApp Web and nothing else in its place, opens no other window, and is given
// nothing of this machine. WhatsApp's own page asks for none of that; what was sent to it might.

// refusedPermissions are what a page may ask a person for. Here is none.
func refusedPermissions() []string {
	return []string{
		"camera", "microphone", "geolocation", "notifications", "clipboard-read", "clipboard-write", "midi", "idle-detection",
		"window-management", "local-fonts", "nfc", "display-capture",
	}
}

// fence closes the page in.
func (t *tab) fence(ctx context.Context, page proto.Client) error {
	for _, name := range refusedPermissions() {
		deny := proto.BrowserSetPermission{Permission: &proto.BrowserPermissionDescriptor{Name: name}, Setting: proto.BrowserPermissionSettingDenied}
		if err := deny.Call(t.on(ctx, "")); err != nil {
			t.log.Debug("this Chromium does not know a permission", "permission", name, "err", err)
		}
	}
	// Documents alone: of what a page fetches nothing passes here, a send costs nothing.
	documents := []*proto.FetchRequestPattern{{URLPattern: "*", ResourceType: proto.NetworkResourceTypeDocument}}
	return proto.FetchEnable{Patterns: documents}.Call(page)
}

// onDocument decides about a document that is to be loaded, a redirect's target too.
func (t *tab) onDocument(params json.RawMessage) error {
	var paused proto.FetchRequestPaused
	if err := json.Unmarshal(params, &paused); err != nil {
		return err
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), writeLimit)
		defer cancel()
		page, to := t.on(ctx, t.session()), paused.Request.URL
		var err error
		if string(paused.FrameID) == string(t.target()) && !sameOrigin(to, t.url) {
			u, _ := url.Parse(to) // its origin parsed, or it is nil
			t.log.Warn("the page wanted to go elsewhere; it may not", "host", hostOf(u))
			// Aborted and not failed: the document that is there stays.
			err = proto.FetchFailRequest{RequestID: paused.RequestID, ErrorReason: proto.NetworkErrorReasonAborted}.Call(page)
		} else {
			err = proto.FetchContinueRequest{RequestID: paused.RequestID}.Call(page)
		}
		if err != nil {
			t.log.Debug("decide about a document", "err", err)
		}
	}()
	return nil
}

func hostOf(u *url.URL) string {
	if u == nil {
		return ""
	}
	return u.Host
}

// sameOrigin compares scheme, host and port.
func sameOrigin(a, b string) bool {
	x, errX := url.Parse(a)
	y, errY := url.Parse(b)
	return errX == nil && errY == nil && x.Scheme == y.Scheme && x.Host == y.Host && x.Host != ""
}

// onTarget meets what Chromium has attached by itself: a worker is dressed, another window, which only a full Chromium can
// still open (see flags), is closed before it has loaded anything.
func (t *tab) onTarget(params json.RawMessage) {
	var attached proto.TargetAttachedToTarget
	if json.Unmarshal(params, &attached) != nil || attached.TargetInfo == nil {
		return
	}
	switch info := attached.TargetInfo; {
	case info.Type != proto.TargetTargetInfoTypePage:
		if attached.WaitingForDebugger {
			go t.dress(attached.SessionID)
		}
	case info.TargetID == t.target(): // the sessions that kurir itself asked for
	default:
		t.log.Warn("the page wanted to open a window; it may not")
		go t.closeWindow(info.TargetID, attached.SessionID)
	}
}

// closeWindow closes a window that waits for a debugger. It is let go too: one of the page's own origin shares its process,
// and the page would stand still with it. In between it may ask for things, and gets none.
func (t *tab) closeWindow(id proto.TargetTargetID, session proto.TargetSessionID) {
	ctx, cancel := context.WithTimeout(context.Background(), writeLimit)
	defer cancel()
	window := t.on(ctx, session)
	err := proto.FetchEnable{}.Call(window) // and nobody ever says go on
	if err == nil {
		go func() { _ = proto.RuntimeRunIfWaitingForDebugger{}.Call(window) }() // it may be gone before the answer
	}
	if _, err2 := (proto.TargetCloseTarget{TargetID: id}).Call(t.on(ctx, "")); err == nil {
		err = err2
	}
	if err != nil {
		t.log.Debug("close a window of the page", "err", err)
	}
}
