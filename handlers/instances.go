package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"kurir/browser"
	"kurir/handlers/intake"
	"kurir/models"
	"kurir/phone"
	"kurir/problem"
)

// controlTimeout bounds what starts and ends a Chromium.
const controlTimeout = 60 * time.Second

// instanceView is an instance as the operator sees it: what was set, and how it is now.
type instanceView struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Sandbox   bool      `json:"sandbox"`
	Region    string    `json:"region"`
	Language  string    `json:"language"`
	TimeZone  string    `json:"time_zone"`
	CreatedAt time.Time `json:"created_at"`
	browser.Status
	Pacing pacingView `json:"pacing"`
	Key    string     `json:"key,omitempty"` // only in the answer that makes it
}

func (s *server) view(in models.Instance) instanceView {
	v := instanceView{
		ID: in.ID, Name: in.Name, Sandbox: in.Sandbox, Region: in.Region, Language: in.Language, TimeZone: in.TimeZone,
		CreatedAt: in.CreatedAt, Status: s.Instances.Status(in.ID), Pacing: s.viewPacing(in),
	}
	if v.Phone == "" { // not running: the number it was last linked with
		v.Phone, v.LID, v.Pushname = in.Phone, in.LID, in.Pushname
	}
	return v
}

// language accepts BCP 47 as browsers are given it: id, id-ID, zh-Hant-TW.
var language = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$`)

// createBody is what POST /v1/instances takes.
type createBody struct {
	Name     string `json:"name"`
	Sandbox  bool   `json:"sandbox"`
	Key      string `json:"key"`
	Region   string `json:"region"`
	Language string `json:"language"`
	TimeZone string `json:"time_zone"`
}

func (b *createBody) validate() error {
	b.Name, b.Region = strings.TrimSpace(b.Name), strings.ToUpper(strings.TrimSpace(b.Region))
	switch {
	case b.Name == "" || utf8.RuneCountInString(b.Name) > 100 || strings.ContainsFunc(b.Name, unicode.IsControl):
		return problem.New(problem.BadRequest, "`name` must have 1 to 100 characters")
	case b.Region != "" && !phone.ValidRegion(b.Region):
		return problem.New(problem.BadRequest, "`region` must be a country code such as ID")
	case b.Language != "" && !language.MatchString(b.Language):
		return problem.New(problem.BadRequest, "`language` must be a tag such as id-ID")
	}
	return nil
}

// createInstance is POST /v1/instances.
func (s *server) createInstance(c *call) (reply, error) {
	var body createBody
	if err := c.json(&body); err != nil {
		return reply{}, err
	}
	if err := body.validate(); err != nil {
		return reply{}, err
	}
	ctx, cancel := c.unhurried()
	defer cancel()
	in, key, err := s.Instances.Create(ctx, CreateInstance(body))
	if err != nil && key == "" {
		return reply{}, err
	}
	if err != nil { // made, but not started: its key must not be lost, and its state says the rest
		s.Log.Error("new instance does not start", "request", c.request, "instance", in.ID, "err", err)
	}
	c.line.InstanceID, c.line.Target = in.ID, in.Name
	v := s.view(in)
	v.Key = key
	return reply{status: http.StatusCreated, code: codeCreated, id: in.ID, data: v}, nil
}

// listInstances is GET /v1/instances.
func (s *server) listInstances(c *call) (reply, error) {
	all, err := s.Instances.List(c.ctx())
	if err != nil {
		return reply{}, err
	}
	views := make([]instanceView, len(all))
	for i, in := range all {
		views[i] = s.view(in)
	}
	return reply{code: codeOK, data: views}, nil
}

// getInstance is GET /v1/instances/{id}.
func (s *server) getInstance(c *call) (reply, error) {
	in, err := s.Instances.Get(c.ctx(), c.Param("id"))
	if err != nil {
		return reply{}, err
	}
	return reply{code: codeOK, id: in.ID, data: s.view(in)}, nil
}

// control is POST /v1/instances/{id}/start and its like. It answers with the instance as it is then.
func (s *server) control(do func(context.Context, string) error) func(*call) (reply, error) {
	return func(c *call) (reply, error) {
		id := c.instanceID()
		ctx, cancel := c.unhurried()
		defer cancel()
		if err := do(ctx, id); err != nil {
			return reply{}, err
		}
		in, err := s.Instances.Get(ctx, id)
		if err != nil {
			return reply{}, err
		}
		return reply{code: codeOK, id: id, data: s.view(in)}, nil
	}
}

// deleteInstance is DELETE /v1/instances/{id}: its link, keys and queue are gone with it.
func (s *server) deleteInstance(c *call) (reply, error) {
	id := c.instanceID()
	ctx, cancel := c.unhurried()
	defer cancel()
	err := s.Instances.Delete(ctx, id)
	s.keys.forget(id)
	if err != nil {
		return reply{}, err
	}
	return reply{code: codeOK, id: id}, nil
}

// pairingCode is POST /v1/instances/{id}/pairing-code: the other way to link.
func (s *server) pairingCode(c *call) (reply, error) {
	id := c.instanceID()
	form, err := c.fields()
	if err != nil {
		return reply{}, err
	}
	in, err := s.Instances.Get(c.ctx(), id)
	if err != nil {
		return reply{}, err
	}
	target, err := s.target(&form, tenant{instance: in})
	if err != nil {
		return reply{}, err
	}
	if target.Kind != phone.User {
		return reply{}, problem.New(problem.InvalidPhone, "the number of the phone that is to be linked")
	}
	ctx, cancel := c.unhurried()
	defer cancel()
	code, err := s.Instances.PairingCode(ctx, id, target.Phone)
	if err != nil {
		if problem.CodeOf(err) == problem.InstanceNotReady {
			err = withData(err, s.state(id))
		}
		return reply{}, err
	}
	return reply{code: codeOK, id: id, data: struct {
		Code  string `json:"code"`
		Phone string `json:"phone"`
	}{code, target.Phone}}, nil
}

func (s *server) state(id string) stateView {
	st := s.Instances.Status(id)
	return stateView{st.State, st.Reason}
}

// instanceID returns the id in the path and notes it for the log.
func (c *call) instanceID() string {
	id := c.Param("id")
	c.line.InstanceID = id
	c.Set(instanceKey, id)
	return id
}

// unhurried returns a context for work that must not stop halfway because the caller has gone away.
func (c *call) unhurried() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(c.ctx()), controlTimeout)
}

// json reads a small JSON body; fields that it does not know are ignored.
func (c *call) json(into any) error {
	defer c.readWithin(readTimeout)()
	b, err := io.ReadAll(io.LimitReader(c.Request.Body, maxText+1))
	if err != nil {
		return problem.Wrap(problem.BadRequest, "it could not be read", err)
	}
	if len(b) > maxText {
		return problem.New(problem.BodyTooLarge, "")
	}
	if intake.TooDeep(b) {
		return problem.New(problem.BadRequest, "the JSON is nested too deeply")
	}
	if err := json.Unmarshal(b, into); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return problem.Wrap(problem.BadRequest, fmt.Sprintf("`%s` has the wrong type", wrong.Field), err)
		}
		return problem.Wrap(problem.BadRequest, "it is not JSON", err)
	}
	return nil
}
