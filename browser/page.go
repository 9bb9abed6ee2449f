package browser

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/go-rod/rod/lib/cdp"
	"github.com/go-rod/rod/lib/proto"
)

// bindingName is the function that the bridge calls with its events.
const bindingName = "kurirEvent"

// tab is an engine: a Chromium of its own with the one page of an instance.
type tab struct {
	*chromium
	page  atomic.Value // proto.TargetSessionID: the protocol's session of the page
	made  atomic.Value // proto.TargetTargetID: the page
	url   string
	who   identity
	saves *saveCheck

	speaker speaker
	emit    func(signal)
	log     *slog.Logger

	downloadDir string
	downloads   downloads
}

var _ engine = (*tab)(nil)

// openTab starts a Chromium and prepares its page: identity, scripts and binding are in place before anything is
// loaded. emit gets the signals in order; it must not block.
//
// Of the protocol's domains only Page, Inspector, Runtime, Target and, for documents alone, Fetch are used: Page for
// documents, Inspector for crashes, Runtime because without it new documents get no binding. Network would cost 2 ms for each send.
func openTab(ctx context.Context, cfg Config, who identity, emit func(signal)) (*tab, error) {
	t := &tab{url: cfg.URL, who: who, saves: newSaveCheck(cfg), emit: emit, log: cfg.Log, downloadDir: cfg.DownloadDir}
	var err error
	if t.chromium, err = launch(ctx, cfg.launchOptions(who, t.onEvent)); err != nil {
		return nil, err
	}
	if err = t.prepare(ctx, cfg); err != nil {
		t.kill()
		<-t.done
		return nil, fmt.Errorf("prepare the page: %w", err)
	}
	go func() {
		<-t.exited
		<-t.done // the events before the end come before the news of the end
		emit(signal{kind: signalExit})
	}()
	return t, nil
}

// session is the protocol's session of the page, "" before there is one.
func (t *tab) session() proto.TargetSessionID {
	s, _ := t.page.Load().(proto.TargetSessionID)
	return s
}

// prepare opens the page and gives it all that must be there before a document is.
func (t *tab) prepare(ctx context.Context, cfg Config) error {
	downloads := proto.BrowserSetDownloadBehavior{Behavior: proto.BrowserSetDownloadBehaviorBehaviorDeny} //nolint:misspell // the protocol's word
	if cfg.DownloadDir != "" {
		downloads = proto.BrowserSetDownloadBehavior{
			Behavior:     proto.BrowserSetDownloadBehaviorBehaviorAllowAndName, //nolint:misspell // as above
			DownloadPath: cfg.DownloadDir, EventsEnabled: true,
		}
	}
	if err := downloads.Call(t.on(ctx, "")); err != nil {
		return err
	}
	made, err := proto.TargetCreateTarget{URL: "about:blank"}.Call(t.on(ctx, ""))
	if err != nil {
		return err
	}
	t.made.Store(made.TargetID)
	others := proto.TargetSetAutoAttach{AutoAttach: true, WaitForDebuggerOnStart: true, Flatten: true, Filter: othersFilter()}
	if err := others.Call(t.on(ctx, "")); err != nil {
		return err
	}
	attached, err := proto.TargetAttachToTarget{TargetID: made.TargetID, Flatten: true}.Call(t.on(ctx, ""))
	if err != nil {
		return err
	}
	t.page.Store(attached.SessionID)
	page := t.on(ctx, attached.SessionID)
	for _, enable := range []interface{ Call(proto.Client) error }{
		proto.PageEnable{}, proto.InspectorEnable{}, proto.RuntimeEnable{}, proto.RuntimeAddBinding{Name: bindingName},
	} {
		if err := enable.Call(page); err != nil {
			return err
		}
	}
	if err := t.fence(ctx, page); err != nil {
		return err
	}
	if err := t.who.apply(ctx, t.conn, attached.SessionID, t.url); err != nil {
		return err
	}
	for _, source := range cfg.Scripts {
		if _, err := (proto.PageAddScriptToEvaluateOnNewDocument{Source: source}).Call(page); err != nil {
			return err
		}
	}
	return nil
}

// target is the page, "" before there is one.
func (t *tab) target() proto.TargetTargetID {
	id, _ := t.made.Load().(proto.TargetTargetID)
	return id
}

