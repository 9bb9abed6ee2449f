package app

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"kurir/handlers"
	"kurir/models"
	"kurir/outbox"
	"kurir/problem"
)

// A pace that is changed is stored, and holds for an instance that runs.
func TestUpdateInstance(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	log := slog.New(slog.DiscardHandler)
	db, err := models.Open(ctx, models.Config{URL: filepath.Join(t.TempDir(), "kurir.db"), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := db.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	in := models.Instance{Name: "toko", TimeZone: "Asia/Jakarta"}
	if err := db.CreateInstance(ctx, &in); err != nil {
		t.Fatal(err)
	}
	out := outbox.New(db, outbox.Config{Log: log})
	t.Cleanup(func() { _ = out.Drain(ctx) })
	s := newSessions(Config{}, db, nil, out, nil, "", nil, log)
	out.Attach(in.ID, nil, paceOf(in)) // never ready: nothing is sent

	local := time.Now().In(paceOf(in).Zone)
	quiet := models.Pacing{Set: true, QuietFrom: local.Add(-time.Hour).Format("15:04"), QuietTo: local.Add(time.Hour).Format("15:04")}
	name := "toko baru"
	got, err := s.Update(ctx, in.ID, handlers.UpdateInstance{Name: &name, Pacing: &quiet})
	if err != nil || got.Name != name || got.Pace() != quiet {
		t.Errorf("%+v, %v", got, err)
	}
	if st, ok := out.PaceState(in.ID); !ok || st.Reason != "quiet_hours" {
		t.Errorf("%+v, %v", st, ok)
	}
	if got, err = s.Update(ctx, in.ID, handlers.UpdateInstance{Pacing: &models.Pacing{}}); err != nil || got.Name != name || got.Pace() != models.DefaultPacing(false) {
		t.Errorf("%+v, %v", got, err)
	}
	if st, ok := out.PaceState(in.ID); !ok || st.Reason != "" {
		t.Errorf("%+v, %v", st, ok)
	}
	if _, err := s.Update(ctx, "none", handlers.UpdateInstance{Pacing: &quiet}); problem.CodeOf(err) != problem.NotFound {
		t.Error(err)
	}
}
