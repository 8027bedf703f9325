package console

import (
	"bytes"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"bucketgate/internal/audit"
	"bucketgate/internal/manage"
	"bucketgate/internal/store"
)

//go:embed templates
var templates embed.FS

// pages are the templates by name, each with the layout around it.
type pages map[string]*template.Template

// partials are drawn without the layout.
var partials = []string{"preview"}

func loadPages() (pages, error) {
	files, err := fs.Glob(templates, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("reading the templates: %w", err)
	}
	shared, err := template.New("").Funcs(functions).ParseFS(templates, "templates/shared/*.html")
	if err != nil {
		return nil, fmt.Errorf("reading the templates: %w", err)
	}
	all := pages{}
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(file, "templates/"), ".html")
		clone, err := shared.Clone()
		if err == nil {
			_, err = clone.ParseFS(templates, file)
		}
		if err != nil {
			return nil, fmt.Errorf("reading the template %s: %w", name, err)
		}
		all[name] = clone
	}
	for _, name := range partials {
		all[name] = shared.Lookup(name)
	}
	return all, nil
}

// functions are what templates may call: words and addresses, and no rule.
var functions = template.FuncMap{
	"path":   path,
	"static": staticPath,
	"when":   when,
	"date":   date,
	"stamp":  stamp,
	"ago":    func(t time.Time) string { return ago(t, time.Now()) },
	"count":  counted,
	"join":   func(list []string) string { return strings.Join(list, ", ") },
	"dict":   dict,
}

// dict makes the argument of a shared template that takes several.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, errors.New("dict takes pairs")
	}
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, errors.New("dict takes names")
		}
		m[name] = pairs[i+1]
	}
	return m, nil
}

func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

