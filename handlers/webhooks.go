package handlers

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"kurir/events"
	"kurir/models"
	"kurir/problem"
	"kurir/webhook"
)

const (
	maxMetadata   = 4096           // bytes
	maxPage       = 1000           // of webhooks and deliveries
	secretOverlap = 24 * time.Hour // how long the old secret signs too, unless the rotation says otherwise
	maxOverlap    = 30 * 24 * time.Hour
	codeSecret    = "SECRET_SHOWN"
)

// Webhooks is what the handlers need of the subscribers and their deliveries. models.DB is one.
type Webhooks interface {
	CreateWebhook(ctx context.Context, w *models.Webhook) error
	Webhooks(ctx context.Context, instanceID *string, after string, limit int) ([]models.Webhook, error)
	Webhook(ctx context.Context, id string) (models.Webhook, error)
	UpdateWebhook(ctx context.Context, id string, columns map[string]any) (models.Webhook, error)
	DeleteWebhook(ctx context.Context, id string) error
	RotateSecret(ctx context.Context, id string, oldUntil time.Time) (models.Webhook, error)
	Deliveries(ctx context.Context, webhookID string, state models.DeliveryState, before int64, limit int) ([]models.Delivery, error)
	RetryDelivery(ctx context.Context, webhookID string, id int64) error
	Replay(ctx context.Context, webhookID, instanceID string, from int64) (int, error)
}

// Deliverer calls the subscribers. webhook.Dispatcher is one.
type Deliverer interface {
	CheckURL(raw string, sandbox bool) error
	Test(ctx context.Context, webhookID string) (webhook.Result, error)
	Wake(webhookID string)
}

// webhookView is a webhook as the operator sees it.
type webhookView struct {
	ID             string          `json:"id"`
	Instance       string          `json:"instance"` // empty: all instances
	URL            string          `json:"url"`
	Events         []string        `json:"events"` // ["*"]: all but presence
	Metadata       json.RawMessage `json:"metadata,omitempty"`
	Enabled        bool            `json:"enabled"`
	DisabledReason string          `json:"disabled_reason,omitempty"`
	DisabledAt     *time.Time      `json:"disabled_at,omitempty"`
	FailingSince   *time.Time      `json:"failing_since,omitempty"`
	OldSecretUntil *time.Time      `json:"old_secret_until,omitempty"`
	CreatedAt      time.Time       `json:"created_at"`
	Secret         string          `json:"secret,omitempty"` // only in the answer that makes it
}

func viewWebhook(w models.Webhook) webhookView {
	v := webhookView{
		ID: w.ID, Instance: w.InstanceID, URL: w.URL, Events: w.EventTypes(), Metadata: w.MetadataJSON(), Enabled: w.Enabled,
		DisabledReason: w.DisabledReason, DisabledAt: w.DisabledAt, FailingSince: w.FailingSince, CreatedAt: w.CreatedAt,
	}
	if v.Events == nil {
		v.Events = []string{models.AllEvents}
	}
	if w.OldSecretUntil != nil && w.OldSecretUntil.After(time.Now()) {
		v.OldSecretUntil = w.OldSecretUntil
	}
	return v
}

// webhookBody is what POST and PATCH take. What is absent stays as it is.
type webhookBody struct {
	Instance string          `json:"instance"`
	URL      *string         `json:"url"`
	Events   *[]string       `json:"events"`
	Metadata json.RawMessage `json:"metadata"` // null takes it away
	Enabled  *bool           `json:"enabled"`
}

