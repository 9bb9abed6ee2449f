package handlers

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"kurir/fetch"
	"kurir/handlers/intake"
	"kurir/models"
	"kurir/problem"
)

const (
	maxBulkURLs      = 20 // different files in one request
	bulkFetchTimeout = 3 * time.Minute
)

// isBulk says whether a call brings several messages: `phone` or `messages` is a list, be it one of a single element.
func isBulk(form *intake.Form) bool {
	return form.Get(intake.Phone).Kind == intake.List || form.Get(intake.Messages).Kind == intake.List
}

// bulk is several messages on their way to the outbox. All of them are accepted, or none.
type bulk struct {
	forms    []intake.Form // what is said about each
	parcels  []parcel
	problems []itemProblem
	late     int // how many of the problems are only that a time has passed
	files    []string
}

// itemProblem is what is wrong with one message of many.
type itemProblem struct {
	Index   int          `json:"index"` // from 0
	Phone   string       `json:"phone"` // as it was given
	Code    problem.Code `json:"code"`
	Message string       `json:"message"`
}

// bulkProblems is all that is wrong with many messages.
type bulkProblems struct {
	Items []itemProblem `json:"items"`
}

// itemView is one message of many that were accepted.
type itemView struct {
	Index int                 `json:"index"`
	ID    string              `json:"id"`
	Phone string              `json:"phone,omitempty"`
	Chat  string              `json:"chat,omitempty"` // when it has no phone: a group
	State models.MessageState `json:"state"`
}

// bulkView is the answer to many messages.
type bulkView struct {
	Count    int        `json:"count"`
	Repeated bool       `json:"repeated,omitempty"`
	Items    []itemView `json:"items"`
}

// sendAll takes several messages: one content for a list of phones, or a list of messages, whose elements say what is
// different from the fields around them. fill reads the content of one.
func (s *server) sendAll(c *call, t tenant, form *intake.Form, fill func(*parcel, *intake.Form) error) (reply, error) {
	forms, err := itemForms(form)
	if err != nil {
		return reply{}, err
	}
	key, err := c.idempotencyKey(form)
	if err != nil {
		return reply{}, err
	}
	if d, err := wait(form); err != nil || d > 0 {
		return reply{}, problem.New(problem.BadRequest, "`wait` is for one message; ask /wa/status for the outcome of many")
	}
	c.line.Target = fmt.Sprintf("%d messages", len(forms))
	b := s.readBulk(c, t, form, forms, fill)
	b.parcels[0].IdempotencyKey = key
	// See repeat. Where everything can be accepted and nothing is fetched, EnqueueAll finds out by itself.
	if key != nil && len(b.problems) == b.late && (b.late > 0 || b.parcels[0].url != "") {
		rows, found, err := s.DB.RepeatAll(c.ctx(), b.messages(), c.line)
		if err != nil || found {
			c.done = found
			return answerBulk(rows, true), err
		}
	}
	if len(b.problems) == 0 {
		err = s.fetchAll(c, b)
	}
	if err == nil && len(b.problems) > 0 {
		err = withData(problem.New(problem.BulkInvalid, fmt.Sprintf("%d of %d", len(b.problems), len(forms))), bulkProblems{b.problems})
	}
	if err != nil {
		s.removeFiles(b.files)
		return reply{}, err
	}
	return s.acceptAll(c, b)
}

// itemForms returns what is said about each message.
func itemForms(form *intake.Form) ([]intake.Form, error) {
	phones, items := form.Phones(), form.Items()
	var forms []intake.Form
	switch {
	case form.Get(intake.Messages).Kind != intake.List:
		for _, v := range phones {
			forms = append(forms, form.WithPhone(v))
		}
	case form.Get(intake.Phone).Kind == intake.List:
		return nil, problem.New(problem.BulkInvalid, "either `phone` is a list or there are `messages`, not both")
	default:
		for _, item := range items {
			forms = append(forms, form.With(item))
		}
	}
	if len(forms) == 0 {
		return nil, problem.New(problem.BulkInvalid, "the list is empty")
	}
	return forms, nil
}

