package web

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"kurir/models"
)

// keyForm is what was typed as the settings of a key. What they may be is models.KeyChange's to say.
type keyForm struct {
	text
	Name, Until, IPs, Recipients, Rate string
	Scopes                             []models.Scope
	Wrong                              fieldErrors
	EndsAt                             string // the key's end, where it is not the end of a day
	First                              string // the first day that can be chosen as the last one; "" for any
}

// fieldErrors say what is wrong with a form, by the name of the field.
type fieldErrors map[string]string

func (f fieldErrors) Error() string { return "fields are wrong" }

func newKeyForm() keyForm { return keyForm{Scopes: models.DefaultScopes()} }

func readKeyForm(r *http.Request) keyForm {
	value := func(name string) string { return strings.TrimSpace(r.PostFormValue(name)) }
	f := keyForm{Name: value("name"), Until: value("until"), IPs: value("ips"), Recipients: value("recipients"), Rate: value("rate")}
	for _, scope := range models.Scopes() {
		if slices.Contains(r.PostForm["scope"], string(scope)) {
			f.Scopes = append(f.Scopes, scope)
		}
	}
	return f
}

// formOf is the form with the settings of a key in it.
func formOf(k models.APIKey, zone *time.Location, now time.Time) keyForm {
	f := keyForm{
		Name: k.Name, Until: untilOf(k, zone), IPs: strings.Join(k.IPTexts(), "\n"), Recipients: strings.Join(k.RecipientLines(), "\n"),
		Scopes: k.Scopes,
	}
	if k.RatePerMinute > 0 {
		f.Rate = strconv.Itoa(k.RatePerMinute)
	}
	f.First = firstDay(k, zone, now)
	return f
}

// untilOf is the last day of a key as the field has it.
func untilOf(k models.APIKey, zone *time.Location) string {
	if k.ExpiresAt == nil {
		return ""
	}
	day, _ := lastDay(*k.ExpiresAt, zone)
	return day.Format(time.DateOnly)
}

// firstDay is "" for a key that has ended: a browser would not send the form before it has another last day.
func firstDay(k models.APIKey, zone *time.Location, now time.Time) string {
	if k.Expired(now) {
		return ""
	}
	return now.In(zone).Format(time.DateOnly)
}

// Has says whether a scope is ticked.
func (f keyForm) Has(scope string) bool { return slices.Contains(f.Scopes, models.Scope(scope)) }

// Limited says whether something of the limits is filled in: they are folded up until then.
func (f keyForm) Limited() bool { return f.Until+f.IPs+f.Recipients+f.Rate != "" }

// MaxName is how many characters a name may have.
func (f keyForm) MaxName() int { return models.MaxKeyName }

// IsFirst says whether a field is the first one that is wrong: that is where the reader is taken to.
func (f keyForm) IsFirst(field string) bool {
	for _, name := range []string{"name", "scopes", "expires_at", "recipients", "ips", "rate_per_minute"} {
		if f.Wrong[name] != "" {
			return name == field
		}
	}
	return false
}

// apply gives a key what was typed, or says what is wrong with it; k is to be thrown away then. A last day that the key
// has already leaves its end alone, which may have been set to the minute through the API.
func (f keyForm) apply(t text, view View, k *models.APIKey, now time.Time) fieldErrors {
	wrong := fieldErrors{}
	ips, recipients, rate := items(f.IPs), items(f.Recipients), 0
	change := models.KeyChange{Name: &f.Name, Scopes: &f.Scopes, IPs: &ips, Recipients: &recipients, Rate: &rate, Endless: f.Until == ""}
	if f.Until != "" && f.Until != untilOf(*k, view.zone()) {
		day, err := time.ParseInLocation(time.DateOnly, f.Until, view.zone())
		if err != nil {
			wrong["expires_at"] = t.T("keys.wrong_until")
		}
		end := day.AddDate(0, 0, 1)
		change.ExpiresAt = &end
	}
	if f.Rate != "" {
		var err error
		if rate, err = strconv.Atoi(f.Rate); err != nil || rate == 0 { // 0 looks like none at all
			rate = -1
		}
	}
	for _, e := range change.Apply(k, view.Region, now) {
		wrong[e.Field] = t.wrongSetting(e)
	}
	if len(wrong) == 0 {
		return nil
	}
	return wrong
}

func (t text) wrongSetting(e *models.SettingError) string {
	switch e.Field {
	case "name":
		return t.T("keys.wrong_name", models.MaxKeyName)
	case "scopes":
		return t.T("keys.wrong_scopes")
	case "expires_at":
		return t.T("keys.wrong_until")
	case "ips":
		return t.T("keys.wrong_ips", culprit(e, t))
	case "recipients":
		return t.T("keys.wrong_recipients", culprit(e, t))
	}
	return t.T("keys.wrong_rate", models.MaxKeyRate)
}

// items splits what was typed, one on each line or with commas.
func items(typed string) []string {
	return slices.DeleteFunc(strings.FieldsFunc(typed, func(r rune) bool { return r == '\n' || r == '\r' || r == ',' || r == ';' }),
		func(s string) bool { return strings.TrimSpace(s) == "" })
}

// culprit is the item that an error is about, or that there are too many.
func culprit(err error, t text) string {
	if bad := (*models.ItemError)(nil); errors.As(err, &bad) {
		return "“" + bad.Short() + "”"
	}
	return t.T("keys.too_many")
}
