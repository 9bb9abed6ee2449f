package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gabriel-vasile/mimetype"

	"kurir/browser"
	"kurir/problem"
)

const (
	maxPhoneFile = 16 << 20 // bytes that a simulated phone can send
	maxPhoneText = 65_536   // characters, as on WhatsApp
)

// withPhones guards what needs the simulated phones: without them it says where they are.
func (c *Console) withPhones(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if c.deps.Phones == nil {
			p := c.page(r, "phone.title")
			c.errorPage(w, r, http.StatusNotFound, p, p.T("phone.elsewhere"))
			return
		}
		next(w, r)
	}
}

// phoneDesk is the choice of a phone.
func (c *Console) phoneDesk(w http.ResponseWriter, r *http.Request) {
	c.showDesk(w, r, http.StatusOK, "")
}

func (c *Console) showDesk(w http.ResponseWriter, r *http.Request, status int, wrong string) {
	p := c.page(r, "phone.title")
	p.Path = "/sandbox"
	desk, err := c.desk(r.Context(), p.text, "", c.phoneCurl(r, p.text))
	if err != nil {
		c.fail(w, r, err)
		return
	}
	c.render(w, r, status, "phone", phonePage{page: p, Desk: desk, Problem: wrong})
}

// phoneCurl is the command that makes something arrive on a phone.
func (c *Console) phoneCurl(r *http.Request, t text) string {
	return curl(r, t.T("instance.your_key"), t.T("created.hello"))
}

// findPhone goes to the phone whose number was typed.
func (c *Console) findPhone(w http.ResponseWriter, r *http.Request) {
	number, err := c.deps.Phones.Find(strings.TrimSpace(r.FormValue("number")))
	if err != nil {
		c.showDesk(w, r, problem.Lookup(problem.CodeOf(err)).Status, c.explain(r, c.text(r), err, ""))
		return
	}
	http.Redirect(w, r, "/sandbox/"+url.PathEscape(number), http.StatusSeeOther)
}

// instancePhone goes to the phone of an instance: to where it can scan when the instance waits for that.
func (c *Console) instancePhone(w http.ResponseWriter, r *http.Request) {
	number, err := c.deps.Phones.Own(r.Context(), r.PathValue("id"))
	if err != nil {
		c.fail(w, r, err)
		return
	}
	http.Redirect(w, r, "/sandbox/"+url.PathEscape(number), http.StatusSeeOther)
}

// phone shows a screen of a phone.
func (c *Console) phone(w http.ResponseWriter, r *http.Request) {
	screen := r.PathValue("screen")
	switch {
	case r.PathValue("chat") != "":
		screen = "chat"
	case screen == "":
		screen = "chats"
	case !slices.Contains([]string{"devices", "settings", "faults"}, screen):
		c.notFound(w, r)
		return
	}
	c.showPhone(w, r, http.StatusOK, screen, r.PathValue("chat"), "")
}

func (c *Console) showPhone(w http.ResponseWriter, r *http.Request, status int, screen, chat, wrong string) {
	p, number := c.page(r, "phone.title"), r.PathValue("number")
	desk, err := c.desk(r.Context(), p.text, number, c.phoneCurl(r, p.text))
	if err != nil {
		c.fail(w, r, err)
		return
	}
	held, err := c.phoneView(r.Context(), p.text, desk, number, screen, chat)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	p.Title = held.Name
	if r.Method != http.MethodGet {
		p.Path = screenURL(number, screen, chat)
	}
	c.render(w, r, status, "phone", phonePage{page: p, Desk: desk, Held: held, Problem: wrong})
}

func screenURL(number, screen, chat string) string {
	switch screen {
	case "chat":
		return chatURL(number, chat)
	case "chats":
		return "/sandbox/" + url.PathEscape(number)
	}
	return "/sandbox/" + url.PathEscape(number) + "/" + screen
}

// phoneAction is something that a person does with a phone, and the screen on which it is done.
type phoneAction struct {
	screen string
	do     func(ctx context.Context, number string, r *http.Request) error
}

func (c *Console) phoneActions() map[string]phoneAction {
	phones := c.deps.Phones
	return map[string]phoneAction{
		"send": {"chat", c.sendFromPhone},
		"read": {"chat", func(ctx context.Context, number string, r *http.Request) error {
			return phones.Read(ctx, number, r.PostFormValue("chat"))
		}},
		"auto-read": {"settings", func(ctx context.Context, number string, r *http.Request) error {
			return phones.SetAutoRead(ctx, number, r.PostFormValue("on") == "1")
		}},
		"offline": {"settings", func(ctx context.Context, number string, r *http.Request) error {
			return phones.SetOffline(ctx, number, r.PostFormValue("on") == "1")
		}},
		"unlink": {"devices", func(ctx context.Context, number string, r *http.Request) error {
			return phones.Unlink(ctx, number, r.PostFormValue("device"))
		}},
		"scan": {"devices", func(ctx context.Context, number string, r *http.Request) error {
			return phones.Scan(ctx, number, r.PostFormValue("instance"))
		}},
		"fault": {"faults", c.setFault},
		"end-fault": {"faults", func(ctx context.Context, _ string, r *http.Request) error {
			return phones.EndFault(ctx, r.PostFormValue("id"))
		}},
	}
}

// What only a simulated phone refuses.
var (
	errTooBig    = errors.New("the file is too big for a simulated phone")
	errTooLong   = errors.New("the text is too long")
	errNoMessage = errors.New("neither text nor file")
)

