package handlers

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"kurir/handlers/intake"
	"kurir/media"
	"kurir/models"
	"kurir/phone"
	"kurir/problem"
)

// Media is what the handlers need of the files of messages.
type Media interface {
	Media(ctx context.Context, id string) (models.Media, error)
	// Open opens the bytes of a stored file.
	Open(m models.Media) (io.ReadSeekCloser, error)
	// Check says whether the query of a signed link opens the file: LINK_INVALID, LINK_EXPIRED.
	Check(id string, query url.Values) error
	// Ask has the file of a message fetched. Of want, InstanceID, MessageID and, when kurir has no event of it, Chat count.
	Ask(ctx context.Context, want models.Media) (models.Media, error)
	SetMedia(ctx context.Context, instanceID string, m models.MediaSettings) error
}

// mediaView is a file as callers see it.
type mediaView struct {
	ID        string            `json:"id"`
	Instance  string            `json:"instance"`
	MessageID string            `json:"message_id"` // WhatsApp's
	Chat      string            `json:"chat"`
	State     models.MediaState `json:"state"`
	Error     string            `json:"error,omitempty"` // of the last attempt
	Attempts  int               `json:"attempts"`
	Kind      string            `json:"kind,omitempty"`
	MimeType  string            `json:"mimetype,omitempty"`
	Filename  string            `json:"filename,omitempty"` // as the sender called it: do not trust it
	Size      int64             `json:"size"`               // bytes; as the sender said, until it is stored
	SHA256    string            `json:"sha256,omitempty"`
	URL       string            `json:"url"`
}

func viewMedia(m models.Media) mediaView {
	v := mediaView{
		ID: m.ID, Instance: m.InstanceID, MessageID: m.MessageID, Chat: m.Chat, State: m.State, Error: m.Error, Attempts: m.Attempts,
		Kind: m.Kind, MimeType: m.MimeType, Filename: m.FileName, Size: m.ToldSize, SHA256: m.SHA256, URL: "/v1/media/" + m.ID,
	}
	if m.State == models.MediaStored {
		v.Size = m.Size
	}
	return v
}

// mediaFile is GET /v1/media/{id}: the bytes, whole or in ranges. With wait, the answer for a file that is still being
// fetched comes when it is there, at the latest after so many seconds.
//
// The file comes from a stranger: whatever it is, a browser is told to save it and to guess nothing.
func (s *server) mediaFile(c *call) {
	m, f, err := s.openMedia(c)
	if err != nil {
		s.respond(c, reply{}, err)
		return
	}
	defer func() { _ = f.Close() }() // read only
	h := c.Writer.Header()
	h.Set("Content-Type", media.ContentType(m.MimeType))
	h.Set("Content-Disposition", media.Disposition(m.FileName, m.MimeType))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("Cache-Control", "private, max-age=3600")
	h.Set("ETag", `"`+m.SHA256+`"`)
	stored := time.Time{}
	if m.StoredAt != nil {
		stored = *m.StoredAt
	}
	c.Set(codeKey, codeOK)
	http.ServeContent(patient{c.Writer, s.streamPatience}, c.Request, "", stored, f)
}

// patient gives each write of a long answer a time of its own: a reader that takes nothing is cut off, a slow one is not.
type patient struct {
	gin.ResponseWriter
	limit time.Duration
}

func (p patient) Write(b []byte) (int, error) {
	err := http.NewResponseController(p.ResponseWriter).SetWriteDeadline(time.Now().Add(p.limit))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return p.ResponseWriter.Write(b)
}

// ReadFrom hides the one of gin's writer, which would send everything under one deadline. The parts are small enough for
// slow readers, large enough for fast ones.
func (p patient) ReadFrom(r io.Reader) (int64, error) {
	return io.CopyBuffer(struct{ io.Writer }{p}, struct{ io.Reader }{r}, make([]byte, 128<<10))
}

// openMedia finds the file that somebody asks for and may read.
func (s *server) openMedia(c *call) (models.Media, io.ReadSeekCloser, error) {
	id := c.Param("id")
	instance, err := s.mediaReader(c, id)
	if err != nil {
		return models.Media{}, nil, err
	}
	m, err := s.awaitMedia(c, id, instance)
	if err != nil {
		return m, nil, err
	}
	c.Set(instanceKey, m.InstanceID)
	if err := unstored(m); err != nil {
		if m.State == models.MediaPending {
			c.Header("Retry-After", "2")
		}
		return m, nil, failure{err, m.ID, viewMedia(m)}
	}
	f, err := s.Media.Open(m)
	if errors.Is(err, fs.ErrNotExist) {
		err = problem.Wrap(problem.MediaFailed, "it is not on disk any more", err)
	}
	return m, f, err
}

