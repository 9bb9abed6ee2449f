package main

import (
	"context"
	"fmt"
	"strings"
)

// doors are the addresses that want a key. {id} is the neighbour's instance, {msg} his message.
var doors = strings.Fields(`
	POST/wa/send POST/wa/sendfile POST/wa/sendfileurl POST/wa/cancel POST/wa/status POST/wa/chats POST/wa/messages POST/wa/contacts
	POST/v1/instances GET/v1/instances GET/v1/instances/{id} PATCH/v1/instances/{id} DELETE/v1/instances/{id}
	POST/v1/instances/{id}/start POST/v1/instances/{id}/stop POST/v1/instances/{id}/restart POST/v1/instances/{id}/logout
	GET/v1/instances/{id}/qr POST/v1/instances/{id}/pairing-code GET/v1/instances/{id}/media PUT/v1/instances/{id}/media
	GET/v1/instances/{id}/keys POST/v1/instances/{id}/keys GET/v1/audit GET/v1/audit.csv GET/v1/stats GET/v1/events GET/v1/events/schema GET/v1/events/stream
	POST/v1/webhooks GET/v1/webhooks GET/v1/webhooks/x PATCH/v1/webhooks/x DELETE/v1/webhooks/x POST/v1/webhooks/x/test
	POST/v1/webhooks/x/rotate POST/v1/webhooks/x/replay GET/v1/webhooks/x/deliveries POST/v1/webhooks/x/deliveries/y/retry
	POST/v1/messages GET/v1/messages GET/v1/messages/{msg} POST/v1/messages/{msg}/cancel POST/v1/messages/{msg}/resend
	POST/v1/messages/{msg}/media GET/v1/media/x
	GET/instances/{id} GET/instances/new POST/instances POST/instances/{id}/stop POST/instances/{id}/delete GET/sandbox
	POST/sandbox/6281234567890/send GET/console/events`)

func (t *target) door(d string) (method, path string) {
	method, path, _ = strings.Cut(d, "/")
	return method, strings.NewReplacer("{id}", t.theirs.ID, "{msg}", t.theirMessage).Replace("/" + path)
}

const someBody = `{"phone":"628123456789","body":"aGFsbw==","filename":"a.txt","name":"x","url":"http://example.com/"}`

// inside says whether an answer shows something that wants a key: kurir has no success for who has none.
func (t *target) shows(a answer) bool {
	return a.ok() && !strings.Contains(a.body, `name="token"`) || strings.Contains(a.body, t.marker) || strings.Contains(a.body, "kurir_test_")
}

