package handlers

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"kurir/problem"
)

// The names under which a request's facts travel in Gin's context.
const (
	requestKey  = "kurir.request"
	codeKey     = "kurir.code"
	instanceKey = "kurir.instance"
)

// secretPattern finds kurir's own secrets where somebody put them by mistake.
var secretPattern = regexp.MustCompile(`(kurir_(?:live|test|admin)_)[0-9A-Za-z]+`)

// pathOf is the path as it may be written down.
func pathOf(g *gin.Context) string {
	return secretPattern.ReplaceAllString(g.Request.URL.Path, "$1…")
}

// trace gives every request an id, turns a panic into INTERNAL, and writes a line in the log.
func (s *server) trace(g *gin.Context) {
	started := time.Now()
	id := requestID(g.GetHeader("X-Request-Id"))
	g.Set(requestKey, id)
	g.Writer.Header().Set("X-Request-Id", id)
	defer func() {
		if v := recover(); v != nil {
			s.recovered(g, id, v)
		}
		s.logRequest(g, id, started)
	}()
	g.Next()
}

// recovered answers INTERNAL when nothing was answered yet. The stack goes to the log and nowhere else.
func (s *server) recovered(g *gin.Context, id string, v any) {
	if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(v) // the way to end a connection
	}
	s.Log.Error("panic", "request", id, "path", pathOf(g), "err", fmt.Sprint(v), "stack", string(debug.Stack()))
	if !g.Writer.Written() {
		c := s.newCall(g, anyone, "")
		s.respond(c, reply{}, problem.New(problem.Internal, ""))
	}
	g.Abort()
}

func (s *server) logRequest(g *gin.Context, id string, started time.Time) {
	level := slog.LevelInfo
	if path := g.FullPath(); path == "" || path == "/healthz" || path == "/readyz" {
		level = slog.LevelDebug // probes and the console's pages
	}
	if !s.Log.Enabled(g.Request.Context(), level) {
		return
	}
	s.Log.LogAttrs(g.Request.Context(), level, "request", slog.String("request", id), slog.String("method", g.Request.Method),
		slog.String("path", pathOf(g)), slog.Int("status", g.Writer.Status()), slog.String("code", g.GetString(codeKey)),
		slog.String("instance", g.GetString(instanceKey)), slog.Duration("took", time.Since(started)))
}

// requestID keeps the id that a proxy gave when it is harmless, else makes one.
func requestID(given string) string {
	if given != "" && len(given) <= 64 && !strings.ContainsFunc(given, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '-' && r != '_' && r != '.'
	}) {
		return given
	}
	return "req_" + rand.Text()[:20]
}
