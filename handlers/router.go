package handlers

import (
	"net/http"
	"path"
	"strings"

	"github.com/gin-gonic/gin"

	"kurir/problem"
)

func (s *server) router() http.Handler { return tidy(s.routes()) }

// routes is the table of contents of the product. Audited calls name their action. contract/openapi.yaml says the same at
// length; a test holds the two to each other.
func (s *server) routes() *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.HandleMethodNotAllowed = true
	_ = r.SetTrustedProxies(nil) // the address of a caller is the address that connected
	r.Use(s.trace)

	r.GET("/healthz", s.handle("", s.healthz))
	r.GET("/readyz", s.handle("", s.readyz))
	r.GET("/openapi.yaml", s.handle("", openAPI))

	// For programs: one instance, opened by its key. The words are WAChatPro's.
	wa := r.Group("/wa")
	wa.POST("/send", s.handle("wa.send", s.send))
	wa.POST("/sendfile", s.handle("wa.sendfile", s.sendFile))
	wa.POST("/sendfileurl", s.handle("wa.sendfileurl", s.sendFileURL))
	wa.POST("/cancel", s.handle("wa.cancel", s.waCancel))
	wa.POST("/status", s.handle("", s.messageStatus))
	wa.POST("/chats", s.handle("wa.chats", s.chats))
	wa.POST("/messages", s.handle("wa.messages", s.messages))
	wa.POST("/contacts", s.handle("wa.contacts", s.contacts))

	// For the operator: everything, opened by the admin token.
	v1 := r.Group("/v1", s.requireAdmin)
	v1.POST("/instances", s.handle("instance.create", s.createInstance))
	v1.GET("/instances", s.handle("", s.listInstances))
	v1.GET("/instances/:id", s.handle("", s.getInstance))
	v1.PATCH("/instances/:id", s.handle("instance.update", s.updateInstance))
	v1.DELETE("/instances/:id", s.handle("instance.delete", s.deleteInstance))
	v1.POST("/instances/:id/start", s.handle("instance.start", s.control(s.Instances.Start)))
	v1.POST("/instances/:id/stop", s.handle("instance.stop", s.control(s.Instances.Stop)))
	v1.POST("/instances/:id/restart", s.handle("instance.restart", s.control(s.Instances.Restart)))
	v1.POST("/instances/:id/logout", s.handle("instance.logout", s.control(s.Instances.Logout)))
	v1.GET("/instances/:id/qr", s.handle("", s.qr))
	v1.POST("/instances/:id/pairing-code", s.handle("instance.pairing_code", s.pairingCode))
	v1.GET("/audit", s.handle("", s.audit))
	v1.GET("/stats", s.handle("", s.stats))

	// The files of messages: for the operator, for who has the instance's key and, to read, for who has a signed link.
	v1.GET("/instances/:id/media", s.handle("", s.getMedia))
	v1.PUT("/instances/:id/media", s.handle("instance.media", s.putMedia))
	r.GET("/v1/media/:id", s.mediaFile)
	r.HEAD("/v1/media/:id", s.mediaFile)
	r.POST("/v1/messages/:id/media", s.handle("message.media", s.askMedia))

	// What happens on the phones: to read, to listen to, to have sent.
	v1.GET("/events", s.handle("", s.listEvents))
	v1.GET("/events/schema", s.handle("", eventSchema))
	v1.GET("/events/stream", s.eventStream)
	v1.POST("/webhooks", s.handle("webhook.create", s.createWebhook))
	v1.GET("/webhooks", s.handle("", s.listWebhooks))
	v1.GET("/webhooks/:id", s.handle("", s.getWebhook))
	v1.PATCH("/webhooks/:id", s.handle("webhook.update", s.updateWebhook))
	v1.DELETE("/webhooks/:id", s.handle("webhook.delete", s.deleteWebhook))
	v1.POST("/webhooks/:id/test", s.handle("webhook.test", s.testWebhook))
	v1.POST("/webhooks/:id/rotate", s.handle("webhook.rotate", s.rotateWebhook))
	v1.POST("/webhooks/:id/replay", s.handle("webhook.replay", s.replayEvents))
	v1.GET("/webhooks/:id/deliveries", s.handle("", s.listDeliveries))
	v1.POST("/webhooks/:id/deliveries/:delivery/retry", s.handle("webhook.retry", s.retryDelivery))

	// For both: with a key, what is its instance's.
	msg := r.Group("/v1/messages")
	msg.POST("", s.handle("message.send", s.sendMessage))
	msg.GET("", s.handle("", s.listMessages))
	msg.GET("/:id", s.handle("", s.getMessage))
	msg.POST("/:id/cancel", s.handle("message.cancel", s.cancelMessage))
	msg.POST("/:id/resend", s.handle("message.resend", s.resendMessage))

	r.NoMethod(s.handle("", fail(problem.MethodNotAllowed)))
	r.NoRoute(s.otherPath)
	return r
}

// tidy takes /wa/send/ and //wa/send, which is what a base URL with a slash at its end makes, for /wa/send. A
// redirect would lose the body.
func tidy(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := path.Clean(r.URL.Path); p != r.URL.Path && (strings.HasPrefix(p, "/wa/") || strings.HasPrefix(p, "/v1/")) {
			r = r.Clone(r.Context())
			r.URL.Path, r.URL.RawPath = p, ""
		}
		next.ServeHTTP(w, r)
	})
}

// otherPath gives everything that is not the API's to the console.
func (s *server) otherPath(g *gin.Context) {
	p := g.Request.URL.Path
	if s.Console == nil || strings.HasPrefix(p, "/wa/") || strings.HasPrefix(p, "/v1/") {
		s.handle("", fail(problem.NotFound))(g)
		return
	}
	g.Status(http.StatusOK) // Gin has set 404 for a path it does not know
	s.Console.ServeHTTP(g.Writer, g.Request)
}

func fail(code problem.Code) func(*call) (reply, error) {
	return func(*call) (reply, error) { return reply{}, problem.New(code, "") }
}
