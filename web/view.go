package web

import (
	"fmt"
	"html/template"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/nyaruka/phonenumbers"
	"github.com/skip2/go-qrcode"

	"kurir/browser"
	"kurir/gate"
)

// page is what every page has.
type page struct {
	text
	Title  string
	Path   string // where the language switch comes back to
	Inside bool   // signed in
	Assets assets
}

func (c *Console) page(r *http.Request, titleKey string) page {
	t := c.text(r)
	_, inside := r.Context().Value(sessionKey{}).(string)
	back := r.URL.Path
	if r.Method != http.MethodGet {
		back = "/"
	}
	return page{text: t, Title: t.T(titleKey), Path: back, Inside: inside, Assets: c.assets}
}

// Languages is the language switch.
func (p page) Languages() []string { return languages() }

// LanguageName is a language's name in that language.
func (p page) LanguageName(language string) string {
	return map[string]string{"en": "English", "id": "Indonesia"}[language]
}

// Asset is the address of an asset.
func (p page) Asset(name string) string { return p.Assets.url(name) }

// tone is the colour of a state: ok, wait, act (a person has to do something), warn, bad, off.
func tone(s browser.State) string {
	switch s {
	case browser.StateWorking:
		return "ok"
	case browser.StateStarting, browser.StateSyncing:
		return "wait"
	case browser.StateScanQR, browser.StatePasskeyRequired:
		return "act"
	case browser.StateDegraded, browser.StateRestricted:
		return "warn"
	case browser.StateFailed, browser.StateLoggedOut:
		return "bad"
	default:
		return "off"
	}
}

// instanceView is an instance as cards and panels show it.
type instanceView struct {
	text
	View
	CanScan  bool // a simulated phone can link it
	HasPhone bool // its simulated phone can be opened here
	Pairing  pairing
	Curl     string // sends a first message
	qr       browser.QR
	hasQR    bool
	now      time.Time
}

// pairing is the form for linking by a code, and its answer.
type pairing struct {
	Phone   string // as it was typed
	Code    string
	Problem string
}

func (c *Console) instanceView(t text, v View) instanceView {
	iv := instanceView{text: t, View: v, CanScan: v.Sandbox && c.deps.Simulator != nil, HasPhone: c.hasPhone(v), now: time.Now()}
	if v.Status.State == browser.StateScanQR {
		iv.qr, iv.hasQR = c.deps.Instances.QR(v.ID)
	}
	return iv
}

// Day is a day as people here write it.
func (v instanceView) Day(t time.Time) string { return t.Local().Format("02-01-2006") }

// Word is the state in plain words.
func (v instanceView) Word() string { return v.T("state." + string(v.State())) }

// Todo is what the person can do about the state.
func (v instanceView) Todo() string { return v.T("todo." + string(v.State())) }

// Tone is the colour of the state.
func (v instanceView) Tone() string { return tone(v.State()) }

// State is the state; one that this console does not know shows as stopped.
func (v instanceView) State() browser.State {
	if _, known := v.texts["state."+string(v.Status.State)]; !known {
		return browser.StateStopped
	}
	return v.Status.State
}

// Is says whether the state is one of those named.
func (v instanceView) Is(states ...string) bool { return slices.Contains(states, string(v.State())) }

// Number is the own number for reading, or "" while it is not known.
func (v instanceView) Number() string {
	if v.Status.Phone == "" {
		return ""
	}
	number := "+" + strings.TrimPrefix(v.Status.Phone, "+")
	parsed, err := phonenumbers.Parse(number, "")
	if err != nil {
		return number // one that the library does not know is shown as it is
	}
	return phonenumbers.Format(parsed, phonenumbers.INTERNATIONAL)
}

// Since is when the state began, RFC 3339; "" when unknown.
func (v instanceView) Since() string {
	if v.Status.Since.IsZero() {
		return ""
	}
	return v.Status.Since.UTC().Format(time.RFC3339)
}

// SinceText is for browsers without script.
func (v instanceView) SinceText() string { return v.Status.Since.UTC().Format("2006-01-02 15:04 UTC") }

