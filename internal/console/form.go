package console

import (
	"cmp"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"bucketgate/internal/manage"
	"bucketgate/internal/store"
)

// A field is one field of a form as it is drawn. What was typed stands in
// Value again after a mistake; of a password it never does.
type field struct {
	Name     string // in the form, and as the rules call it
	Label    string
	Kind     string // "text" where empty; "password", "textarea", "select", "date", "checkbox"
	Value    string
	Hint     string
	Error    string
	Required bool
	Optional bool // the label says so
	Options  []option
	Checked  bool
	Code     bool   // patterns and slugs, in a fixed font
	Complete string // what a browser may fill in, and keep; nothing where empty
	Example  string
}

// An option is one of a select field.
type option struct {
	Value, Label string
	Chosen       bool
}

// ID is the field's in the page.
func (f field) ID() string { return "f-" + strings.ReplaceAll(f.Name, "_", "-") }

// Type is that of the input.
func (f field) Type() string {
	if f.Kind == "" {
		return "text"
	}
	return f.Kind
}

// Completes is the field's autocomplete. Of a password "off" is not heeded: a
// browser would put the admin's own key in, which then goes to Bitbucket.
func (f field) Completes() string {
	if f.Kind == "password" {
		return cmp.Or(f.Complete, "new-password")
	}
	return cmp.Or(f.Complete, "off")
}

// DescribedBy names what explains the field to who does not see it.
func (f field) DescribedBy() string {
	var ids []string
	if f.Error != "" {
		ids = append(ids, f.ID()+"-error")
	}
	if f.Hint != "" {
		ids = append(ids, f.ID()+"-hint")
	}
	return strings.Join(ids, " ")
}

// choose marks the chosen option of a select field.
func (f *field) choose(value string) {
	f.Value = value
	for i := range f.Options {
		f.Options[i].Chosen = f.Options[i].Value == value
	}
}

// isChosen reports whether the value is that of an option.
func (f *field) isChosen() bool {
	return slices.ContainsFunc(f.Options, func(o option) bool { return o.Chosen })
}

// parse reads the form of a POST. A body of another kind is no form without
// fields: it would read as one in which everything was emptied.
func parse(r *http.Request) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return errForm
	}
	if err := r.ParseForm(); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return err
		}
		return fmt.Errorf("%w: %w", errForm, err)
	}
	return nil
}

// readVersion reads which version of a record a form was filled in from. A form
// that does not say is refused: it would overwrite what somebody else has saved
// meanwhile.
func readVersion(r *http.Request) (int64, error) {
	version, err := strconv.ParseInt(r.PostForm.Get("version"), 10, 64)
	if err != nil || version < 1 {
		return 0, fmt.Errorf("%w: it has no version", errForm)
	}
	return version, nil
}

// wrong puts what is refused at its field and into the summary, and reports
// whether the error was a refusal.
func (f *frame) wrong(err error, fields ...*field) bool {
	list := manage.Refusals(err)
	for _, refused := range list {
		p := problem{Words: sentence(refused.Words)}
		for _, at := range fields {
			if at.Name == refused.Field {
				at.Error, p.ID = p.Words, at.ID()
				break
			}
		}
		f.Problems = append(f.Problems, p)
	}
	return len(list) > 0
}

// again shows a form once more with what is wrong with it, and with what was
// typed.
func (c *Console) again(w http.ResponseWriter, r *http.Request, name string, view framed, err error, fields ...*field) error {
	f := view.around()
	if !f.wrong(err, fields...) {
		return err
	}
	status := http.StatusUnprocessableEntity
	if errors.Is(err, store.ErrConflict) {
		status = http.StatusConflict
	}
	return c.show(w, r, status, name, view)
}

// lines reads a list that has one entry on each line. Blanks stay: the rules
// have their own word about a pattern that ends with one.
func lines(text string) []string {
	var list []string
	for line := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		if line != "" {
			list = append(list, line)
		}
	}
	return list
}

// A question is a page that asks before something is taken away.
type question struct {
	frame
	What   string   // what will happen, in a sentence
	Facts  []string // what else to know
	Users  manage.Users
	InUse  bool
	Button string
	Back   string // address to go back to

	Version int64 // of the record that is changed; 0 where it does not matter
}

// UserPath is the page of a record that is in the way.
func (q question) UserPath(u store.User) string {
	switch u.Kind {
	case "scope":
		return path("scopes", u.Name)
	case "client":
		return path("clients", u.Name)
	}
	return ""
}
