package browser

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-rod/rod/lib/cdp"
)

// frame is a message of the protocol from Chromium: the answer to a call (ID) or an event (Method).
//
// An answer is taken apart by its fixed outer form where it has that form, without looking at each byte: twenty
// thousand contacts are 4 MB, and each look takes 20 ms. What is inside is checked by whoever decodes it.
type frame struct {
	ID        int             `json:"id"`
	SessionID string          `json:"sessionId"`
	Method    string          `json:"method"`
	Params    json.RawMessage `json:"params"`
	Result    json.RawMessage `json:"result"`
	Error     *cdp.Error      `json:"error"`
}

// parseFrame takes a frame apart. The result shares memory with data.
func parseFrame(data []byte) (frame, error) {
	if f, ok := parseAnswer(data); ok {
		return f, nil
	}
	var f frame
	if err := json.Unmarshal(data, &f); err != nil {
		return frame{}, fmt.Errorf("decode a frame of %d bytes: %w", len(data), err)
	}
	return f, nil
}

// parseAnswer reads {"id":7,"result":…} and {"id":7,"result":…,"sessionId":"…"}.
func parseAnswer(data []byte) (frame, bool) {
	rest, ok := bytes.CutPrefix(data, []byte(`{"id":`))
	digits, rest, cut := bytes.Cut(rest, []byte(","))
	rest, ok2 := bytes.CutPrefix(rest, []byte(`"result":{`))
	id, err := strconv.Atoi(string(digits))
	if !ok || !cut || !ok2 || err != nil {
		return frame{}, false
	}
	f := frame{ID: id}
	const mark = `,"sessionId":"`
	if at := bytes.LastIndex(rest[max(0, len(rest)-64):], []byte(mark)); at >= 0 {
		at += max(0, len(rest)-64)
		session, end := bytes.CutSuffix(rest[at+len(mark):], []byte(`"}`))
		if _, err := hex.Decode(make([]byte, len(session)/2), session); end && err == nil && len(session)%2 == 0 {
			f.SessionID = string(session)
			f.Result = data[len(data)-len(rest)-1 : len(data)-len(rest)+at]
			return f, bytes.HasSuffix(f.Result, []byte("}"))
		}
	}
	f.Result = data[len(data)-len(rest)-1 : len(data)-1]
	return f, bytes.HasSuffix(rest, []byte("}}"))
}

// tooLarge makes the error answer for a response that begins with head, or an event nobody listens to when head
// is not the beginning of a response. Chromium writes {"id":7,… first.
func tooLarge(head []byte) []byte {
	id := 0
	if rest, ok := bytes.CutPrefix(head, []byte(`{"id":`)); ok {
		for _, c := range rest {
			if c < '0' || c > '9' || id > 1<<40 {
				break
			}
			id = id*10 + int(c-'0')
		}
	}
	return fmt.Appendf(nil, `{"id":%d,"error":{"code":-32000,"message":"the answer is larger than kurir takes"}}`, id)
}

var errString = errors.New("not a JSON string")

// unquote returns the text of a JSON string. encoding/json takes three passes for that.
func unquote(literal []byte) ([]byte, error) {
	if len(literal) < 2 || literal[0] != '"' || literal[len(literal)-1] != '"' {
		return nil, errString
	}
	in := literal[1 : len(literal)-1]
	out := make([]byte, 0, len(in))
	for {
		i := bytes.IndexByte(in, '\\')
		if i < 0 {
			return append(out, in...), nil
		}
		out = append(out, in[:i]...)
		if in = in[i+1:]; len(in) == 0 {
			return nil, errString
		}
		c := in[0]
		in = in[1:]
		switch c {
		case '"', '\\', '/':
			out = append(out, c)
		case 'b', 'f', 'n', 'r', 't':
			out = append(out, "\b\f\n\r\t"[bytes.IndexByte([]byte("bfnrt"), c)])
		case 'u':
			r, ok := escaped(in)
			if !ok {
				return nil, errString
			}
			in = in[4:]
			if utf16.IsSurrogate(r) {
				if low, ok := escaped(bytes.TrimPrefix(in, []byte(`\u`))); ok && len(in) >= 6 && in[0] == '\\' {
					if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
						in = in[6:]
					}
				}
			}
			out = utf8.AppendRune(out, r) // a lone surrogate becomes U+FFFD
		default:
			return nil, errString
		}
	}
}

// escaped reads four hex digits.
func escaped(in []byte) (rune, bool) {
	var b [2]byte
	if len(in) < 4 {
		return 0, false
	}
	if _, err := hex.Decode(b[:], in[:4]); err != nil {
		return 0, false
	}
	return rune(binary.BigEndian.Uint16(b[:])), true
}
