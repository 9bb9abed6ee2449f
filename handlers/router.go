package handlers

import (
	"net/http"
	"path"
	"strings"

	"github.com/gin-gonic/gin"

	"kurir/problem"
)

// router is the table of contents of the product: who may call what, and by which name the audit log knows it. The key
// comes in a header where a route is guarded, and may come in the body elsewhere. contract/openapi.yaml says the same at
// length; tests hold it to this table.
func (s *server) router() http.Handler {
	r := s.routes()
	r.NoMethod(s.handle(anyone, "", fail(problem.MethodNotAllowed)))
	r.NoRoute(s.otherPath)
	return s.tidy(r)
}

func (s *server) routes() *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.HandleMethodNotAllowed = true
	_ = r.SetTrustedProxies(nil) // the address of a caller is the address that connected
	r.Use(s.trace, s.plainOnly, s.noKeyInURL)

	r.GET("/healthz", s.handle(anyone, "", s.healthz))
	r.GET("/readyz", s.handle(anyone, "", s.readyz))
	r.GET("/openapi.yaml", s.handle(anyone, "", openAPI))

	// For programs: one instance, opened by its key. The words are WAChatPro's.
	wa := r.Group("/wa")
	wa.POST("/send", s.handle(toSend, "wa.send", s.send))
	wa.POST("/sendfile", s.handle(toSend, "wa.sendfile", s.sendFile))
	wa.POST("/sendfileurl", s.handle(toSend, "wa.sendfileurl", s.sendFileURL))
	wa.POST("/cancel", s.handle(toSend, "wa.cancel", s.waCancel))
	wa.POST("/status", s.handle(toFollow, "", s.messageStatus))
	wa.POST("/chats", s.handle(toRead, "wa.chats", s.chats))
	wa.POST("/messages", s.handle(toRead, "wa.messages", s.messages))
	wa.POST("/contacts", s.handle(toRead, "wa.contacts", s.contacts))

	// From here on the admin token opens everything, and a key what is its instance's.
	v1 := r.Group("/v1")
	v1.POST("/messages", s.handle(toSend, "message.send", s.sendMessage))
	v1.GET("/messages", s.handle(toRead, "", s.listMessages))
	v1.GET("/messages/:id", s.handle(toFollow, "", s.getMessage))
	v1.POST("/messages/:id/cancel", s.handle(toSend, "message.cancel", s.cancelMessage))
	v1.POST("/messages/:id/resend", s.handle(toSend, "message.resend", s.resendMessage))

	// The files of messages; a signed link is enough to read one.
	v1.POST("/messages/:id/media", s.handle(toRead, "message.media", s.askMedia))
	v1.GET("/media/:id", s.bare(toRead, s.mediaFile))
	v1.HEAD("/media/:id", s.bare(toRead, s.mediaFile))

	// What happens on the phones: to read, to listen to, to have sent.
	v1.GET("/events", s.guarded(toRead, "", s.listEvents))
	v1.GET("/events/schema", s.guarded(toRead, "", eventSchema))
	v1.GET("/events/stream", s.bare(toRead, s.eventStream))
	v1.POST("/webhooks", s.guarded(toManage, "webhook.create", s.createWebhook))
	v1.GET("/webhooks", s.guarded(toManage, "", s.listWebhooks))
	v1.GET("/webhooks/:id", s.guarded(toManage, "", s.getWebhook))
	v1.PATCH("/webhooks/:id", s.guarded(toManage, "webhook.update", s.updateWebhook))
	v1.DELETE("/webhooks/:id", s.guarded(toManage, "webhook.delete", s.deleteWebhook))
	v1.POST("/webhooks/:id/test", s.guarded(toManage, "webhook.test", s.testWebhook))
	v1.POST("/webhooks/:id/rotate", s.guarded(toManage, "webhook.rotate", s.rotateWebhook))
	v1.POST("/webhooks/:id/replay", s.guarded(toManage, "webhook.replay", s.replayEvents))
	v1.GET("/webhooks/:id/deliveries", s.guarded(toManage, "", s.listDeliveries))
	v1.POST("/webhooks/:id/deliveries/:delivery/retry", s.guarded(toManage, "webhook.retry", s.retryDelivery))

	// An instance, and who may use it.
	v1.GET("/instances/:id", s.guarded(toManage, "", s.getInstance))
	v1.PATCH("/instances/:id", s.guarded(toManage, "instance.update", s.updateInstance))
	v1.POST("/instances/:id/start", s.guarded(toManage, "instance.start", s.control(s.Instances.Start)))
	v1.POST("/instances/:id/stop", s.guarded(toManage, "instance.stop", s.control(s.Instances.Stop)))
	v1.POST("/instances/:id/restart", s.guarded(toManage, "instance.restart", s.control(s.Instances.Restart)))
	v1.POST("/instances/:id/logout", s.guarded(toManage, "instance.logout", s.control(s.Instances.Logout)))
	v1.GET("/instances/:id/qr", s.guarded(toManage, "", s.qr))
	v1.POST("/instances/:id/pairing-code", s.guarded(toManage, "instance.pairing_code", s.pairingCode))
	v1.GET("/instances/:id/media", s.guarded(toManage, "", s.getMedia))
	v1.PUT("/instances/:id/media", s.guarded(toManage, "instance.media", s.putMedia))
	v1.POST("/instances/:id/keys", s.guarded(toManage, "key.create", s.createKey))
	v1.GET("/instances/:id/keys", s.guarded(toManage, "", s.listKeys))
	v1.PATCH("/keys/:id", s.guarded(toManage, "key.update", s.updateKey))
	v1.DELETE("/keys/:id", s.guarded(toManage, "key.delete", s.deleteKey))
	v1.POST("/keys/:id/rotate", s.guarded(toManage, "key.rotate", s.rotateKey))

	// For the operator alone: everything, across instances.
	v1.POST("/instances", s.guarded(operator, "instance.create", s.createInstance))
	v1.GET("/instances", s.guarded(operator, "", s.listInstances))
	v1.DELETE("/instances/:id", s.guarded(operator, "instance.delete", s.deleteInstance))
	v1.GET("/audit", s.guarded(operator, "", s.audit))
	v1.GET("/audit.csv", s.bare(operator, s.auditCSV))
	v1.GET("/stats", s.guarded(operator, "", s.stats))

	// For programs written for other gateways, where the settings name these.
	for _, a := range s.adapters() {
		r.POST(a.path, s.handle(toSend, a.name+".send", a.send))
	}
	return r
}

