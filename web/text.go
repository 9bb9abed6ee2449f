package web

import (
	"embed"
	"encoding/json"
	"fmt"
	"html"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed text/*.json
var textFS embed.FS

const (
	languageCookie  = "kurir_language"
	defaultLanguage = "en"
)

// languages are the ones with a catalogue, in the order of the switch.
func languages() []string { return []string{"en", "id"} }

// catalogue has every text of the console by language and key.
type catalogue map[string]map[string]string

// loadCatalogue reads the embedded texts; a test holds that they parse and have the same keys.
func loadCatalogue() catalogue {
	all := catalogue{}
	for _, language := range languages() {
		raw, err := textFS.ReadFile("text/" + language + ".json")
		if err == nil {
			var texts map[string]string
			err = json.Unmarshal(raw, &texts)
			all[language] = texts
		}
		if err != nil {
			panic(fmt.Sprintf("web: texts of %s: %v", language, err))
		}
	}
	return all
}

// text is the console's texts in one language. Templates call T and R with a constant key.
type text struct {
	Lang  string
	Owner bool // the reader is one: pages show operators no buttons that would refuse them
	texts map[string]string
}

// T returns the text with its verbs filled in. An unknown key shows as itself; a test finds it.
func (t text) T(key string, args ...any) string {
	s, ok := t.texts[key]
	if !ok {
		return key
	}
	if len(args) == 0 {
		return s
	}
	return fmt.Sprintf(s, args...)
}

// R returns the text with *stressed* words marked up. It takes no arguments, so that nothing but the catalogue's own
// words is ever in it.
func (t text) R(key string) template.HTML {
	parts := strings.Split(html.EscapeString(t.T(key)), "*")
	var b strings.Builder
	for i, part := range parts {
		if i > 0 {
			b.WriteString([]string{"</strong>", "<strong>"}[i%2])
		}
		b.WriteString(part)
	}
	return template.HTML(b.String()) //nolint:gosec // the catalogue's own words, escaped above
}

// text returns the texts in the language of the request: the visitor's choice, else the browser's.
func (c *Console) text(r *http.Request) text {
	language := acceptedLanguage(r.Header.Get("Accept-Language"))
	if cookie, err := r.Cookie(languageCookie); err == nil && slices.Contains(languages(), cookie.Value) {
		language = cookie.Value
	}
	v, in := visitorOf(r)
	return text{language, in && v.owner(), c.texts[language]}
}

// acceptedLanguage picks the language that an Accept-Language header likes best.
func acceptedLanguage(header string) string {
	best, bestQ := defaultLanguage, 0.0
	for item := range strings.SplitSeq(header, ",") {
		tag, params, _ := strings.Cut(strings.TrimSpace(item), ";")
		q := 1.0
		if value, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			var err error
			if q, err = strconv.ParseFloat(value, 64); err != nil {
				continue
			}
		}
		language, _, _ := strings.Cut(strings.ToLower(tag), "-")
		if language == "in" || language == "ms" { // Indonesian's old code; Malay reads it better than English
			language = "id"
		}
		if q > bestQ && slices.Contains(languages(), language) {
			best, bestQ = language, q
		}
	}
	return best
}

// setLanguage is the language switch.
func (c *Console) setLanguage(w http.ResponseWriter, r *http.Request) {
	if language := r.PostFormValue("language"); slices.Contains(languages(), language) {
		setCookie(w, r, languageCookie, language, 365*24*time.Hour)
	}
	http.Redirect(w, r, localPath(r.PostFormValue("back")), http.StatusSeeOther)
}
