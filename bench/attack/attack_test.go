package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A program that finds nothing shows something only when it finds what is there: this house has no doors at all.
func TestAnOpenHouseIsSeen(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	open := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Location", "https://evil.example")
		_, _ = w.Write([]byte(`{"status":true,"data":"inst_theirs rahasia-tetangga"}`))
	}))
	defer open.Close()
	trap, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = trap.Close() }()
	s := &siege{target: &target{
		base: open.URL, addr: strings.TrimPrefix(open.URL, "http://"), admin: "admin-token-of-the-attack", marker: "rahasia-tetangga", trap: trap,
		mine: instance{"inst_mine", "kurir_test_mine"}, theirs: instance{"inst_theirs", "kurir_test_theirs"}, theirMessage: "msg_theirs",
		client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	}}
	for name, do := range map[string]func(*siege, context.Context){
		"keys": (*siege).keys, "paths": (*siege).paths, "headers": (*siege).headers, "others": (*siege).others, "inside": (*siege).inside,
		"names": (*siege).names, "bodies": (*siege).bodies, "injections": (*siege).injections, "links": (*siege).links, "sites": (*siege).sites,
	} {
		s.now = &row{what: name}
		do(s, ctx)
		if len(s.now.in) == 0 {
			t.Errorf("%s: of %d attempts nothing got into an open house", name, s.now.tried)
		}
	}
}
