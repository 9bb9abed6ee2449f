package app

import (
	"context"
	"slices"

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

// CleanNow lets the janitor make one pass.
func (a *App) CleanNow(ctx context.Context, keep Retention) {
	j := newJanitor(a.db, keep, a.log)
	withMedia(a.media.store)(j)
	j.clean(ctx)
}
