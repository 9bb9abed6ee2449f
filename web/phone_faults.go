package web

// PhoneFault is something that goes wrong now.
type PhoneFault struct {
	ID      string
	Kind    FaultKind // "" for one that the console does not offer
	Name    string    // the simulator's name for it
	Account string    // only for the linked devices of this number
	Number  string    // only towards this number
	Count   int       // how often yet; 0: until it is ended
	Seconds int       // how long; 0: until it is ended
}

// FaultWish asks for a fault. Own: for what the phone's linked devices do; else for what is sent to the phone.
type FaultWish struct {
	Kind   FaultKind
	Number string
	Own    bool
	Once   bool
}

// MagicNumber is a number that always behaves in one way.
type MagicNumber struct {
	Number string
	Kind   FaultKind
}

// FaultKind names a fault that the console offers.
type FaultKind string

// The faults of the console.
const (
	FaultNotOnWhatsApp FaultKind = "not_on_whatsapp"
	FaultServerError   FaultKind = "server_error"
	FaultTooMany       FaultKind = "too_many"
	FaultRestricted    FaultKind = "restricted"
	FaultNoAck         FaultKind = "no_ack"
	FaultAckLate       FaultKind = "ack_late"
	FaultNotDelivered  FaultKind = "not_delivered"
	FaultNoAnswer      FaultKind = "no_answer"
	FaultUploadFails   FaultKind = "upload_fails"
	FaultUploadHangs   FaultKind = "upload_hangs"
	FaultDownloadGone  FaultKind = "download_gone"
	FaultPasskey       FaultKind = "passkey"
	FaultSocket        FaultKind = "socket"
	FaultReload        FaultKind = "reload"
	FaultFreeze        FaultKind = "freeze"
	FaultCrash         FaultKind = "crash"
)

// FaultGroup is faults that belong together.
type FaultGroup struct {
	Name  string
	Now   bool // they happen at once and end by themselves
	Kinds []FaultKind
}

// FaultGroups are all faults that the console offers. Those of the first group also work for a customer's phone.
func FaultGroups() []FaultGroup {
	return []FaultGroup{
		{Name: "messages", Kinds: []FaultKind{
			FaultNotOnWhatsApp, FaultServerError, FaultTooMany, FaultRestricted, FaultNoAck, FaultAckLate, FaultNotDelivered, FaultNoAnswer,
		}},
		{Name: "now", Now: true, Kinds: []FaultKind{FaultSocket, FaultReload, FaultFreeze, FaultCrash}},
		{Name: "files", Kinds: []FaultKind{FaultUploadFails, FaultUploadHangs, FaultDownloadGone}},
		{Name: "linking", Kinds: []FaultKind{FaultPasskey}},
	}
}

// MagicNumbers are those of the simulator.
func MagicNumbers() []MagicNumber {
	return []MagicNumber{
		{"6281100000001", FaultNotOnWhatsApp}, {"6281100000002", FaultNoAck}, {"6281100000003", FaultServerError},
		{"6281100000004", FaultAckLate}, {"6281100000005", FaultRestricted}, {"6281100000006", FaultNotDelivered},
		{"6281100000007", FaultNoAnswer}, {"6281100000008", FaultTooMany},
	}
}

// FaultGroups are those that make sense for this phone.
func (v *phoneView) FaultGroups() []faultGroupView {
	groups := FaultGroups()
	if v.Owner == nil {
		groups = groups[:1]
	}
	views := make([]faultGroupView, len(groups))
	for i, g := range groups {
		views[i] = faultGroupView{v.text, g}
	}
	return views
}

// Magic is the table of magic numbers.
func (v *phoneView) Magic() []faultView {
	var list []faultView
	for _, m := range MagicNumbers() {
		list = append(list, faultView{v.text, PhoneFault{Kind: m.Kind, Number: m.Number}})
	}
	return list
}

// faultView is a fault in words.
type faultView struct {
	text
	PhoneFault
}

// Words names the fault.
func (f faultView) Words() string {
	if f.Kind == "" {
		return f.Name
	}
	return f.T("fault." + string(f.Kind))
}

// Scope says for whom.
func (f faultView) Scope() string {
	switch {
	case f.Number != "":
		return f.T("faults.to", prettyNumber(f.Number))
	case f.Account != "":
		return f.T("faults.from", prettyNumber(f.Account))
	}
	return f.T("faults.everybody")
}

// Life says when it ends.
func (f faultView) Life() string {
	switch {
	case f.Count == 1:
		return f.T("faults.once_left")
	case f.Count > 1:
		return f.T("faults.count_left", f.Count)
	case f.Seconds > 0:
		return f.T("faults.seconds", f.Seconds)
	}
	return f.T("faults.until_ended")
}

type faultGroupView struct {
	text
	FaultGroup
}

// Title names the group.
func (g faultGroupView) Title() string { return g.T("faults." + g.Name) }

// Choices are the faults of the group.
func (g faultGroupView) Choices() []faultChoice {
	list := make([]faultChoice, len(g.Kinds))
	for i, kind := range g.Kinds {
		list[i] = faultChoice{string(kind), g.T("fault." + string(kind)), g.T("fault_text." + string(kind))}
	}
	return list
}

type faultChoice struct{ Kind, Words, Text string }
