package app

import (
	"context"
	"net/url"

	"kurir/handlers"
	"kurir/models"
	"kurir/phone"
	"kurir/web"
)

// consoleInstances is Sessions as the console sees it: an instance and its state in one View.
type consoleInstances struct{ *Sessions }

func (c consoleInstances) view(in models.Instance) web.View {
	return web.View{ID: in.ID, Name: in.Name, Sandbox: in.Sandbox, Region: in.Region, Zone: in.TimeZone, Status: c.Status(in.ID)}
}

// List returns all instances.
func (c consoleInstances) List(ctx context.Context) ([]web.View, error) {
	all, err := c.Sessions.List(ctx)
	if err != nil {
		return nil, err
	}
	views := make([]web.View, len(all))
	for i, in := range all {
		views[i] = c.view(in)
	}
	return views, nil
}

// Get returns one instance.
func (c consoleInstances) Get(ctx context.Context, id string) (web.View, error) {
	in, err := c.Sessions.Get(ctx, id)
	v := c.view(in)
	if err == nil {
		v.DeadWebhooks, err = c.deadWebhooks(ctx, id)
	}
	return v, err
}

// deadWebhooks are those of an instance and of all instances that were switched off for want of an answer.
func (c consoleInstances) deadWebhooks(ctx context.Context, id string) ([]web.DeadWebhook, error) {
	hooks, err := c.db.DisabledWebhooks(ctx, id)
	dead := make([]web.DeadWebhook, 0, len(hooks))
	for _, w := range hooks {
		if u, err := url.Parse(w.URL); err == nil && w.DisabledAt != nil {
			dead = append(dead, web.DeadWebhook{Host: u.Host, Since: *w.DisabledAt})
		}
	}
	return dead, err
}

// PairingCode takes the number as the person typed it.
func (c consoleInstances) PairingCode(ctx context.Context, id, number string) (string, error) {
	in, err := c.Sessions.Get(ctx, id)
	if err != nil {
		return "", err
	}
	target, err := phone.Parse(number, in.Region)
	if err != nil {
		return "", err
	}
	return c.Sessions.PairingCode(ctx, id, target.Phone)
}

// Create makes an instance with the defaults of the settings.
func (c consoleInstances) Create(ctx context.Context, name string, sandbox bool) (web.View, string, error) {
	in, key, err := c.Sessions.Create(ctx, handlers.CreateInstance{Name: name, Sandbox: sandbox})
	return c.view(in), key, err
}