// actOnPhone carries out what a button on the phone asks for. What it changes reaches the page through its event
// stream.
func (c *Console) actOnPhone(w http.ResponseWriter, r *http.Request) {
	number := r.PathValue("number")
	action, ok := c.phoneActions()[r.PathValue("action")]
	if !ok {
		c.notFound(w, r)
		return
	}
	defer func() {
		if r.MultipartForm != nil {
			_ = r.MultipartForm.RemoveAll() // best effort: the system cleans its temporary folder
		}
	}()
	err := action.do(r.Context(), number, r)
	chat, quiet := r.PostFormValue("chat"), r.Header.Get("HX-Request") != ""
	switch {
	case err == nil && quiet:
		w.WriteHeader(http.StatusNoContent)
	case err == nil:
		http.Redirect(w, r, screenURL(number, action.screen, chat), http.StatusSeeOther)
	default:
		t := c.text(r)
		status, wrong := c.explainPhone(r, t, err)
		if quiet {
			c.render(w, r, status, "notice", struct {
				text
				Message string
			}{t, wrong})
			return
		}
		c.showPhone(w, r, status, action.screen, chat, wrong)
	}
}

// explainPhone says in the reader's language why something did not work.
func (c *Console) explainPhone(r *http.Request, t text, err error) (status int, words string) {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge), errors.Is(err, errTooBig):
		return http.StatusRequestEntityTooLarge, t.T("phone.too_big", maxPhoneFile>>20)
	case errors.Is(err, errTooLong):
		return http.StatusUnprocessableEntity, t.T("phone.too_long", maxPhoneText)
	case errors.Is(err, errNoMessage):
		return http.StatusUnprocessableEntity, t.T("phone.nothing")
	}
	code := problem.CodeOf(err)
	words = c.explain(r, t, err, "")
	switch code {
	case problem.NoQR:
		words = t.T("phone.no_code")
	case problem.InstanceNotReady:
		words = t.T("phone.offline_wrong")
	case problem.SessionLost:
		words = t.T("phone.no_page")
	}
	return problem.Lookup(code).Status, words
}

// sendFromPhone sends what was written and chosen.
func (c *Console) sendFromPhone(ctx context.Context, number string, r *http.Request) error {
	// In memory, bounded by limitBody. First of all: what reads a field by itself would swallow the error.
	if err := r.ParseMultipartForm(maxPhoneFile); err != nil && !errors.Is(err, http.ErrNotMultipart) {
		return err
	}
	draft := PhoneDraft{Text: strings.TrimSpace(strings.ReplaceAll(r.PostFormValue("text"), "\r\n", "\n"))}
	if utf8.RuneCountInString(draft.Text) > maxPhoneText || !utf8.ValidString(draft.Text) {
		return errTooLong
	}
	file, header, err := r.FormFile("file")
	switch {
	case err == nil && header.Filename != "":
		defer func() { _ = file.Close() }()
		if header.Size > maxPhoneFile {
			return errTooBig
		}
		draft.Data = make([]byte, header.Size)
		if _, err := file.ReadAt(draft.Data, 0); err != nil && header.Size > 0 {
			return err
		}
		draft.Type, _, _ = strings.Cut(mimetype.Detect(draft.Data).String(), ";")
		draft.Filename = cleanName(header.Filename)
		_, shown := shownType(draft.Type)
		draft.Document = shown == ""
	case draft.Text == "":
		return errNoMessage
	}
	return c.deps.Phones.Send(ctx, number, r.PostFormValue("chat"), draft)
}

// setFault lets something go wrong: for what the phone's own devices do, or for what is sent to a customer.
func (c *Console) setFault(ctx context.Context, number string, r *http.Request) error {
	kind := FaultKind(r.PostFormValue("kind"))
	i := slices.IndexFunc(FaultGroups(), func(g FaultGroup) bool { return slices.Contains(g.Kinds, kind) })
	if i < 0 {
		return problem.New(problem.BadRequest, "")
	}
	desk, err := c.desk(ctx, c.text(r), number, "")
	if err != nil {
		return err
	}
	own := slices.ContainsFunc(desk.Owners, func(o deskOwner) bool { return o.Phone.Number == number })
	if i > 0 && !own {
		return problem.New(problem.BadRequest, "")
	}
	return c.deps.Phones.SetFault(ctx, FaultWish{Kind: kind, Number: number, Own: own, Once: r.PostFormValue("life") == "once"})
}

// hasPhone says whether an instance's phone can be opened here.
func (c *Console) hasPhone(v View) bool { return v.Sandbox && c.deps.Phones != nil }

// lookAtPhones returns the parts of a phone's page. What a person types into is not among them.
func (s *stream) lookAtPhones(ctx context.Context) ([]fragment, error) {
	desk, err := s.console.desk(ctx, s.text, s.phone, s.curl)
	if err != nil {
		return nil, err
	}
	html, err := s.draw("desk-list", desk)
	if err != nil || s.phone == "" {
		return []fragment{{"desk-list", html, html}}, err
	}
	fragments := []fragment{{"desk-list", html, html}}
	held, err := s.console.phoneView(ctx, s.text, desk, s.phone, s.screen, s.chat)
	if err != nil {
		return nil, err
	}
	parts := []string{"phone-top", "screen-" + s.screen, "phone-tabs"}
	switch s.screen {
	case "chat":
		parts = parts[:2]
	case "faults": // the rest of that screen is a form
		parts[1] = "faults-now"
	}
	for _, name := range parts {
		if html, err = s.draw(name, held); err != nil {
			return nil, err
		}
		fragments = append(fragments, fragment{name, html, html})
	}
	return fragments, nil
}

// PhoneURL is where the instance's simulated phone is, "" when there is none here.
func (v instanceView) PhoneURL() string {
	if !v.HasPhone {
		return ""
	}
	return "/instances/" + url.PathEscape(v.ID) + "/phone"
}

// Ready says whether messages can be sent by the instance.
func (v instanceView) Ready() bool { return v.Is(string(browser.StateWorking)) }