// mediaReader says whose files the caller may read: "" is everybody's, which a signed link makes of the one it is for.
func (s *server) mediaReader(c *call, id string) (instance string, err error) {
	query := c.Request.URL.Query()
	if query.Has(media.Signature) {
		return "", s.Media.Check(id, query)
	}
	t, _, err := s.caller(c, &intake.Form{})
	return t.instance.ID, err
}

// awaitMedia returns a file of an instance ("": of any), when it is not pending any more or the caller's patience ends.
func (s *server) awaitMedia(c *call, id, instance string) (models.Media, error) {
	patience, err := parseWait(c.Query("wait"))
	if err != nil {
		return models.Media{}, err
	}
	end := time.NewTimer(patience)
	defer end.Stop()
	for {
		changed := s.Events.EventsChanged() // before looking: the end of a fetch is an event
		m, err := s.Media.Media(c.ctx(), id)
		if err == nil && instance != "" && m.InstanceID != instance {
			err = problem.New(problem.NotFound, "file "+id)
		}
		if err == nil {
			err = s.still(c)
		}
		if err != nil || m.State != models.MediaPending || patience == 0 {
			return m, err
		}
		select {
		case <-changed:
		case <-end.C:
			return m, nil
		case <-s.Closing:
			return m, nil
		case <-c.ctx().Done():
			return m, c.ctx().Err()
		}
	}
}

// unstored is why a file cannot be read; nil when it can.
func unstored(m models.Media) error {
	switch m.State {
	case models.MediaStored:
		return nil
	case models.MediaPending:
		return problem.New(problem.MediaPending, m.Error)
	case models.MediaSkipped:
		return problem.New(problem.MediaSkipped, "")
	case models.MediaTooLarge:
		return problem.New(problem.MediaTooLarge, "")
	case models.MediaGone:
		return problem.New(problem.MediaGone, "")
	case models.MediaFailed:
	}
	return problem.New(problem.MediaFailed, m.Error)
}

// askMedia is POST /v1/messages/{id}/media `chat` `instance`: has the file of a message fetched, whatever the instance's
// settings say. {id} is WhatsApp's id of the message, which events and /wa/messages call `id`. chat, a number or a wid, is
// needed for a message that kurir has no event of, for example one from /wa/messages; instance is needed with the admin
// token. It answers where the file is: 202 while it is fetched, 200 when it is there.
func (s *server) askMedia(c *call) (reply, error) {
	form, err := c.fields()
	if err != nil {
		return reply{}, err
	}
	want := models.Media{MessageID: c.Param("id")}
	t, err := s.ownerOf(c, &form, strings.TrimSpace(form.Text(intake.Instance)))
	if err != nil {
		return reply{}, err
	}
	in := t.instance
	if in.ID == "" {
		return reply{}, problem.New(problem.BadRequest, "with the admin token `instance` says whose message it is")
	}
	want.InstanceID = in.ID
	c.line.InstanceID, c.line.Target = in.ID, want.MessageID
	if !messageID(want.MessageID) {
		return reply{}, problem.New(problem.BadRequest, "this is not WhatsApp's id of a message")
	}
	if strings.TrimSpace(form.Text(intake.Chat)) != "" {
		target, err := phone.Parse(strings.TrimSpace(form.Text(intake.Chat)), orElse(in.Region, s.Region))
		if err != nil {
			return reply{}, err
		}
		want.Chat, want.Phone = target.WID, target.Phone
	}
	m, err := s.Media.Ask(c.ctx(), want)
	if err != nil {
		return reply{}, err
	}
	r := reply{code: codeOK, id: m.ID, data: viewMedia(m)}
	if m.State == models.MediaPending {
		r.status, r.code = http.StatusAccepted, codePending
	}
	return r, nil
}

const codePending = "PENDING"

// messageID says whether text can be an id of a message. Ids of WhatsApp's clients are hex digits; others make other ones.
func messageID(text string) bool {
	return len(text) >= 4 && len(text) <= 128 && !strings.ContainsFunc(text, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune("-.:", r)
	})
}
