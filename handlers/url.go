package handlers

import (
	"path/filepath"
	"strings"

	"kurir/fetch"
	"kurir/handlers/intake"
	"kurir/problem"
)

// sendFileURL is POST /wa/sendfileurl: kurir fetches the file. It does so before it answers, so that an address
// that does not work is the caller's to know.
func (s *server) sendFileURL(c *call) (reply, error) {
	form, err := c.fields()
	if err != nil {
		return reply{}, err
	}
	p, err := s.parcel(c, &form)
	if err != nil {
		return reply{}, err
	}
	address := strings.TrimSpace(form.Text(intake.URL))
	if address == "" {
		return reply{}, problem.New(problem.URLRequired, "")
	}
	if name := form.Text(intake.Filename); strings.TrimSpace(name) != "" {
		if p.FileName, err = fileName(name); err != nil {
			return reply{}, err
		}
	}
	if p.Body = form.Text(intake.Caption); checkText(p.Body) != nil {
		return reply{}, checkText(p.Body)
	}
	p.ContentHash = contentHash(p.Message, address) // what was asked for: the content there may change

	f, err := s.Fetch.Download(c.ctx(), address, s.FilesDir, s.MaxFileBytes)
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
