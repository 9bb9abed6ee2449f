package handlers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"kurir/handlers/intake"
	"kurir/models"
	"kurir/problem"
)

// Keys is what the handlers need of the keys to manage them. models.DB is one.
type Keys interface {
	Keys(ctx context.Context, instanceID string) ([]models.APIKey, error)
	Key(ctx context.Context, id string) (models.APIKey, error)
	CreateKey(ctx context.Context, n models.NewKey) (models.APIKey, string, error)
	ChangeKey(ctx context.Context, id string, change func(*models.APIKey) error) (models.APIKey, error)
	RotateKey(ctx context.Context, id string, overlap time.Duration, may func(models.APIKey) error) (models.APIKey, string, error)
	DeleteKey(ctx context.Context, id string) error
}

// keyView is a key as who manages it sees it.
type keyView struct {
	ID         string         `json:"id"`
	Instance   string         `json:"instance"`
	Name       string         `json:"name"`
	Hint       string         `json:"hint"` // its kind and its last four characters
	Scopes     []models.Scope `json:"scopes"`
	IPs        []string       `json:"ips"`             // from where it works; empty: from anywhere
	Recipients []string       `json:"recipients"`      // to whom it may send; empty: to anybody
	Rate       int            `json:"rate_per_minute"` // 0: the gateway's
	ExpiresAt  *time.Time     `json:"expires_at"`      // null: never
	OldUntil   *time.Time     `json:"old_until,omitempty"`
	CreatedAt  time.Time      `json:"created_at"`
	LastUsedAt *time.Time     `json:"last_used_at"`
	Key        string         `json:"key,omitempty"` // only in the answer that makes it
}

func viewKey(k models.APIKey) keyView {
	v := keyView{
		ID: k.ID, Instance: k.InstanceID, Name: k.Name, Hint: k.Hint, Scopes: k.Scopes, IPs: k.IPTexts(), Recipients: k.RecipientTexts(),
		Rate: k.RatePerMinute, ExpiresAt: k.ExpiresAt, CreatedAt: k.CreatedAt, LastUsedAt: k.LastUsedAt,
	}
	if k.OldUntil != nil && k.OldUntil.After(time.Now()) {
		v.OldUntil = k.OldUntil
	}
	return v
}

// keyBody is what POST and PATCH take. What is absent stays as it is; an empty list allows all.
type keyBody struct {
	Name       *string         `json:"name"`
	Scopes     *[]models.Scope `json:"scopes"`
	IPs        *[]string       `json:"ips"`
	Recipients *[]any          `json:"recipients"`
	Rate       *int            `json:"rate_per_minute"`
	ExpiresAt  json.RawMessage `json:"expires_at"` // null: never
}