// columns checks the body and returns what it changes of a webhook of that instance.
func (s *server) columns(c *call, b webhookBody, instanceID string) (map[string]any, error) {
	out := map[string]any{}
	if b.URL != nil {
		sandbox := false
		if instanceID != "" {
			in, err := s.Instances.Get(c.ctx(), instanceID)
			if err != nil {
				return nil, err
			}
			sandbox = in.Sandbox
		}
		address := strings.TrimSpace(*b.URL)
		if err := s.Deliverer.CheckURL(address, sandbox); err != nil {
			return nil, err
		}
		out["url"] = address
	}
	if b.Events != nil {
		types, err := eventTypes(*b.Events)
		if err != nil {
			return nil, err
		}
		out["events"] = models.JoinEventTypes(types)
	}
	if b.Metadata != nil {
		text, err := metadata(b.Metadata)
		if err != nil {
			return nil, err
		}
		out["metadata"] = text
	}
	if b.Enabled != nil {
		out["enabled"] = *b.Enabled
	}
	return out, nil
}

// eventTypes checks names of types; nil is all of them.
func eventTypes(names []string) ([]string, error) {
	var out []string
	for _, name := range names {
		name = strings.TrimSpace(name)
		switch {
		case name == models.AllEvents && len(names) == 1:
			return nil, nil
		case !slices.Contains(events.Types(), name):
			return nil, problem.New(problem.EventTypeUnknown, name+"; there are "+strings.Join(events.Types(), ", "))
		case !slices.Contains(out, name):
			out = append(out, name)
		}
	}
	return out, nil
}

// metadata takes a JSON object; null takes it away.
func metadata(raw json.RawMessage) (string, error) {
	if string(raw) == "null" {
		return "", nil
	}
	if len(raw) > maxMetadata || len(raw) == 0 || raw[0] != '{' {
		return "", problem.New(problem.BadRequest, "`metadata` must be a JSON object of at most "+strconv.Itoa(maxMetadata)+" bytes")
	}
	return string(raw), nil
}

// createWebhook is POST /v1/webhooks.
func (s *server) createWebhook(c *call) (reply, error) {
	var body webhookBody
	if err := c.json(&body); err != nil {
		return reply{}, err
	}
	if body.Instance == "" {
		body.Instance = c.tenant.instance.ID // of a key; the operator's is for all
	}
	if err := owns(c.tenant, c.admin, body.Instance); err != nil {
		return reply{}, err
	}
	c.line.InstanceID = body.Instance
	if body.URL == nil {
		body.URL = new(string)
	}
	columns, err := s.columns(c, body, body.Instance)
	if err != nil {
		return reply{}, err
	}
	w := models.Webhook{InstanceID: body.Instance, URL: columns["url"].(string), Events: models.AllEvents}
	if v, ok := columns["events"].(string); ok {
		w.Events = v
	}
	if v, ok := columns["metadata"].(string); ok {
		w.Metadata = v
	}
	if err := s.Webhooks.CreateWebhook(c.ctx(), &w); err != nil {
		return reply{}, err
	}
	c.line.Target = w.ID
	v := viewWebhook(w)
	v.Secret = w.Secret
	return reply{status: http.StatusCreated, code: codeSecret, id: w.ID, data: v}, nil
}

// listWebhooks is GET /v1/webhooks?instance=&after=&limit=. instance= without a value: those of all instances.
func (s *server) listWebhooks(c *call) (reply, error) {
	n, err := c.pageLimit(maxPage)
	if err != nil {
		return reply{}, err
	}
	var instance *string
	if v, ok := c.GetQuery("instance"); ok {
		if err := owns(c.tenant, c.admin, v); err != nil {
			return reply{}, err
		}
		instance = &v
	} else if !c.admin {
		instance = &c.tenant.instance.ID
	}
	list, err := s.Webhooks.Webhooks(c.ctx(), instance, c.Query("after"), n)
	if err != nil {
		return reply{}, err
	}
	views := make([]webhookView, len(list))
	for i, w := range list {
		views[i] = viewWebhook(w)
	}
	return reply{code: codeOK, data: views}, nil
}

// getWebhook is GET /v1/webhooks/{id}.
func (s *server) getWebhook(c *call) (reply, error) {
	w, err := s.webhook(c)
	if err != nil {
		return reply{}, err
	}
	return reply{code: codeOK, id: w.ID, data: viewWebhook(w)}, nil
}