// othersFilter names the targets that inherit nothing from the page's identity (dedicated workers do), and pages: windows
// that the page opens.
func othersFilter() proto.TargetTargetFilter {
	return proto.TargetTargetFilter{{Type: "service_worker"}, {Type: "shared_worker"}, {Type: "page"}}
}

// dress gives a worker that waits for its start the identity of the page, and lets it go.
func (t *tab) dress(worker proto.TargetSessionID) {
	ctx, cancel := context.WithTimeout(context.Background(), writeLimit)
	defer cancel()
	err := t.who.override().Call(t.on(ctx, worker))
	if err2 := (proto.RuntimeRunIfWaitingForDebugger{}).Call(t.on(ctx, worker)); err == nil {
		err = err2
	}
	if err != nil {
		t.log.Debug("set the identity of a worker", "err", err)
	}
}

// onEvent turns events of the protocol into signals. It runs on the reader's goroutine and waits for nothing.
func (t *tab) onEvent(e frame) {
	if e.Method == "Target.attachedToTarget" {
		t.onTarget(e.Params)
		return
	}
	if e.SessionID == "" {
		if err := t.onDownload(e); err != nil {
			t.log.Error("read an event of Chromium", "method", e.Method, "err", err)
		}
		return
	}
	if e.SessionID != string(t.session()) {
		return
	}
	var err error
	switch e.Method {
	case "Runtime.bindingCalled":
		var called struct {
			Name, Payload      string
			ExecutionContextID proto.RuntimeExecutionContextID
		}
		err = json.Unmarshal(e.Params, &called)
		switch {
		case err != nil || called.Name != bindingName:
		case t.speaker.is(called.ExecutionContextID):
			t.emit(signal{kind: signalEvent, text: called.Payload})
		case t.speaker.stranger(): // it could say that every message has arrived
			t.log.Warn("a frame of the page spoke as if it were the bridge; it was not heard")
		}
	case "Runtime.executionContextCreated", "Runtime.executionContextDestroyed", "Runtime.executionContextsCleared":
		err = t.speaker.follow(e, t.target(), t.url)
	case "Page.frameNavigated":
		var nav struct {
			Frame struct{ ParentID, URL string } // without the fragment
		}
		if err = json.Unmarshal(e.Params, &nav); err == nil && nav.Frame.ParentID == "" {
			t.emit(signal{kind: signalDocument, text: nav.Frame.URL})
		}
	case "Fetch.requestPaused":
		err = t.onDocument(e.Params)
	case "Inspector.targetCrashed":
		t.emit(signal{kind: signalCrash})
	case "Page.javascriptDialogOpening":
		go t.agree() // nobody else will, and the page stands still until then
	}
	if err != nil {
		t.log.Error("read an event of Chromium", "method", e.Method, "err", err)
	}
}

// agree says yes to a dialog of the page: "leave this page?" above all, which would hold up a reload.
func (t *tab) agree() {
	ctx, cancel := context.WithTimeout(context.Background(), writeLimit)
	defer cancel()
	if err := (proto.PageHandleJavaScriptDialog{Accept: true}).Call(t.on(ctx, t.session())); err != nil {
		t.log.Debug("answer a dialog of the page", "err", err)
	}
}

// load navigates to WhatsApp Web.
func (t *tab) load(ctx context.Context) error {
	nav, err := proto.PageNavigate{URL: t.url}.Call(t.on(ctx, t.session()))
	if err != nil {
		return fmt.Errorf("load %s: %w", t.url, err)
	}
	if nav.ErrorText != "" {
		return fmt.Errorf("load %s: %s", t.url, nav.ErrorText)
	}
	return nil
}

// evaluated is the answer of Runtime.evaluate.
type evaluated struct {
	Result struct {
		Type     string          `json:"type"`
		Value    json.RawMessage `json:"value"`
		ObjectID string          `json:"objectId"`
	} `json:"result"`
	Exception *struct {
		Text      string `json:"text"`
		Exception struct {
			Description string `json:"description"`
		} `json:"exception"`
	} `json:"exceptionDetails"`
}

// evaluate runs an expression in the page's main world.
func (t *tab) evaluate(ctx context.Context, e proto.RuntimeEvaluate) (evaluated, error) {
	var out evaluated
	res, err := t.Call(ctx, string(t.session()), e.ProtoReq(), e)
	if err != nil {
		return out, pageError(err)
	}
	if rest, ok := bytes.CutPrefix(res, []byte(`{"result":{"type":"string","value":`)); ok && bytes.HasSuffix(res, []byte(`"}}`)) {
		out.Result.Type, out.Result.Value = "string", rest[:len(rest)-2] // a string of any size, unread
		return out, nil
	}
	if err := json.Unmarshal(res, &out); err != nil {
		return out, fmt.Errorf("read the page's answer: %w", err)
	}
	if x := out.Exception; x != nil {
		return out, fmt.Errorf("%w: %s %s", errThrown, x.Text, x.Exception.Description)
	}
	return out, nil
}

