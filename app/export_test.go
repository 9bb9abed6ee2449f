package app

import (
	"context"
	"slices"

	"kurir/browser"
	"kurir/janitor"
	"kurir/sandbox"
	"kurir/web"
)

// PhonesOf is what the console gets with these settings.
func PhonesOf(cfg Config) web.Phones { return (&Sessions{cfg: cfg}).phones() }

// HasFault says whether the simulator knows a fault of the console, and knows it again.
func HasFault(kind web.FaultKind) bool {
	return slices.ContainsFunc(consoleFaults(), func(f consoleFault) bool { return f.kind == kind && kindOf(f.fault) == kind })
}

// Magic is the simulator's magic numbers in the console's words.
func Magic() []web.MagicNumber {
	var list []web.MagicNumber
	for _, m := range sandbox.MagicNumbers() {
		list = append(list, web.MagicNumber{Number: m.Number, Kind: kindOf(m.Fault)})
	}
	return list
}

// Deafen has what an instance's page says lost, until hear is called: then kurir notices that something is missing, as it
// does by the page's numbers.
func (a *App) Deafen(instance string) (hear func()) {
	s := a.sessions
	s.mu.Lock()
	flow := s.inflows[instance]
	delete(s.inflows, instance)
	s.mu.Unlock()
	return func() {
		s.mu.Lock()
		s.inflows[instance] = flow
		s.mu.Unlock()
		flow.put(browser.Event{Type: browser.EventMissed})
	}
}

// MediaAttempts is how often a file was tried in vain.
func (a *App) MediaAttempts(ctx context.Context, id string) (int, error) {
	m, err := a.db.Media(ctx, id)
	return m.Attempts, err
}

// CleanNow lets the janitor make one pass.
func (a *App) CleanNow(ctx context.Context, keep janitor.Retention) {
	janitor.New(a.db, a.media.store, keep, a.log).Clean(ctx)
}
