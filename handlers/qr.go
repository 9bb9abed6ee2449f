package handlers

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/skip2/go-qrcode"

	"kurir/problem"
)

// qrSize is the width of the PNG in pixels: a phone reads it from a screen at arm's length.
const qrSize = 400

// qr is GET /v1/instances/{id}/qr: the code to scan, as a picture or as its text, by Accept.
func (s *server) qr(c *call) (reply, error) {
	id := c.instanceID()
	if _, err := s.Instances.Get(c.ctx(), id); err != nil {
		return reply{}, err
	}
	qr, ok := s.Instances.QR(id)
	if !ok {
		st := s.state(id)
		return reply{}, withData(problem.New(problem.NoQR, string(st.State)), st)
	}
	c.Header("Vary", "Accept")
	if !qr.Expires.IsZero() {
		c.Header("Expires", qr.Expires.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"))
	}
	const svg, png, text = "image/svg+xml", "image/png", gin.MIMEPlain
	switch c.NegotiateFormat(png, svg, text, gin.MIMEJSON) {
	case svg:
		b, err := qrSVG(qr.Text)
		return reply{raw: b, contentType: svg}, err
	case text:
		return reply{raw: []byte(qr.Text), contentType: text + "; charset=utf-8"}, nil
	case gin.MIMEJSON:
		return reply{code: codeOK, id: id, data: struct {
			Text    string    `json:"text"`
			Expires time.Time `json:"expires"`
		}{qr.Text, qr.Expires}}, nil
	}
	b, err := qrcode.Encode(qr.Text, qrcode.Low, qrSize)
	if err != nil {
		err = fmt.Errorf("draw QR: %w", err)
	}
	return reply{raw: b, contentType: png}, err
}

// qrSVG draws a code as one path of unit squares, with the quiet zone that readers need.
func qrSVG(text string) ([]byte, error) {
	code, err := qrcode.New(text, qrcode.Low)
	if err != nil {
		return nil, fmt.Errorf("draw QR: %w", err)
	}
	bits := code.Bitmap()
	var path strings.Builder
	for y, row := range bits {
		for x := 0; x < len(row); x++ {
			run := 0
			for x+run < len(row) && row[x+run] {
				run++
			}
			if run > 0 {
				_, _ = fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", x, y, run, run)
				x += run
			}
		}
	}
	var b bytes.Buffer
	_, _ = fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" shape-rendering="crispEdges">`+
		`<rect width="100%%" height="100%%" fill="#fff"/><path fill="#000" d="%s"/></svg>`, len(bits), len(bits), path.String())
	return b.Bytes(), nil
}