// keySettings reads a body. A word that it does not know is refused: a list of addresses under a misspelt name would be a
// key that works from everywhere.
func (c *call) keySettings() (b keyBody, err error) {
	var raw json.RawMessage
	if err := c.json(&raw); err != nil {
		return b, err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	d.UseNumber()
	if err := d.Decode(&b); err != nil {
		var wrong *json.UnmarshalTypeError
		detail := "the settings are name, scopes, ips, recipients, rate_per_minute and expires_at"
		if errors.As(err, &wrong) && wrong.Field != "" {
			detail = fmt.Sprintf("`%s` has the wrong type", wrong.Field)
		}
		return b, problem.Wrap(problem.KeyInvalid, detail, err)
	}
	return b, nil
}

// apply changes a key of that instance.
func (b keyBody) apply(k *models.APIKey, region string, zone *time.Location) error {
	change := models.KeyChange{Name: b.Name, Scopes: b.Scopes, IPs: b.IPs, Rate: b.Rate}
	if b.Recipients != nil {
		texts := recipientTexts(*b.Recipients)
		change.Recipients = &texts
	}
	switch {
	case b.ExpiresAt == nil:
	case string(b.ExpiresAt) == "null":
		change.Endless = true
	default:
		end, err := keyEnd(b.ExpiresAt, zone)
		if err != nil {
			return problem.New(problem.KeyInvalid, fmt.Sprintf("`expires_at`: %v", err))
		}
		change.ExpiresAt = &end
	}
	if wrong := change.Apply(k, region, time.Now()); len(wrong) > 0 {
		return problem.New(problem.KeyInvalid, wrong[0].Error())
	}
	return nil
}

// recipientTexts takes numbers that were sent as numbers, too.
func recipientTexts(list []any) []string {
	texts := make([]string, len(list))
	for i, v := range list {
		switch v := v.(type) {
		case string:
			texts[i] = v
		case json.Number:
			texts[i] = wholeNumber(v.String())
		}
	}
	return texts
}

// keyEnd reads a time as `send_at` is written.
func keyEnd(raw json.RawMessage, zone *time.Location) (time.Time, error) {
	v := intake.Value{Kind: intake.Number, Text: string(raw)}
	if json.Unmarshal(raw, &v.Text) == nil {
		v.Kind = intake.String
	}
	return parseTime(v, zone)
}

// mayGive says whether the caller may let a key be what it is: a key gives nothing that it has not, and no longer than it
// has itself.
func (s *server) mayGive(c *call, k models.APIKey) error {
	if c.admin {
		return nil
	}
	if field := k.Beyond(c.tenant.key.Rights, s.RatePerMinute); field != "" {
		return problem.New(problem.ScopeMissing, fmt.Sprintf("a key gives no more than it has itself: `%s`", field))
	}
	return nil
}

// createKey is POST /v1/instances/{id}/keys.
func (s *server) createKey(c *call) (reply, error) {
	in, err := s.Instances.Get(c.ctx(), c.instanceID())
	if err != nil {
		return reply{}, err
	}
	body, err := c.keySettings()
	if err != nil {
		return reply{}, err
	}
	if body.Name == nil {
		return reply{}, problem.New(problem.KeyInvalid, "`name` is missing: what the key is for")
	}
	k := models.APIKey{Rights: models.Rights{Scopes: models.DefaultScopes()}}
	t := tenant{instance: in}
	if err := body.apply(&k, t.region(s.Region), s.zone(t)); err != nil {
		return reply{}, err
	}
	if err := s.mayGive(c, k); err != nil {
		return reply{}, err
	}
	k, plain, err := s.Keys.CreateKey(c.ctx(), models.NewKey{InstanceID: in.ID, Name: k.Name, Sandbox: in.Sandbox, Rights: k.Rights})
	if err != nil {
		return reply{}, err
	}
	c.line.Target = k.ID
	return showKey(http.StatusCreated, k, plain), nil
}

func showKey(status int, k models.APIKey, plain string) reply {
	v := viewKey(k)
	v.Key = plain
	return reply{status: status, code: codeSecret, id: k.ID, data: v}
}

// listKeys is GET /v1/instances/{id}/keys: all of them, the oldest first.
func (s *server) listKeys(c *call) (reply, error) {
	id := c.instanceID()
	if _, err := s.Instances.Get(c.ctx(), id); err != nil {
		return reply{}, err
	}
	list, err := s.Keys.Keys(c.ctx(), id)
	if err != nil {
		return reply{}, err
	}
	views := make([]keyView, len(list))
	for i, k := range list {
		views[i] = viewKey(k)
	}
	return reply{code: codeOK, id: id, data: views}, nil
}

// keyInPath returns the key that a call is about, which for a key's caller is one of his instance.
func (s *server) keyInPath(c *call) (models.APIKey, error) {
	id := c.Param("id")
	c.line.Target = clip(id)
	k, err := s.Keys.Key(c.ctx(), id)
	if err == nil && owns(c.tenant, c.admin, k.InstanceID) != nil {
		return models.APIKey{}, problem.New(problem.NotFound, "key "+id)
	}
	if err == nil {
		c.line.InstanceID = k.InstanceID
		c.Set(instanceKey, k.InstanceID)
	}
	return k, err
}

// updateKey is PATCH /v1/keys/{id}. It holds from the next call on.
func (s *server) updateKey(c *call) (reply, error) {
	k, err := s.keyInPath(c)
	if err != nil {
		return reply{}, err
	}
	body, err := c.keySettings()
	if err != nil {
		return reply{}, err
	}
	in, err := s.Instances.Get(c.ctx(), k.InstanceID)
	if err != nil {
		return reply{}, err
	}
	t := tenant{instance: in}
	k, err = s.Keys.ChangeKey(c.ctx(), k.ID, func(k *models.APIKey) error {
		if err := body.apply(k, t.region(s.Region), s.zone(t)); err != nil {
			return err
		}
		return s.mayGive(c, *k)
	})
	if err != nil {
		return reply{}, err
	}
	return reply{code: codeOK, id: k.ID, data: viewKey(k)}, nil
}

// deleteKey is DELETE /v1/keys/{id}: it opens nothing any more.
func (s *server) deleteKey(c *call) (reply, error) {
	k, err := s.keyInPath(c)
	if err != nil {
		return reply{}, err
	}
	if err := s.Keys.DeleteKey(c.ctx(), k.ID); err != nil {
		return reply{}, err
	}
	return reply{code: codeOK, id: k.ID}, nil
}

// rotateKey is POST /v1/keys/{id}/rotate {"overlap"}: a new secret, and the old one beside it for a time. Who gets the
// secret gets the key's rights, so that a key rotates none that may more than itself.
func (s *server) rotateKey(c *call) (reply, error) {
	k, err := s.keyInPath(c)
	if err != nil {
		return reply{}, err
	}
	overlap, err := c.overlap()
	if err != nil {
		return reply{}, err
	}
	k, plain, err := s.Keys.RotateKey(c.ctx(), k.ID, overlap, func(k models.APIKey) error { return s.mayGive(c, k) })
	if err != nil {
		return reply{}, err
	}
	return showKey(http.StatusOK, k, plain), nil
}

// overlap reads how long the old secret works on: 0 to 30 days, a day when nothing is said.
func (c *call) overlap() (time.Duration, error) {
	var body struct {
		Overlap json.RawMessage `json:"overlap"`
	}
	if c.Request.ContentLength != 0 {
		if err := c.json(&body); err != nil {
			return 0, err
		}
	}
	v := intake.Value{Kind: intake.Number, Text: string(body.Overlap)}
	if json.Unmarshal(body.Overlap, &v.Text) == nil {
		v.Kind = intake.String
	}
	switch strings.TrimSpace(v.Text) {
	case "", "null":
		return secretOverlap, nil
	case "0", "0s", "0h":
		return 0, nil
	}
	d, err := parseDuration(v)
	if err != nil || d > maxOverlap {
		return 0, problem.New(problem.KeyInvalid, "`overlap` must be from 0 to 30d, for example 24h")
	}
	return d, nil
}
