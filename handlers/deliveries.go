package handlers

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"kurir/models"
	"kurir/problem"
)

// deliveryView is a delivery as the operator sees it.
type deliveryView struct {
	ID         string               `json:"id"` // dlv_…
	Event      string               `json:"event"`
	Seq        int64                `json:"seq"`
	Type       string               `json:"type"`
	Instance   string               `json:"instance"`
	State      models.DeliveryState `json:"state"`
	Attempts   int                  `json:"attempts"`
	NextAt     *time.Time           `json:"next_at,omitempty"` // when it is pending: not before
	Status     int                  `json:"http_status,omitempty"`
	Error      string               `json:"error,omitempty"`
	Response   string               `json:"response,omitempty"` // its start
	LatencyMS  float64              `json:"latency_ms,omitempty"`
	CreatedAt  time.Time            `json:"created_at"`
	FinishedAt *time.Time           `json:"finished_at,omitempty"`
}

const deliveryPrefix = "dlv_"

func viewDelivery(d models.Delivery) deliveryView {
	v := deliveryView{
		ID: deliveryPrefix + strconv.FormatInt(d.ID, 10), Event: d.EventID, Seq: d.EventSeq, Type: d.EventType, Instance: d.InstanceID,
		State: d.State, Attempts: d.Attempts, Status: d.Status, Error: d.Error, Response: d.Response,
		LatencyMS: float64(d.LatencyUS) / 1000, CreatedAt: d.CreatedAt, FinishedAt: d.FinishedAt,
	}
	if d.State == models.DeliveryPending {
		v.NextAt = &d.NextAt
	}
	return v
}

func deliveryID(text string) (int64, error) {
	id, err := strconv.ParseInt(strings.TrimPrefix(text, deliveryPrefix), 10, 64)
	if err != nil || id < 1 || !strings.HasPrefix(text, deliveryPrefix) {
		return 0, errors.New("not the id of a delivery")
	}
	return id, nil
}

// listDeliveries is GET /v1/webhooks/{id}/deliveries?state=&after=&limit=: the newest first. The next page is after the
// id of the last.
func (s *server) listDeliveries(c *call) (reply, error) {
	n, err := c.pageLimit(maxPage)
	if err != nil {
		return reply{}, err
	}
	var before int64
	if text := c.Query("after"); text != "" {
		if before, err = deliveryID(text); err != nil {
			return reply{}, problem.New(problem.BadRequest, "`after` must be the id of a delivery")
		}
	}
	state := models.DeliveryState(c.Query("state"))
	if !slices.Contains([]models.DeliveryState{"", models.DeliveryPending, models.DeliveryDelivered, models.DeliveryFailed}, state) {
		return reply{}, problem.New(problem.BadRequest, "`state` must be pending, delivered or failed")
	}
	w, err := s.webhook(c)
	if err != nil {
		return reply{}, err
	}
	list, err := s.Webhooks.Deliveries(c.ctx(), w.ID, state, before, n)
	if err != nil {
		return reply{}, err
	}
	views := make([]deliveryView, len(list))
	for i, d := range list {
		views[i] = viewDelivery(d)
	}
	return reply{code: codeOK, id: w.ID, data: views}, nil
}

// retryDelivery is POST /v1/webhooks/{id}/deliveries/{delivery}/retry.
func (s *server) retryDelivery(c *call) (reply, error) {
	text := c.Param("delivery")
	id, err := deliveryID(text)
	if err != nil {
		return reply{}, problem.New(problem.NotFound, "delivery "+text)
	}
	w, err := s.webhook(c)
	if err != nil {
		return reply{}, err
	}
	if err := s.Webhooks.RetryDelivery(c.ctx(), w.ID, id); err != nil {
		return reply{}, err
	}
	return reply{code: codeOK, id: text}, nil
}

// replayEvents is POST /v1/webhooks/{id}/replay?from_seq=&instance=: what happened from that number on is delivered
// again. instance is needed by webhooks of all instances only.
func (s *server) replayEvents(c *call) (reply, error) {
	from, err := strconv.ParseInt(c.Query("from_seq"), 10, 64)
	if err != nil || from < 1 {
		return reply{}, problem.New(problem.BadRequest, "`from_seq` must be the number of an event, 1 or more")
	}
	w, err := s.webhook(c)
	if err != nil {
		return reply{}, err
	}
	instance := w.InstanceID
	if asked := c.Query("instance"); instance == "" {
		instance = asked
	} else if asked != "" && asked != instance {
		return reply{}, problem.New(problem.BadRequest, "`instance` is not the webhook's")
	}
	if instance == "" {
		return reply{}, problem.New(problem.BadRequest, "`instance` is missing: this webhook gets the events of all")
	}
	c.line.InstanceID = instance
	ctx, cancel := c.unhurried()
	defer cancel()
	n, err := s.Webhooks.Replay(ctx, w.ID, instance, from)
	if err != nil {
		return reply{}, err
	}
	return reply{code: codeOK, id: w.ID, data: struct {
		Deliveries int `json:"deliveries"`
	}{n}}, nil
}
