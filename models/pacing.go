package models

// Pacing keeps an instance from behaving like a machine, which gets numbers banned. Every figure can be changed while
// the instance runs. WhatsApp publishes no figures; these follow from nothing but caution.
type Pacing struct {
	// Set says that somebody chose these figures. Without it they are the defaults of DefaultPacing.
	Set bool `json:"set,omitempty"`

	GapMS    int64 `json:"gap_ms"`    // least time between two messages, milliseconds; 0: none
	JitterMS int64 `json:"jitter_ms"` // added to each gap at random, up to so many milliseconds
	// Typing shows the receiver that somebody types, for as long as a fast person would, before a text goes out.
	Typing bool `json:"typing"`
	// PerDay is how many messages leave on a day of the instance's time zone, and FirstPerDay how many of them to people
	// with whom there is no conversation yet; 0: no limit. What is over waits for the next day.
	PerDay      int `json:"per_day"`
	FirstPerDay int `json:"first_contacts_per_day"`
	// Between QuietFrom and QuietTo (15:04, the instance's time zone, over midnight too) nothing leaves but messages of
	// high priority; both empty: no quiet hours.
	QuietFrom string `json:"quiet_from"`
	QuietTo   string `json:"quiet_to"`
}

// DefaultPacing is gentle for a live number and off for the simulator.
func DefaultPacing(sandbox bool) Pacing {
	if sandbox {
		return Pacing{}
	}
	return Pacing{GapMS: 2000, JitterMS: 3000, Typing: true, PerDay: 1000, FirstPerDay: 50}
}

// Pace returns the figures that hold for an instance.
func (in Instance) Pace() Pacing {
	if in.Pacing.Set {
		return in.Pacing
	}
	return DefaultPacing(in.Sandbox)
}
