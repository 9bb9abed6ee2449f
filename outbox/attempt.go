package outbox

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"kurir/browser"
	"kurir/models"
	"kurir/problem"
)

// verdict is what an attempt's end means.
type verdict int

const (
	delivered verdict = iota // WhatsApp's server has it
	waits                    // nothing was tried
	refused                  // it has not left; it may next time
	hopeless                 // it has not left and never will
	doubtful                 // not known
)

// judge reads an attempt's end. Only what is known not to have left is refused or hopeless.
func judge(s browser.Sent, err error) verdict {
	if err == nil {
		if s.Ack >= 1 {
			return delivered
		}
		return doubtful // an answer without an ack says nothing
	}
	switch code := problem.CodeOf(err); code {
	case problem.InstanceNotReady, problem.Restricted, problem.FirstContactLimit:
		return waits
	case problem.SendRejected, problem.UploadFailed, problem.Unavailable:
		return refused
	default:
		if entry, ok := problem.Catalog[code]; ok && code != problem.Internal && !entry.Passing {
			return hopeless
		}
		return doubtful
	}
}

// attempt sends a claimed message once and stores what became of it. It returns the next message where the outcome's
// transaction could claim it too.
func (d *dispatcher) attempt(m models.Message) (next *models.Message) {
	begun := time.Now()
	sent, err := d.send(m)
	v := judge(sent, err)
	if v != waits {
		d.pacer.left(time.Now(), time.Since(begun), v == delivered || v == doubtful, sent.FirstContact)
	}
	if v != delivered {
		d.log.Warn("not sent", "message", m.ID, "attempt", m.Attempts+1, "err", err)
	}
	// Not for ever: unknown messages are to get their turn within a long queue too.
	goOn := d.ready.Load() && !d.stopped() && d.pacer.free() && time.Now().Before(d.lookAt)
	switch code, detail := explain(err); v {
	case delivered:
		return d.settle(m, models.Outcome{Seq: m.Seq, State: models.MessageSent, Ack: sent.Ack, FirstContact: sent.FirstContact, Attempted: true}, goOn)
	case hopeless:
		return d.settle(m, models.Outcome{Seq: m.Seq, State: models.MessageFailed, Code: code, Detail: detail, Attempted: true}, goOn)
	case refused:
		return d.settle(m, d.again(m, code, detail, d.o.cfg.MaxAttempts), goOn)
	case waits:
		return d.settle(m, d.later(m, err), goOn && problem.CodeOf(err) != problem.InstanceNotReady)
	default:
		d.resolved = false // the row stays in flight and keeps the cause
		d.settle(m, models.Outcome{Seq: m.Seq, State: models.MessageSending, Code: code, Detail: detail}, false)
	}
	return nil
}

func (d *dispatcher) send(m models.Message) (browser.Sent, error) {
	limit := d.o.cfg.SendTimeout + time.Duration(m.FileSize/1_000_000)*d.o.cfg.PerMegabyte + d.pacer.typing(m)
	ctx, cancel := context.WithTimeout(d.ctx, limit)
	defer cancel()
	out := browser.Outgoing{
		ID: m.WAID, Chat: m.Chat, Kind: browser.Kind(m.Kind), Body: m.Body, FileName: m.FileName, MimeType: m.MimeType,
		First: m.Claims == 1, Typing: d.pacer.typing(m), KnownChat: d.pacer.knownOnly(),
	}
	if m.FilePath != "" {
		out.FilePath = d.o.path(m.FilePath)
	}
	return d.out.Send(ctx, out)
}

// later is the outcome of an attempt that does not count. What WhatsApp's restriction concerns waits for its end and
// lets the rest pass: the Sender sends to chats that exist and answers RESTRICTED, without asking WhatsApp, for first
// messages. It is the only case in which a message is overtaken within its priority.
func (d *dispatcher) later(m models.Message, err error) models.Outcome {
	code, detail := explain(err)
	out := models.Outcome{Seq: m.Seq, State: models.MessageQueued, Code: code, Detail: detail}
	if code == string(problem.FirstContactLimit) {
		out.NotBefore = d.pacer.tomorrow(time.Now())
		return out
	}
	if code == string(problem.Restricted) {
		out.NotBefore = problem.UntilOf(err)
		if !out.NotBefore.After(time.Now()) {
			out.NotBefore = time.Now().Add(d.o.cfg.BackoffMax) // asking often makes a restriction worse
		}
		return out
	}
	// The app says when the session is ready; should the two disagree, ask once per poll only.
	d.holdAt = time.Now().Add(d.o.cfg.Poll)
	return out
}

// again is the outcome of an attempt that certainly did not leave: back to the head after a pause, or failed when it
// was the last.
func (d *dispatcher) again(m models.Message, code, detail string, maxAttempts int) models.Outcome {
	out := models.Outcome{Seq: m.Seq, State: models.MessageQueued, Code: code, Detail: detail, Attempted: true}
	if m.Attempts+1 >= maxAttempts {
		out.State = models.MessageFailed
		return out
	}
	pause := d.o.cfg.BackoffMin << min(m.Attempts, 20)
	if pause > d.o.cfg.BackoffMax || pause <= 0 {
		pause = d.o.cfg.BackoffMax
	}
	// Half fixed, half random, so that instances that failed together do not return together.
	pause = pause/2 + rand.N(pause/2+1) //nolint:gosec // a pause is no secret
	out.RetryAt = time.Now().Add(pause)
	return out
}

// explain returns an error's code and words as they are stored with the message and shown to its sender.
func explain(err error) (code, detail string) {
	if err == nil {
		return string(problem.SendTimeout), "WhatsApp Web answered without an ack"
	}
	var p *problem.Error
	if errors.As(err, &p) {
		return string(p.Code), p.Detail
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return string(problem.SendTimeout), ""
	}
	return string(problem.Internal), ""
}
