package browser

import (
	"log/slog"
	"path/filepath"
	"time"
)

// Config is what a Session needs to know.
type Config struct {
	Binary      string   // path of Chromium, from FindChromium
	ProfileDir  string   // the instance's own folder: Chromium's profile, the link to the phone. Made when missing
	DownloadDir string   // where files of the page land; absolute. Made when missing, emptied when Chromium starts and when the session stops. "" = none
	URL         string   // https://web.whatsapp.com/
	Language    string   // "id-ID": navigator.language and Accept-Language; "" = Chromium's own
	TimeZone    string   // "Asia/Jakarta"; "" = the machine's
	ExtraArgs   []string // further flags of Chromium, after kurir's own
	Scripts     []string // sources that run at the start of each document, in this order

	// RestrictedUntil is until when WhatsApp restricts this account, as Status.RestrictedUntil told before; zero: it
	// does not. A time that is past means nothing.
	RestrictedUntil time.Time

	// OnEvent is called for each event, in order, from one goroutine. It may block for a while (events wait, the
	// session goes on) but must not call Start, Stop, Restart or Logout: they wait for it. nil = nobody listens.
	OnEvent func(Event)
	Log     *slog.Logger // nil = slog.Default()
	// Launches bounds how many sessions start at the same time: its capacity. Starting is what costs, both
	// processor and disk. nil = no bound.
	Launches chan struct{}
	// Memory decides whether there is room for one more Chromium; shared by the sessions of a machine. nil = always.
	Memory *Memory
	// MemoryBudget is how many bytes Chromium may hold before it is restarted, when nothing is under way. 0 = no bound.
	MemoryBudget int64
	Limits       Limits
}

// launchOptions are the options for one Chromium of this session.
func (c Config) launchOptions(who identity, onEvent func(frame)) launchOptions {
	return launchOptions{
		Binary: c.Binary, ProfileDir: c.ProfileDir, TempDir: filepath.Join(c.ProfileDir, tempFolder),
		UserAgent: who.userAgent(), Language: c.Language, TimeZone: c.TimeZone, ExtraArgs: c.ExtraArgs,
		OnEvent: onEvent, Log: c.Log,
		OnStart: func(pid int) {
			if err := recordBirth(c.ProfileDir, pid); err != nil {
				c.Log.Warn("should kurir be killed, it may not find its Chromium again", "err", err)
			}
		},
	}
}

// Limits are how long a session waits for what. A zero field is the default.
type Limits struct {
	Send      time.Duration // for the server's ack of a text, in all; a file gets more by its size. 60 s
	Ack       time.Duration // on the wire without an ack, until the session says DEGRADED and does something about it; then for each thing it does. 30 s
	Grace     time.Duration // without a connection, until it says so. 4 s
	Takeback  time.Duration // without a connection that WhatsApp has given to somebody else, until the page takes it back. 10 s
	Memory    time.Duration // between two looks at Chromium's memory. 30 s
	Heartbeat time.Duration // for the answer to a heartbeat; two without one: the page is frozen. 10 s
}

// over returns t with the limits that are set.
func (l Limits) over(t timing) timing {
	for _, f := range []struct {
		to   *time.Duration
		from time.Duration
	}{{&t.send, l.Send}, {&t.ack, l.Ack}, {&t.grace, l.Grace}, {&t.takeback, l.Takeback}, {&t.heartbeat, l.Heartbeat}, {&t.memory, l.Memory}} {
		if f.from > 0 {
			*f.to = f.from
		}
	}
	return t
}
