package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"strings"
	"time"
)

func (s *siege) inside(ctx context.Context) {
	_, port, _ := net.SplitHostPort(s.trap.Addr().String())
	for _, url := range []string{
		"http://127.0.0.1:" + port, "http://localhost:" + port, "http://127.1:" + port, "http://2130706433:" + port, "http://0x7f000001:" + port,
		"http://0177.0.0.1:" + port, "http://[::1]:" + port, "http://[::ffff:127.0.0.1]:" + port, "http://[::ffff:7f00:1]:" + port, "http://0:" + port,
		"http://[64:ff9b::7f00:1]:" + port, "http://[2002:7f00:1::]:" + port, "http://[fe80::1%25lo]:" + port, "http://example.com@127.0.0.1:" + port,
		"http://127.0.0.1:" + port + "#@example.com", "http://127.0.0.1%2f@example.com:" + port, "http://①②⑦.0.0.1:" + port, "http://127.0.0.1.:" + port,
		"http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]/", "http://100.100.100.200/", "http://metadata.google.internal/",
		"http://10.0.0.1/", "http://192.168.0.1/", "file:///etc/passwd", "gopher://127.0.0.1:" + port, "ftp://127.0.0.1:" + port, "data:text/plain,hi",
		"javascript:alert(1)", "//127.0.0.1:" + port, s.base + "/healthz", "http://127.0.0.1:" + port + "/\r\nX: y", "http://user:pass@127.0.0.1:" + port,
	} {
		a := s.call(ctx, "POST", "/wa/sendfileurl", fmt.Sprintf(`{"key":%q,"phone":"628123456789","filename":"a.txt","url":%q}`, s.mine.Key, url))
		s.try(url, a.ok(), a)
		a = s.call(ctx, "POST", "/v1/webhooks", fmt.Sprintf(`{"url":%q}`, url), "X-Api-Key", s.mine.Key)
		s.try("webhook "+url, a.ok(), a)
	}
	s.try("the service inside was reached", s.sprung.Load() > 0, answer{body: fmt.Sprint(s.sprung.Load(), " times")})
}

func (s *siege) names(ctx context.Context) {
	for _, name := range []string{
		"../../etc/passwd", "..\\..\\windows\\system.ini", "/etc/passwd", "C:\\x", "a/b", "..", ".", "a\x00.png", "a\nb", "a\r\nContent-Type: text/html",
		"\u202egpj.exe", strings.Repeat("a", 300), "\xed\xa0\x80", "a\u2028b", "a\u2029b", "file://x", "a\tb",
	} {
		a := s.call(ctx, "POST", "/wa/sendfile", fmt.Sprintf(`{"key":%q,"phone":"628123456789","filename":%q,"body":"aGFsbw=="}`, s.mine.Key, name))
		s.try(fmt.Sprintf("%.30q", name), a.ok() && strings.ContainsAny(name, "/\\\x00\n\r"), a)
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		_, _ = w.WriteField("key", s.mine.Key), w.WriteField("phone", "628123456789")
		part, err := w.CreatePart(map[string][]string{"Content-Disposition": {fmt.Sprintf("form-data; name=\"file\"; filename=%q", strings.NewReplacer("\r", "", "\n", "", "\x00", "").Replace(name))}})
		if err == nil {
			_, _ = part.Write([]byte("halo"))
		}
		_ = w.Close()
		a = s.call(ctx, "POST", "/wa/sendfile", b.String(), "Content-Type", w.FormDataContentType())
		s.try(fmt.Sprintf("part %.30q", name), a.ok() && strings.ContainsAny(name, "/\\"), a)
	}
}

func (s *siege) bodies(ctx context.Context) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = io.WriteString(z, fmt.Sprintf(`{"key":%q,"phone":"628123456789","body":"%s"}`, s.mine.Key, strings.Repeat("a", 1000)))
	_ = z.Close()
	for _, encoding := range []string{"gzip", "deflate", "br", "zstd", "x-gzip"} {
		a := s.call(ctx, "POST", "/wa/send", packed.String(), "Content-Encoding", encoding)
		s.try("compressed "+encoding, a.ok(), a)
	}
	deep := strings.Repeat(`{"a":[`, 50_000) + strings.Repeat(`]}`, 50_000)
	large := `{"key":"` + s.mine.Key + `","phone":"628123456789","body":"` + strings.Repeat("a", 6<<20) + `"}`
	var many bytes.Buffer
	w := multipart.NewWriter(&many)
	for i := range 30_000 {
		_ = w.WriteField(fmt.Sprint("f", i), "x")
	}
	_ = w.Close()
	for _, d := range doors {
		method, path := s.door(d)
		if method == "GET" || strings.Contains(path, s.theirs.ID) || !strings.HasPrefix(path, "/wa/") && !strings.HasPrefix(path, "/v1/") {
			continue
		}
		for name, body := range map[string]string{"deep": deep, "deep, in params": `{"params":` + deep + `}`, "large": large} {
			a := s.call(ctx, method, path, body, "X-Api-Key", s.mine.Key)
			s.try(name+" "+d, a.ok() && path != "/wa/sendfile", a)
		}
	}
	for _, path := range []string{"/wa/send", "/wa/sendfile"} {
		a := s.call(ctx, "POST", path, many.String(), "Content-Type", w.FormDataContentType(), "X-Api-Key", s.mine.Key)
		s.try("many parts "+path, a.ok(), a)
	}
	for _, a := range s.raw(ctx, "GET /healthz HTTP/1.1\r\nHost: k\r\nX: "+strings.Repeat("a", 1<<20)+"\r\n\r\n") {
		s.try("large header", a.ok(), a)
	}
}

