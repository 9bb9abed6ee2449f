package handlers

import (
	"path/filepath"
	"strings"
	"time"

	"kurir/fetch"
	"kurir/handlers/intake"
	"kurir/problem"
)

// sendFileURL is POST /wa/sendfileurl: kurir fetches the file. It does so before it answers, so that an address
// that does not work is the caller's to know.
func (s *server) sendFileURL(c *call) (reply, error) {
	form, err := c.bulkFields()
	if err != nil {
		return reply{}, err
	}
	t, err := s.tenant(c, &form)
	if err != nil {
		return reply{}, err
	}
	return s.sendURL(c, t, &form)
}

func (s *server) sendURL(c *call, t tenant, form *intake.Form) (reply, error) {
	if isBulk(form) {
		return s.sendAll(c, t, form, urlContent)
	}
	p, err := s.parcel(c, t, form)
	if err != nil {
		return reply{}, err
	}
	if err := urlContent(&p, form); err != nil {
		return reply{}, err
	}
	// Of a repeat nothing is fetched: the address may be gone.
	if r, repeated, err := s.repeat(c, p); repeated || err != nil {
		return r, err
	}
	if err := p.timing.apply(&p.Message, time.Now()); err != nil {
		return reply{}, err
	}
	f, err := s.Fetch.Download(c.ctx(), p.url, s.FilesDir, s.MaxFileBytes)
	if err != nil {
		return reply{}, err
	}
	if err = syncDir(s.FilesDir); err == nil {
		var r reply
		if r, err = s.accept(c, p.with(f)); err == nil {
			return r, nil
		}
	}
	if !c.done {
		s.removeFile(filepath.Base(f.Path))
	}
	return reply{}, err
}

// urlContent fills a parcel with what it says about a file that is still to be fetched.
func urlContent(p *parcel, form *intake.Form) (err error) {
	if p.url = strings.TrimSpace(form.Text(intake.URL)); p.url == "" {
		return problem.New(problem.URLRequired, "")
	}
	if name := form.Text(intake.Filename); strings.TrimSpace(name) != "" {
		if p.FileName, err = fileName(name); err != nil {
			return err
		}
	}
	p.Body = form.Text(intake.Caption)
	p.hash(p.url) // what was asked for: the content there may change
	return checkText(p.Body)
}

// with adds a downloaded file to a parcel.
func (p parcel) with(f fetch.File) parcel {
	if p.FileName == "" {
		p.FileName = f.Name
	}
	p.FilePath, p.FileSize = filepath.Base(f.Path), f.Size
	p.MimeType = refine(f.MimeType, p.FileName)
	p.Kind = string(kindOf(p.MimeType))
	return p
}
