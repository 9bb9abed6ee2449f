package browser

import (
	"context"
	"encoding/json"
	"errors"
)

// engine is one Chromium with one page, as the state machine needs it. Its real form is tab; tests have others.
type engine interface {
	// load navigates to WhatsApp Web and returns when the new document has begun.
	load(ctx context.Context) error
	// call runs kurir.call(method, args) in the page and returns what its promise resolves to.
	call(ctx context.Context, method string, args any) (raw, error)
	// hand gives the file at path to the bridge's input of that id; forget must be called when it was used.
	hand(ctx context.Context, id, path string) (forget func(), err error)
	// save writes what the bridge holds under token, whose blob has that url, into the folder of downloads.
	save(ctx context.Context, token, url string) (path string, err error)
	// baseline notes what the page stores now, before a link.
	baseline(ctx context.Context) error
	// unsaved returns how much of what the page has stored since baseline is not in the profile's files yet.
	unsaved(ctx context.Context) (int, error)
	// memory returns how many bytes Chromium holds for itself, with all of its processes.
	memory(ctx context.Context) (int64, error)
	// close asks Chromium to leave, flushed, and kills it when it does not; nil means that it left by itself.
	close(ctx context.Context) error
	// kill ends Chromium at once. close and kill return when no process is left.
	kill()
}

// What a call into the page can meet besides the end of its ctx.
var (
	errNoBridge = errors.New("the bridge is not in the page")
	errDocument = errors.New("the document was replaced during the call")
	errThrown   = errors.New("the page threw an exception")
)

// signal is something that happened to an engine by itself.
type signal struct {
	kind signalKind
	text string // the payload of an event, the address of a document
}

type signalKind int

const (
	signalEvent    signalKind = iota // the bridge called the binding
	signalDocument                   // another document has begun
	signalCrash                      // the renderer is gone
	signalExit                       // Chromium is gone
)

// bridgeEvent is what the bridge passes to the binding.
type bridgeEvent struct {
	Seq  int             `json:"seq"` // from 1 in each document
	Type string          `json:"type"`
	Data json.RawMessage `json:"data"`
}

// pageState is the bridge's view of WhatsApp Web: the payload of `state` events and calls.
type pageState struct {
	Mode       string `json:"mode"`
	Info       string `json:"info"`
	Socket     string `json:"socket"`
	Stream     string `json:"stream"`
	Registered bool   `json:"registered"`
	Synced     bool   `json:"synced"`
	WID        string `json:"wid"`
	LID        string `json:"lid"`
	Pushname   string `json:"pushname"`
	Version    string `json:"version"`
	Passkey    bool   `json:"passkey"`
	Ready      bool   `json:"ready"` // wa-js is ready too
}