func (s *siege) injections(ctx context.Context) {
	for _, text := range []string{
		"' OR '1'='1", "' OR 1=1 --", "\" OR \"\"=\"", "'; DROP TABLE messages; --", "1) UNION SELECT key FROM api_keys --", "%' OR '%'='", "\\' OR 1=1 #",
		"x\r\nSet-Cookie: kurir_session=a", "x%0d%0aSet-Cookie:a=b", "%s%s%s%n", "{{7*7}}", "${7*7}", "\x00", "1e999", "-1", "9223372036854775808",
	} {
		escaped := strings.NewReplacer(" ", "%20", "'", "%27", "\"", "%22", "#", "%23", "\r", "%0d", "\n", "%0a", "\x00", "%00", "\\", "%5c", "{", "%7b", "}", "%7d", ";", "%3b").Replace(text)
		if !strings.Contains(text, "%0d") {
			escaped = strings.ReplaceAll(escaped, "%s", "%25s")
			escaped = strings.ReplaceAll(strings.ReplaceAll(escaped, "%n", "%25n"), "%'", "%25'")
		}
		for _, path := range []string{
			"/v1/messages?state=" + escaped, "/v1/messages?after=" + escaped, "/v1/messages?limit=" + escaped, "/v1/messages/" + escaped, "/v1/media/" + escaped,
			"/v1/messages?phone=" + escaped,
		} {
			a := s.call(ctx, "GET", path, "", "X-Api-Key", s.mine.Key)
			s.try(path, strings.Contains(a.body, s.marker) || a.header.Get("Set-Cookie") != "" || strings.Contains(a.body, "SQL"), a)
		}
		a := s.call(ctx, "POST", "/wa/chats", fmt.Sprintf(`{"key":%q}`, text))
		s.try("key "+text, a.ok(), a)
		for _, a := range s.raw(ctx, "GET /healthz HTTP/1.1\r\nHost: k\r\nConnection: close\r\nX-Request-Id: "+text+"\r\n\r\n") {
			s.try("request id "+text, a.header.Get("Set-Cookie") != "" || strings.ContainsAny(a.header.Get("X-Request-Id"), " '\"%${}\r\n\x00"), a)
		}
		a = s.call(ctx, "GET", "/instances/new?next="+escaped, "")
		s.try("next "+text, a.header.Get("Set-Cookie") != "", a)
	}
}

func (s *siege) links(ctx context.Context) {
	for _, query := range []string{
		"signature=", "signature=AAAA", "expires=99999999999&signature=" + strings.Repeat("A", 43), "expires=0&signature=" + strings.Repeat("A", 43),
		"expires=99999999999", "expires=99999999999&signature[]=a", "expires=a&signature=a", "expires=99999999999&signature=" + strings.Repeat("A", 43) + "%3D",
		"expires=1%0a2&signature=" + strings.Repeat("A", 43), "signature=a&signature=b", "key=" + s.theirs.ID + "&signature=x",
	} {
		for _, id := range []string{"med_x", s.theirMessage, "..%2f..%2fkurir.db", "%2e%2e", "*", "1"} {
			a := s.call(ctx, "GET", "/v1/media/"+id+"?"+query, "")
			s.try(id+" "+query, a.ok(), a)
		}
	}
}