// readBulk reads every message and notes what is wrong with which. The same content for the same chat twice is more
// likely a mistake in a list than a wish, unless it is for another time.
func (s *server) readBulk(c *call, t tenant, form *intake.Form, forms []intake.Form, fill func(*parcel, *intake.Form) error) *bulk {
	b := &bulk{forms: forms, parcels: make([]parcel, len(forms))}
	now, seen, items := time.Now(), map[string]int{}, form.Items()
	for i := range forms {
		p, err := s.addressed(t, &forms[i])
		if err == nil && len(items) > 0 && said(items[i].Get(intake.IdempotencyKey)) {
			err = problem.New(problem.BadRequest, "`idempotency_key` is for the whole request")
		}
		if err == nil {
			err = fill(&p, &forms[i])
		}
		if err == nil {
			same := fmt.Sprintf("%q %q %q %q %d", p.Chat, p.Body, p.url, p.FileName, p.timing.sendAt.UnixMilli())
			if first, there := seen[same]; there {
				err = problem.New(problem.Duplicate, fmt.Sprintf("as index %d", first))
			} else {
				seen[same] = i
			}
		}
		if err == nil {
			if err = p.timing.apply(&p.Message, now); err != nil {
				b.late++
			}
		}
		if b.parcels[i] = p; err != nil {
			b.problems = append(b.problems, c.itemProblem(i, &forms[i], err))
		}
	}
	return b
}

func (c *call) itemProblem(i int, form *intake.Form, err error) itemProblem {
	code := codeOf(c, err)
	return itemProblem{i, clip(form.Text(intake.Phone)), code, sentence(code, err, prefersIndonesian(c.GetHeader("Accept-Language")))}
}

func (b *bulk) messages() []models.Message {
	list := make([]models.Message, len(b.parcels))
	for i, p := range b.parcels {
		list[i] = p.Message
	}
	return list
}

// fetchAll fetches the files of a bulk, each address once. Every message gets a name of its own for the file, a hard
// link, because each removes its file when it has left.
func (s *server) fetchAll(c *call, b *bulk) error {
	var addresses []string
	for _, p := range b.parcels {
		if p.url != "" && !slices.Contains(addresses, p.url) {
			addresses = append(addresses, p.url)
		}
	}
	if len(addresses) == 0 {
		return nil
	}
	if len(addresses) > maxBulkURLs {
		return problem.New(problem.BulkInvalid, fmt.Sprintf("at most %d different addresses in one request", maxBulkURLs))
	}
	ctx, cancel := context.WithTimeout(c.ctx(), bulkFetchTimeout)
	defer cancel()
	for _, address := range addresses {
		f, err := s.Fetch.Download(ctx, address, s.FilesDir, s.MaxFileBytes)
		if err == nil {
			b.files = append(b.files, filepath.Base(f.Path))
			err = s.share(b, address, f)
		} else if entry := problem.Lookup(problem.CodeOf(err)); entry.Status < 500 {
			b.refuse(c, address, err)
			continue
		}
		if err != nil {
			return err
		}
	}
	return syncDir(s.FilesDir)
}

// share gives a file to every message that is to have it.
func (s *server) share(b *bulk, address string, f fetch.File) error {
	first := true
	for i, p := range b.parcels {
		if p.url != address {
			continue
		}
		own := f
		if !first {
			own.Path = filepath.Join(s.FilesDir, "file-"+rand.Text())
			if err := os.Link(f.Path, own.Path); err != nil {
				return diskError("share file", err)
			}
			b.files = append(b.files, filepath.Base(own.Path))
		}
		first = false
		b.parcels[i] = p.with(own)
	}
	return nil
}

// refuse notes that a file cannot be had, with every message that wants it.
func (b *bulk) refuse(c *call, address string, err error) {
	for i, p := range b.parcels {
		if p.url == address {
			b.problems = append(b.problems, c.itemProblem(i, &b.forms[i], err))
		}
	}
	slices.SortFunc(b.problems, func(x, y itemProblem) int { return x.Index - y.Index })
}

func (s *server) removeFiles(names []string) {
	for _, name := range names {
		s.removeFile(name)
	}
}

// acceptAll puts the messages into the outbox and answers.
func (s *server) acceptAll(c *call, b *bulk) (reply, error) {
	c.line.Code = codeQueued
	rows, repeated, err := s.DB.EnqueueAll(c.ctx(), b.messages(), c.line)
	if err != nil || repeated {
		s.removeFiles(b.files)
	}
	if err != nil {
		return reply{}, err
	}
	c.done = true
	if !repeated {
		s.Outbox.AcceptedAll(c.ctx(), rows)
	}
	return answerBulk(rows, repeated), nil
}

func answerBulk(rows []models.Message, repeated bool) reply {
	view := bulkView{Count: len(rows), Repeated: repeated, Items: make([]itemView, len(rows))}
	for i, m := range rows {
		view.Items[i] = itemView{Index: i, ID: m.ID, Phone: m.Phone, State: m.State}
		if m.Phone == "" {
			view.Items[i].Chat = m.Chat
		}
	}
	return reply{code: codeQueued, data: view}
}
