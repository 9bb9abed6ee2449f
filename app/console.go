package app

import (
	"context"

	"kurir/handlers"
	"kurir/models"
	"kurir/phone"
	"kurir/web"
)

// consoleInstances is Sessions as the console sees it: an instance and its state in one View.
type consoleInstances struct{ *Sessions }

func (c consoleInstances) view(in models.Instance) web.View {
	return web.View{ID: in.ID, Name: in.Name, Sandbox: in.Sandbox, Status: c.Status(in.ID)}
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
	return c.view(in), err
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