func (s *siege) sites(ctx context.Context) {
	signed := s.call(ctx, "POST", "/login", "token="+s.admin, "Content-Type", "application/x-www-form-urlencoded")
	if signed.status == 429 { // the guesses above count for this address too
		s.try("the console after guesses", false, signed)
	}
	cookie, _, _ := strings.Cut(signed.header.Get("Set-Cookie"), ";")
	for _, header := range [][]string{{"Origin", "https://evil.example"}, {"Origin", "null"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", s.base + ".evil.example"}} {
		for _, path := range []string{"/instances", "/instances/" + s.theirs.ID + "/stop", "/instances/" + s.theirs.ID + "/delete", "/logout", "/login", "/sandbox/6281234567890/send", "/language"} {
			all := append([]string{"Cookie", cookie, "Content-Type", "application/x-www-form-urlencoded"}, header...)
			a := s.call(ctx, "POST", path, "name=x&token="+s.admin, all...)
			s.try(header[0]+" "+header[1]+" "+path, a.status < 400, a)
		}
		for _, path := range []string{"/v1/instances", "/", "/v1/events/stream", "/healthz"} {
			for _, method := range []string{"GET", "OPTIONS"} {
				a := s.call(ctx, method, path, "", append([]string{"Access-Control-Request-Method", "POST"}, header...)...)
				s.try("CORS "+path, a.header.Get("Access-Control-Allow-Origin") != "", a)
			}
		}
	}
	for _, next := range []string{"//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/%2f/evil.example", "/\t/evil.example"} {
		a := s.call(ctx, "POST", "/login", "token="+s.admin+"&next="+next, "Content-Type", "application/x-www-form-urlencoded")
		to := a.header.Get("Location")
		s.try("next "+next, strings.HasPrefix(to, "//") || strings.HasPrefix(to, "/\\") || strings.Contains(to, "://") || strings.HasPrefix(to, "java"), a)
	}
}

// smuggled sends requests whose end two readers could see at different places: what is behind must not be answered. A folded
// header alone is none: RFC 9112 §5.2 says what it means.
func (s *siege) smuggled(ctx context.Context) {
	hidden := "GET /v1/instances HTTP/1.1\r\nHost: k\r\nAuthorization: Bearer " + s.admin + "\r\n\r\n"
	begin := "POST /healthz HTTP/1.1\r\nHost: k\r\n"
	for name, text := range map[string]string{
		"length and chunks":     begin + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
		"two lengths":           begin + "Content-Length: 0\r\nContent-Length: 50\r\n\r\n" + hidden,
		"a list of lengths":     begin + "Content-Length: 0, 50\r\n\r\n" + hidden,
		"length with a sign":    begin + "Content-Length: +0\r\n\r\n" + hidden,
		"odd chunking":          begin + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + hidden,
		"chunking twice":        begin + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + hidden,
		"space before colon":    begin + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + hidden,
		"folded header":         begin + "Content-Length: 5\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + hidden,
		"bare line feed":        "POST /healthz HTTP/1.1\r\nHost: k\r\nX: a\rContent-Length: 0\r\n\r\n" + hidden,
		"negative chunk":        begin + "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n" + hidden,
		"chunk of another base": begin + "Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n" + hidden,
		"null in a header":      begin + "X: a\x00b\r\n\r\n" + hidden,
		"no host":               "GET /healthz HTTP/1.1\r\n\r\n" + hidden,
		"two hosts":             "GET /healthz HTTP/1.1\r\nHost: k\r\nHost: l\r\n\r\n" + hidden,
	} {
		answers := s.raw(ctx, text)
		var last answer
		in := false
		for _, a := range answers {
			last = a
			in = in || strings.Contains(a.body, s.theirs.ID)
		}
		s.try(name, in, last)
	}
}

// slow holds connections in every slow way; others must be answered meanwhile, and the slow ones ended.
func (s *siege) slow(ctx context.Context) {
	var held []net.Conn
	for i := range 1000 {
		c, err := s.dial(ctx, 90*time.Second)
		if err != nil {
			break
		}
		switch i % 4 {
		case 1:
			_, _ = io.WriteString(c, "GET /healthz HTTP/1.1\r\nX: ")
		case 2:
			_, _ = io.WriteString(c, "POST /wa/send HTTP/1.1\r\nHost: k\r\nContent-Length: 1000000\r\n\r\n{")
		case 3:
			_, _ = io.WriteString(c, "POST /nowhere HTTP/1.1\r\nHost: k\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
		}
		held = append(held, c)
	}
	for range 20 {
		began := time.Now()
		a := s.call(ctx, "GET", "/healthz", "")
		s.try("others are answered", !a.ok() || time.Since(began) > 5*time.Second, answer{status: a.status, body: fmt.Sprintf("%s, after %s", a.body, time.Since(began))})
	}
	for i, c := range held {
		if i%100 < 4 && i%4 != 0 { // one that says nothing at all may wait as long as a quiet connection may
			_, err := io.Copy(io.Discard, c)
			e, timeout := err.(net.Error) //nolint:errorlint // from the connection itself
			s.try("slow connection is ended", timeout && e.Timeout(), answer{body: fmt.Sprint(i%4, " ", err)})
		}
		_ = c.Close()
	}
}
