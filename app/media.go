package app

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"slices"
	"strings"

	"kurir/browser"
	"kurir/events"
	"kurir/media"
	"kurir/models"
	"kurir/problem"
)

// mediaKey is the setting with the key of signed links, hex. Who has it can make links to files whose ids they know.
const mediaKey = "media_link_key"

// mediaRoom puts the files of messages together: the folder, the links, the fetcher.
type mediaRoom struct {
	*models.DB
	store *media.Store
	links *media.Links
	fetch *media.Fetcher
	max   int64
}

// openMedia opens the folder of files. address is kurir's own, for links when the settings name none.
func openMedia(ctx context.Context, cfg Config, db *models.DB, address string) (*mediaRoom, error) {
	var fresh [32]byte
	_, _ = rand.Read(fresh[:]) // never fails
	text, _, err := db.SettingOnce(ctx, mediaKey, hex.EncodeToString(fresh[:]))
	if err != nil {
		return nil, err
	}
	key, err := hex.DecodeString(text)
	if err != nil || len(key) < 16 {
		return nil, fmt.Errorf("the setting %s is broken; without it a new one is made", mediaKey)
	}
	needed, err := db.MediaHashes(ctx)
	if err != nil {
		return nil, err
	}
	store, err := media.OpenStore(cfg.mediaDir(), cfg.MediaTotalMB*1_000_000, needed)
	if err != nil {
		return nil, err
	}
	base := strings.TrimRight(orElse(cfg.PublicURL, address), "/")
	return &mediaRoom{DB: db, store: store, links: media.NewLinks(key, base, cfg.MediaLink), max: cfg.MediaMaxMB * 1_000_000}, nil
}

// start starts the fetcher over the sessions.
func (m *mediaRoom) start(s *Sessions, waits media.Config, log *slog.Logger) {
	m.fetch = media.Start(media.Config{
		DB: m.DB, Store: m.store, MaxBytes: m.max, Source: s.source, Log: log, Schedule: waits.Schedule, Rest: waits.Rest,
	})
	s.files = m.fetch
}

func (m *mediaRoom) close() {
	if m.fetch != nil {
		m.fetch.Close()
	}
}

// Open is part of handlers.Media.
func (m *mediaRoom) Open(file models.Media) (io.ReadSeekCloser, error) {
	return m.store.Open(file.SHA256)
}

// Check is part of handlers.Media.
func (m *mediaRoom) Check(id string, query url.Values) error { return m.links.Check(id, query) }

// Ask is part of handlers.Media. Of a message that was sent through kurir the chat need not be given.
func (m *mediaRoom) Ask(ctx context.Context, want models.Media) (models.Media, error) {
	sent, err := m.MessageByWAID(ctx, want.InstanceID, want.MessageID)
	switch {
	case err == nil:
		want.FromMe = true
		if want.Chat == "" {
			want.Chat, want.Phone = sent.Chat, sent.Phone
		}
	case problem.CodeOf(err) != problem.NotFound:
		return models.Media{}, err
	}
	return m.AskMedia(ctx, want)
}

// url is a signed link.
func (m *mediaRoom) url(id string) string { return m.links.URL(id, events.MediaPath(id)) }

// source is where the files of an instance come from, while it has a page that can tell.
func (s *Sessions) source(id string) (media.Source, bool) {
	session := s.get(id)
	if session == nil {
		return nil, false
	}
	ready := []browser.State{browser.StateWorking, browser.StateDegraded, browser.StateRestricted}
	return session, slices.Contains(ready, session.Status().State)
}

// describe decides what becomes of the file of a message that came. When that cannot be told, the event tells of the file
// without an id: it can still be asked for.
func (s *Sessions) describe(ctx context.Context, id string, c *events.Content) {
	if c.Media == nil {
		return
	}
	in, err := s.db.Instance(ctx, id)
	if err != nil {
		s.log.Error("media settings are not read", "instance", id, "message", c.ID, "err", err)
		return
	}
	c.Describe(in.MediaWanted().Decide(c.Kind, c.Media.Size, c.FromMe, s.cfg.MediaMaxMB*1_000_000))
}