// updateWebhook is PATCH /v1/webhooks/{id}. One that is switched on goes on with what waited when it was switched off;
// what came in between is brought by a replay.
func (s *server) updateWebhook(c *call) (reply, error) {
	var body webhookBody
	if err := c.json(&body); err != nil {
		return reply{}, err
	}
	w, err := s.webhook(c)
	if err != nil {
		return reply{}, err
	}
	c.line.InstanceID = w.InstanceID
	columns, err := s.columns(c, body, w.InstanceID)
	if err != nil {
		return reply{}, err
	}
	if body.Enabled != nil && !*body.Enabled && w.Enabled {
		columns["disabled_reason"], columns["disabled_at"] = models.DisabledByOperator, time.Now().UTC()
	}
	if w, err = s.Webhooks.UpdateWebhook(c.ctx(), w.ID, columns); err != nil {
		return reply{}, err
	}
	s.Deliverer.Wake(w.ID)
	return reply{code: codeOK, id: w.ID, data: viewWebhook(w)}, nil
}

// deleteWebhook is DELETE /v1/webhooks/{id}.
func (s *server) deleteWebhook(c *call) (reply, error) {
	w, err := s.webhook(c)
	if err != nil {
		return reply{}, err
	}
	if err := s.Webhooks.DeleteWebhook(c.ctx(), w.ID); err != nil {
		return reply{}, err
	}
	return reply{code: codeOK, id: w.ID}, nil
}

// rotateWebhook is POST /v1/webhooks/{id}/rotate {"overlap_hours"}: a new secret, and the old one beside it for a time.
func (s *server) rotateWebhook(c *call) (reply, error) {
	var body struct {
		Overlap *float64 `json:"overlap_hours"`
	}
	if c.Request.ContentLength != 0 {
		if err := c.json(&body); err != nil {
			return reply{}, err
		}
	}
	overlap := secretOverlap
	if body.Overlap != nil {
		if *body.Overlap < 0 || *body.Overlap > maxOverlap.Hours() {
			return reply{}, problem.New(problem.BadRequest, "`overlap_hours` must be from 0 to 720")
		}
		overlap = time.Duration(*body.Overlap * float64(time.Hour))
	}
	w, err := s.webhook(c)
	if err != nil {
		return reply{}, err
	}
	if w, err = s.Webhooks.RotateSecret(c.ctx(), w.ID, time.Now().Add(overlap)); err != nil {
		return reply{}, err
	}
	v := viewWebhook(w)
	v.Secret = w.Secret
	return reply{code: codeSecret, id: w.ID, data: v}, nil
}

// testWebhook is POST /v1/webhooks/{id}/test: one call now, and what came of it. That it failed is data, not a failure
// of this call.
func (s *server) testWebhook(c *call) (reply, error) {
	w, err := s.webhook(c)
	if err != nil {
		return reply{}, err
	}
	got, err := s.Deliverer.Test(c.ctx(), w.ID)
	if err != nil {
		return reply{}, err
	}
	return reply{code: codeOK, id: w.ID, data: got}, nil
}

// webhook returns the webhook in the path and notes it for the audit log. Of a key's caller it is his instance's; those
// of all instances are the operator's.
func (s *server) webhook(c *call) (models.Webhook, error) {
	id := c.Param("id")
	c.line.Target = id
	w, err := s.Webhooks.Webhook(c.ctx(), id)
	if err == nil && owns(c.tenant, c.admin, w.InstanceID) != nil {
		return models.Webhook{}, problem.New(problem.NotFound, "webhook "+id)
	}
	if err == nil && c.admin {
		c.line.InstanceID = w.InstanceID
	}
	return w, err
}

// pageLimit reads ?limit=.
func (c *call) pageLimit(most int) (int, error) {
	q := c.Query("limit")
	if q == "" {
		return defaultLimit, nil
	}
	n, err := parseLimit(q, most)
	if err != nil {
		return 0, problem.New(problem.LimitInvalid, "here at most "+strconv.Itoa(most))
	}
	return n, nil
}
