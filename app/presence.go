package app

import (
	"context"

	"kurir/events"
	"kurir/models"
)

// askPresence tells the page whether anybody wants to hear who is there and who types.
func (f *inflow) askPresence(ctx context.Context) {
	on, err := f.s.db.Subscribed(ctx, f.id, events.TypePresence)
	if err == nil {
		err = f.page.AskPresence(ctx, on)
	}
	if err != nil && ctx.Err() == nil {
		f.log.Warn("the page is not told whether presence is wanted", "err", err) // the next document is asked again
	}
}

// presenceMayChange has every page told again what is wanted.
func (s *Sessions) presenceMayChange() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.inflows {
		f.mu.Lock()
		f.ask = true
		f.mu.Unlock()
		f.tell()
	}
}

// hooks are the webhooks of the database, of which each change may change what pages are to tell.
type hooks struct {
	*models.DB
	changed func()
}

func (h hooks) CreateWebhook(ctx context.Context, w *models.Webhook) error {
	defer h.changed()
	return h.DB.CreateWebhook(ctx, w)
}

func (h hooks) UpdateWebhook(ctx context.Context, id string, columns map[string]any) (models.Webhook, error) {
	defer h.changed()
	return h.DB.UpdateWebhook(ctx, id, columns)
}

func (h hooks) DeleteWebhook(ctx context.Context, id string) error {
	defer h.changed()
	return h.DB.DeleteWebhook(ctx, id)
}