// pageError names the errors by which Chromium says that the document went away under a call.
func pageError(err error) error {
	var e *cdp.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Message {
	case "Inspected target navigated or closed", "Execution context was destroyed.", "Promise was collected",
		"Cannot find context with specified id", "Cannot find default execution context", "Target crashed":
		return fmt.Errorf("%w: %s", errDocument, e.Message)
	}
	return err
}

// call runs one method of the bridge: one message there, one back.
func (t *tab) call(ctx context.Context, method string, args any) (raw, error) {
	if args == nil {
		args = struct{}{}
	}
	params, err := json.Marshal(args)
	if err != nil {
		return raw{}, fmt.Errorf("encode the call of %s: %w", method, err)
	}
	out, err := t.evaluate(ctx, proto.RuntimeEvaluate{
		// Tells a page without a bridge from a bridge that throws. JSON is JavaScript.
		Expression:   fmt.Sprintf(`typeof kurir==="undefined"?null:kurir.call(%q,%s)`, method, params),
		AwaitPromise: true, ReturnByValue: true,
	})
	if err != nil {
		return raw{}, fmt.Errorf("call %s: %w", method, err)
	}
	if out.Result.Type != "string" {
		return raw{}, fmt.Errorf("call %s: %w", method, errNoBridge)
	}
	text, err := unquote(out.Result.Value)
	if err != nil {
		return raw{}, fmt.Errorf("call %s: read the answer: %w", method, err)
	}
	answer, err := parseRaw(text)
	if err != nil {
		return raw{}, fmt.Errorf("call %s: read the answer: %w", method, err)
	}
	return answer, nil
}

// parseRaw reads what the bridge answered. The value of a large answer is not looked at: who decodes it will.
func parseRaw(text []byte) (raw, error) {
	const large = 64 << 10
	if value, ok := bytes.CutPrefix(text, []byte(`{"ok":`)); ok && len(text) > large && value[len(value)-1] == '}' {
		return raw{OK: value[:len(value)-1]}, nil
	}
	var answer raw
	err := json.Unmarshal(text, &answer)
	return answer, err
}

// hand puts the file at path into the bridge's input of that id: Chromium reads it from disk when the page does,
// so no byte of it goes over the pipe.
func (t *tab) hand(ctx context.Context, id, path string) (func(), error) {
	out, err := t.evaluate(ctx, proto.RuntimeEvaluate{
		Expression: fmt.Sprintf(`typeof kurir==="undefined"?null:kurir.fileInput(%q)`, id),
	})
	if err != nil {
		return nil, fmt.Errorf("hand over a file: %w", err)
	}
	if out.Result.ObjectID == "" {
		return nil, fmt.Errorf("hand over a file: %w", errNoBridge)
	}
	object := proto.RuntimeRemoteObjectID(out.Result.ObjectID)
	forget := func() {
		// The protocol's handle keeps the input, and with it the file, alive in the page.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeLimit)
		defer cancel()
		if err := (proto.RuntimeReleaseObject{ObjectID: object}).Call(t.on(ctx, t.session())); err != nil {
			t.log.Debug("release a file input", "message", id, "err", err)
		}
	}
	err = proto.DOMSetFileInputFiles{Files: []string{path}, ObjectID: object}.Call(t.on(ctx, t.session()))
	if err != nil {
		forget()
		return nil, fmt.Errorf("hand over a file: %w", pageError(err))
	}
	return forget, nil
}

// baseline notes what the page stores now.
func (t *tab) baseline(ctx context.Context) error {
	return t.saves.start(ctx, t.on(ctx, t.session()))
}

// memory returns how many bytes Chromium's processes hold.
func (t *tab) memory(context.Context) (int64, error) { return groupMemory(t.pid) }

// unsaved returns how much of the page's storage since baseline is not in the profile's files yet.
func (t *tab) unsaved(ctx context.Context) (int, error) {
	return t.saves.missing(ctx, t.on(ctx, t.session()))
}