func date(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// ago words how long ago something was.
func ago(t, now time.Time) string {
	d := now.Sub(t)
	switch {
	case t.IsZero():
		return "never"
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return counted(int(d/time.Minute), "minute") + " ago"
	case d < 24*time.Hour:
		return counted(int(d/time.Hour), "hour") + " ago"
	case d < 30*24*time.Hour:
		return counted(int(d/(24*time.Hour)), "day") + " ago"
	}
	return date(t)
}

// counted writes a number with its noun.
func counted(n int, one string) string {
	many := one + "s"
	if strings.HasSuffix(one, "y") {
		many = strings.TrimSuffix(one, "y") + "ies"
	}
	if n == 1 {
		return "1 " + one
	}
	return thousands(n) + " " + many
}

func thousands(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// A frame is what every page has around its own content.
type frame struct {
	Title    string
	Nav      string // which entry of the navigation it belongs to
	Crumbs   []crumb
	Admin    string // who is logged in; empty for nobody
	TryPage  bool
	Notice   *notice
	Problems []problem
}

// A crumb is a page above this one.
type crumb struct{ Name, Path string }

// A notice tells what came of the last thing that was done.
type notice struct {
	Kind  string // "ok", "warn", "bad"
	Title string
	Lines []string
}

// A problem is a line of the summary of what is wrong, linked to its field.
type problem struct{ ID, Words string }

func (f *frame) around() *frame { return f }

type framed interface{ around() *frame }

// show answers with a page.
func (c *Console) show(w http.ResponseWriter, r *http.Request, status int, name string, view framed) error {
	f := view.around()
	f.Admin, f.TryPage = adminOf(r).Name, c.config.Try != nil
	if f.Notice == nil && f.Admin != "" {
		f.Notice = c.popNotice(r)
	}
	return c.draw(w, status, name, "page", view)
}

func (c *Console) draw(w http.ResponseWriter, status int, name, part string, view any) error {
	// First into memory: what fails halfway must not be sent as if it were a
	// page.
	var page bytes.Buffer
	if err := c.pages[name].ExecuteTemplate(&page, part, view); err != nil {
		return fmt.Errorf("drawing the page %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, err := page.WriteTo(w)
	if err != nil {
		return nil // the browser has gone
	}
	return nil
}

// notify keeps a notice for the next page, as text with its parts on lines.
func (c *Console) notify(r *http.Request, n notice) {
	c.sessions.Put(r.Context(), sessionNotice, strings.Join(append([]string{n.Kind, n.Title}, n.Lines...), "\n"))
}

func (c *Console) popNotice(r *http.Request) *notice {
	parts := strings.Split(c.sessions.PopString(r.Context(), sessionNotice), "\n")
	if len(parts) < 2 {
		return nil
	}
	return &notice{Kind: parts[0], Title: parts[1], Lines: parts[2:]}
}

// done says what was done and goes on to a page, so that a reload does not do
// it again.
func (c *Console) done(w http.ResponseWriter, r *http.Request, target, words string, lines ...string) error {
	c.notify(r, notice{Kind: "ok", Title: words, Lines: lines})
	http.Redirect(w, r, target, http.StatusSeeOther)
	return nil
}

// A handler answers a request, or says why it does not.
type handler func(w http.ResponseWriter, r *http.Request) error

var (
	errNoPage      = errors.New("there is no such page")
	errCrossOrigin = errors.New("the request came from another site")
	errForm        = errors.New("the form cannot be read")
)

// answer calls a handler and words what went wrong. It is the one place where
// an error becomes a page.
func (c *Console) answer(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := protected(h, w, r)
		if err == nil {
			return
		}
		view, status := c.failure(err)
		if showErr := c.show(w, r, status, "error", view); showErr != nil {
			c.config.Log.Error("drawing the page of an error", "error", showErr)
			http.Error(w, "Internal error.", http.StatusInternalServerError)
		}
	})
}

// protected ends a request that panics, and not the program.
func protected(h handler, w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		p := recover()
		if p == http.ErrAbortHandler {
			panic(p) // asked for: the answer ends here
		}
		if p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return h(w, r)
}

type errorView struct {
	frame
	What, Next string
	Reference  string
}

// failure words an error for a person. What it does not know goes to the log,
// and the page has a reference to it: the text of such an error may hold
// anything.
func (c *Console) failure(err error) (*errorView, int) {
	view := func(title, what, next string) *errorView {
		return &errorView{frame: frame{Title: title}, What: what, Next: next}
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, errCrossOrigin):
		return view("Not done", "The request came from another site, or was changed on its way, and nothing was done.", "If you did mean it, open the console in a new tab and do it there."), http.StatusForbidden
	case errors.Is(err, manage.ErrTooMany):
		return view("Wait a minute", "Too many log-ins of this address were refused.", "Then try again, with the key or the link that is good."), http.StatusTooManyRequests
	case errors.Is(err, manage.ErrNoLink):
		return view("This link does not work", "It was used, has expired, or there is an admin already. A link makes the first admin once.",
			"Restart the server for another link, or make an admin with: bucketgate client create NAME --role admin"), http.StatusGone
	case errors.Is(err, errNoPage):
		return view("No such page", "There is nothing at this address.", "Take a way on from the navigation above."), http.StatusNotFound
	case errors.As(err, &tooLarge):
		return view("Too much", "The form is larger than 1 MB, and nothing was saved.", "Go back and send less."), http.StatusRequestEntityTooLarge
	case errors.Is(err, errForm):
		return view("Not understood", "The form that arrived cannot be read, and nothing was saved.", "Go back, reload the page and try again."), http.StatusBadRequest
	case errors.Is(err, audit.ErrUnavailable):
		return view("The audit log cannot be written", "Nothing was changed: without its audit event nothing is done.", "Look at the disk and at the server's log, then try again."), http.StatusServiceUnavailable
	}
	if list := manage.Refusals(err); len(list) > 0 {
		if errors.Is(err, store.ErrNotFound) {
			return view("Not found", sentence(list[0].Words), "It may have been deleted meanwhile."), http.StatusNotFound
		}
		return view("Not done", sentence(err.Error()), "Go back and try again."), http.StatusUnprocessableEntity
	}
	if errors.Is(err, store.ErrNotFound) {
		return view("Not found", sentence(err.Error()), "It may have been deleted meanwhile."), http.StatusNotFound
	}
	v := view("Something went wrong here", "This is a mistake of the server and not yours. Whether it was done can be seen in the audit log.", "Try again; if it stays, the server's log has more under this reference:")
	v.Reference = strings.ToLower(rand.Text()[:10])
	c.config.Log.Error("answering a request of the console", "reference", v.Reference, "error", err)
	return v, http.StatusInternalServerError
}

// sentence makes a sentence of words that begin small and have no end.
func sentence(words string) string {
	first, size := utf8.DecodeRuneInString(words)
	if size == 0 {
		return ""
	}
	words = string(unicode.ToUpper(first)) + words[size:]
	if strings.HasSuffix(words, ".") || strings.HasSuffix(words, "?") || strings.HasSuffix(words, "!") {
		return words
	}
	return words + "."
}