func (s *siege) keys(ctx context.Context) {
	expired := s.mine.Key[:len(s.mine.Key)-1] + "A"
	if expired == s.mine.Key {
		expired = s.mine.Key[:len(s.mine.Key)-1] + "B"
	}
	for _, d := range doors {
		method, path := s.door(d)
		for name, header := range map[string][]string{
			"none": {}, "wrong": {"X-Api-Key", "kurir_live_0123456789abcdefghijklmnop"}, "almost": {"Authorization", "Bearer " + expired},
			"empty": {"Authorization", "Bearer "}, "basic": {"Authorization", "Basic YWRtaW46YWRtaW4="}, "null": {"X-Api-Key", "null"},
			"long": {"X-Api-Key", strings.Repeat("k", 8000)}, "cookie": {"Cookie", "kurir_session=admin"}, "prefix": {"Authorization", "Bearer " + s.admin[:8]},
			"hash": {"Authorization", "Bearer e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		} {
			a := s.call(ctx, method, path, someBody, header...)
			s.try(name+" "+d, s.shows(a), a)
		}
		a := s.call(ctx, method, path+"?key="+s.mine.Key+"&token="+s.admin, someBody)
		s.try("in the address "+d, s.shows(a) && !strings.HasPrefix(path, "/wa/"), a)
	}
	for _, body := range []string{`{"key":null}`, `{"key":true}`, `{"key":{"$ne":""}}`, `{"key":["a"]}`, `{"key":0}`, `key[]=a`, `key[$ne]=a`, ``, `[]`} {
		a := s.call(ctx, "POST", "/wa/chats", body)
		s.try("key as "+body, a.ok(), a)
	}
}

func (s *siege) paths(ctx context.Context) {
	for _, p := range []string{
		"//v1/instances", "/v1//instances", "/%76%31/instances", "/v1%2finstances", "/V1/instances", "/v1/instances/", "/v1/./instances",
		"/x/../v1/instances", "/healthz/../v1/instances", "/healthz/..%2fv1/instances", "/v1/media/../instances", "/v1/media/%2e%2e/instances",
		"/v1/media/..;/instances", "/console/assets/../../v1/instances", "/console/assets/..%2f..%2f..%2fdata%2fkurir.db", "/console/assets/%2e%2e/%2e%2e/go.mod",
		"/wa/../v1/instances", "/v1/instances%00", "/v1/instances%20", "/v1/instances?x=/healthz", "/v1/instances#x", "/.git/config", "/data/kurir.db",
		"/files/", "/debug/pprof/", "/metrics", "/v1/instances.json", "/\\v1/instances", "/sandbox/../v1/instances", "/login/../instances/new",
	} {
		for _, method := range []string{"GET", "POST", "HEAD", "OPTIONS", "TRACE", "PROPFIND"} {
			for _, a := range s.raw(ctx, method+" "+p+" HTTP/1.1\r\nHost: k\r\nContent-Length: 0\r\nConnection: close\r\n\r\n") {
				s.try(method+" "+p, s.shows(a) && method != "HEAD" || strings.Contains(a.body, "SQLite format"), a)
			}
		}
	}
	for _, a := range s.raw(ctx, "CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\n") {
		s.try("CONNECT", a.ok(), a)
	}
	for _, a := range s.raw(ctx, "GET http://169.254.169.254/latest/ HTTP/1.1\r\nHost: 169.254.169.254\r\nConnection: close\r\n\r\n") {
		s.try("as a proxy", s.shows(a), a)
	}
}

func (s *siege) headers(ctx context.Context) {
	for name, value := range map[string]string{
		"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1", "Forwarded": "for=127.0.0.1", "X-Client-IP": "127.0.0.1", "X-Forwarded-Host": "localhost",
		"X-Original-URL": "/v1/instances", "X-Rewrite-URL": "/v1/instances", "X-HTTP-Method-Override": "DELETE", "X-Forwarded-User": "admin",
		"Remote-User": "admin", "X-Admin": "true", "X-Auth-Token": "admin", "Via": "1.1 localhost", "X-Forwarded-Proto": "https",
	} {
		for _, path := range []string{"/v1/instances", "/v1/audit", "/healthz", "/instances/new"} {
			a := s.call(ctx, "GET", path, "", name, value)
			s.try(name+" "+path, s.shows(a) && path != "/healthz" || strings.Contains(a.body, s.theirs.ID), a)
		}
	}
	for _, host := range []string{"evil.example", "localhost", "127.0.0.1", "evil.example\"><script>", "", "a b"} {
		for _, a := range s.raw(ctx, "GET / HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n") {
			s.try("Host "+host, strings.Contains(a.body, "<script>evil") || strings.Contains(a.header.Get("Location"), "evil.example") || strings.Contains(a.body, "//evil.example"), a)
		}
	}
	slowed := 0
	for i := range 40 { // a new address for each guess does not help
		a := s.call(ctx, "POST", "/login", "token=wrong", "Content-Type", "application/x-www-form-urlencoded", "X-Forwarded-For", fmt.Sprintf("198.51.100.%d", i))
		if a.status == 429 {
			slowed++
		}
		s.try("guess", a.status == 303, a)
	}
	s.try("guesses are slowed down", slowed == 0, answer{body: "40 guesses, none was slowed down"})
}

func (s *siege) others(ctx context.Context) {
	key := []string{"X-Api-Key", s.mine.Key}
	for _, d := range doors {
		method, path := s.door(d)
		if !strings.Contains(d, "{") && !strings.HasPrefix(path, "/v1/") || path == "/v1/messages" {
			continue // their own, which is open to them
		}
		for _, header := range [][]string{key, {"Authorization", "Bearer " + s.mine.Key}} {
			a := s.call(ctx, method, path, someBody, header...)
			// A door that names no instance answers a key with its own instance's things.
			in := s.shows(a)
			if !strings.Contains(d, "{") {
				in = strings.Contains(a.body, s.theirs.ID) || strings.Contains(a.body, s.marker) || strings.Contains(a.body, "kurir_test_")
			}
			s.try(d, in, a)
		}
	}
	for _, path := range []string{
		"/v1/events?instance=" + s.theirs.ID, "/v1/events?instance=*", "/v1/events/stream?instance=" + s.theirs.ID, "/v1/webhooks?instance=" + s.theirs.ID,
		"/v1/audit?instance=" + s.theirs.ID, "/v1/audit.csv?instance=" + s.theirs.ID,
		"/v1/messages?instance=" + s.theirs.ID, "/v1/messages?instance_id=" + s.theirs.ID, "/v1/messages?instance=*", "/v1/messages?instance=",
		"/v1/messages/" + strings.ToLower(s.theirMessage), "/v1/messages/" + s.theirMessage + "%20", "/v1/messages/%25",
	} {
		a := s.call(ctx, "GET", path, "", key...)
		s.try(path, strings.Contains(a.body, s.marker) || a.ok() && strings.Contains(a.body, s.theirs.ID), a)
	}
	for _, path := range []string{"/wa/status", "/wa/cancel"} {
		a := s.call(ctx, "POST", path, fmt.Sprintf(`{"key":%q,"id":%q,"instance":%q}`, s.mine.Key, s.theirMessage, s.theirs.ID))
		s.try(path, s.shows(a), a)
	}
	a := s.call(ctx, "POST", "/v1/messages", fmt.Sprintf(`{"phone":"628123456789","body":"x","instance":%q,"instance_id":%q}`, s.theirs.ID, s.theirs.ID), key...)
	s.try("send as the neighbour", a.ok() && strings.Contains(a.body, s.theirs.ID), a)
}