// tidy takes /wa/send/ and //wa/send, which is what a base URL with a slash at its end makes, for /wa/send. A
// redirect would lose the body.
func (s *server) tidy(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := path.Clean(r.URL.Path); p != r.URL.Path && s.isAPI(p) {
			r = r.Clone(r.Context())
			r.URL.Path, r.URL.RawPath = p, ""
		}
		next.ServeHTTP(w, r)
	})
}

// plainOnly refuses compressed bodies: what 1 KB becomes when it is unpacked is for its sender to decide.
func (s *server) plainOnly(g *gin.Context) {
	for _, encoding := range g.Request.Header.Values("Content-Encoding") {
		if encoding = strings.TrimSpace(encoding); encoding != "" && !strings.EqualFold(encoding, "identity") {
			s.handle(anyone, "", fail(problem.EncodingUnsupported))(g)
			g.Abort()
			return
		}
	}
}

// otherPath gives everything that is not the API's to the console.
func (s *server) otherPath(g *gin.Context) {
	if s.Console == nil || s.isAPI(g.Request.URL.Path) {
		s.handle(anyone, "", fail(problem.NotFound))(g)
		return
	}
	g.Status(http.StatusOK) // Gin has set 404 for a path it does not know
	s.Console.ServeHTTP(g.Writer, g.Request)
}

func fail(code problem.Code) func(*call) (reply, error) {
	return func(*call) (reply, error) { return reply{}, problem.New(code, "") }
}
