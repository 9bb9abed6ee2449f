package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// letter is a message that somebody wants to be sent, once.
type letter struct {
	token  string // first word of what is received; the idempotency key, too
	in     *instance
	phone  string
	client string // letters of one client to one phone come in the order of n
	n      int
	text   string
	file   []byte // nil: a text
	name   string

	priority  string // "high", or ""
	expiresIn int    // seconds; 0: never
	cancelled bool   // kurir said that it called it off

	id, waID string // once it was accepted
	tries    int
}

func (l *letter) sha() string {
	if l.file == nil {
		return ""
	}
	sum := sha256.Sum256(l.file)
	return hex.EncodeToString(sum[:])
}

// words makes a text of about so many bytes that begins with the token.
func words(r *rand.Rand, token string, size int) string {
	var b strings.Builder
	b.WriteString(token)
	for b.Len() < size {
		b.WriteString([]string{" pesanan", " sudah", " dikirim", " 🙂", " terima kasih", "\nTotal: Rp 120.000"}[r.IntN(6)])
	}
	return b.String()
}

func randomFile(r *rand.Rand, size int) []byte {
	b := make([]byte, 0, size+8)
	for len(b) < size {
		b = binary.LittleEndian.AppendUint64(b, r.Uint64())
	}
	return b[:size]
}

// post offers the letter to kurir once.
func (h *house) post(ctx context.Context, l *letter) (answer, error) {
	l.tries++
	fields := map[string]string{"key": l.in.key, "phone": l.phone, "idempotency_key": l.token, "body": l.text}
	if l.priority != "" {
		fields["priority"] = l.priority
	}
	if l.expiresIn > 0 {
		fields["expires_in"] = strconv.Itoa(l.expiresIn)
	}
	if l.file == nil {
		b, err := json.Marshal(fields)
		if err != nil {
			return answer{}, err
		}
		return h.api.post(ctx, http.MethodPost, "/wa/send", "application/json", b)
	}
	fields["caption"] = l.text
	delete(fields, "body")
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		_ = w.WriteField(name, fields[name]) // into memory
	}
	part, err := w.CreateFormFile("file", l.name)
	if err != nil {
		return answer{}, err
	}
	_, _ = part.Write(l.file)
	_ = w.Close()
	return h.api.post(ctx, http.MethodPost, "/wa/sendfile", w.FormDataContentType(), b.Bytes())
}

var errRefused = errors.New("refused")

// offer posts the letter once and takes note of the answer. errRefused: kurir does not want it, for a cause that does
// not pass; any other error: it was not answered.
func (h *house) offer(ctx context.Context, l *letter) error {
	a, err := h.post(ctx, l)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(a.ID, "msg_") { // an answer about a message that failed has its id, too
		if a.HTTP >= http.StatusInternalServerError || a.HTTP == http.StatusTooManyRequests || a.HTTP == http.StatusRequestTimeout {
			return fmt.Errorf("%d %s", a.HTTP, a.Code)
		}
		h.f.bad(refused, "%s: %d %s %s", l.token, a.HTTP, a.Code, a.Message)
		return errRefused
	}
	var m message
	if err := json.Unmarshal(a.Data, &m); err != nil {
		return fmt.Errorf("the answer's data: %w", err)
	}
	if l.id != "" && (l.id != a.ID || l.waID != m.WAID) {
		h.f.bad(notTheSame, "%s was %s %s, and is %s %s", l.token, l.id, l.waID, a.ID, m.WAID)
	}
	l.id, l.waID = a.ID, m.WAID
	return nil
}

// deliver offers the letter, with the same key, until it is answered. It returns false when it was refused or ctx ended.
func (h *house) deliver(ctx context.Context, l *letter, r *rand.Rand) bool {
	for {
		limit := 30 * time.Second
		if r.IntN(25) == 0 {
			limit = time.Duration(1+r.IntN(30)) * time.Millisecond // somebody without patience
		}
		once, cancel := context.WithTimeout(ctx, limit)
		err := h.offer(once, l)
		cancel()
		switch {
		case err == nil:
			return true
		case errors.Is(err, errRefused) || !pause(ctx, time.Duration(20+r.IntN(200))*time.Millisecond):
			return false
		}
	}
}

// cancel asks kurir to call the letter off, and takes note when it says that it did.
func (h *house) cancel(ctx context.Context, l *letter) {
	b, err := json.Marshal(map[string]string{"key": l.in.key, "id": l.id})
	if err != nil {
		return
	}
	a, err := h.api.post(ctx, http.MethodPost, "/wa/cancel", "application/json", b)
	l.cancelled = err == nil && a.Status
}