// Announcement is what a screen reader says when the state changes.
func (v instanceView) Announcement() string {
	parts := []string{v.Name, v.Word()}
	if v.Is("WORKING") {
		parts = append(parts, v.Status.Pushname, v.Number())
	}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ": ")
}

// Linked says whether a phone is linked as far as kurir knows.
func (v instanceView) Linked() bool { return v.Is("SYNCING", "WORKING", "DEGRADED", "RESTRICTED") }

// Running says whether a browser runs for it.
func (v instanceView) Running() bool { return !v.Is("STOPPED") }

// HasQR says whether a code waits to be scanned.
func (v instanceView) HasQR() bool { return v.hasQR && v.qr.Text != "" }

// Left is how many seconds the code lives yet, and QRLife the most that WhatsApp gives one.
func (v instanceView) Left() string {
	return fmt.Sprintf("%.1f", math.Max(0, v.qr.Expires.Sub(v.now).Seconds()))
}

// QR is the code as an SVG of one path: sharp at any size, and part of the page, so that no cache ever sees it.
func (v instanceView) QR() (template.HTML, error) { return qrSVG(v.qr.Text, v.T("qr.label")) }

// Capabilities are the abilities of the bridge, by name.
func (v instanceView) Capabilities() []capability {
	list := make([]capability, 0, len(v.Status.Capabilities))
	for name, c := range v.Status.Capabilities {
		list = append(list, capability{name, c.OK, c.Detail})
	}
	slices.SortFunc(list, func(a, b capability) int { return strings.Compare(a.Name, b.Name) })
	return list
}

type capability struct {
	Name   string
	OK     bool
	Detail string
}

// Groups is the pairing code in groups of four, as the phone asks for it.
func (p pairing) Groups() []string {
	code := strings.ReplaceAll(strings.TrimSpace(p.Code), "-", "")
	var groups []string
	for chunk := range slices.Chunk([]rune(code), 4) {
		groups = append(groups, string(chunk))
	}
	return groups
}

// Spoken is the code letter by letter, for a screen reader.
func (p pairing) Spoken() string {
	return strings.Join(strings.Split(strings.Join(p.Groups(), ","), ""), " ")
}

// qrSVG draws text as a QR code with its white quiet zone. Low error correction, as on WhatsApp's own page: fewer and
// larger modules are easier to scan from a screen.
func qrSVG(text, label string) (template.HTML, error) {
	code, err := qrcode.New(text, qrcode.Low)
	if err != nil {
		return "", fmt.Errorf("draw QR code: %w", err)
	}
	rows := code.Bitmap()
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="qr" role="img" viewBox="0 0 %d %d" shape-rendering="crispEdges" aria-label="%s">`,
		len(rows), len(rows), template.HTMLEscapeString(label))
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/><path fill="#000" d="`, len(rows), len(rows))
	for y, row := range rows {
		for x := 0; x < len(row); x++ {
			start := x
			for x < len(row) && row[x] {
				x++
			}
			if x > start {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", start, y, x-start, x-start)
			}
		}
	}
	b.WriteString(`"/></svg>`)
	return template.HTML(b.String()), nil //nolint:gosec // numbers, and a label that is escaped above
}

// hostPattern is what a host may look like to be put into a command that people copy into a shell.
var hostPattern = regexp.MustCompile(`^[A-Za-z0-9.\-]+(:[0-9]+)?$|^\[[0-9A-Fa-f:.]+\](:[0-9]+)?$`)

// curl is a command that sends a first message.
func curl(r *http.Request, key, body string) string {
	scheme, host := "http", r.Host
	if gate.Secure(r) {
		scheme = "https"
	}
	if !hostPattern.MatchString(host) {
		host = "127.0.0.1:8080"
	}
	return fmt.Sprintf(`curl %s://%s/wa/send -d key=%s -d phone=6281234567890 --data-urlencode "body=%s"`,
		scheme, host, key, body)
}

// Copyable is a text with a button that copies it.
func (t text) Copyable(name, value string) copyable { return copyable{t, name, value} }

type copyable struct {
	text
	Name, Value string
}
