package console

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"bucketgate/internal/manage"
	"bucketgate/internal/secret"
	"bucketgate/internal/snippets"
	"bucketgate/internal/store"
)

var clientsCrumb = crumb{"Clients", "/admin/clients"}

// A clientRow is a client as a list shows it.
type clientRow struct {
	store.Client
	State chip
	Path  string
	Shown []string // the first of its scopes
	Rest  int      // how many scopes more
}

// shownScopes is how many scopes of a client a list names.
const shownScopes = 3

func newClientRow(c store.Client) clientRow {
	row := clientRow{Client: c, Path: path("clients", c.Name), Shown: c.Scopes}
	if len(c.Scopes) > shownScopes {
		row.Shown, row.Rest = c.Scopes[:shownScopes], len(c.Scopes)-shownScopes
	}
	switch left := time.Until(c.ExpiresAt); {
	case !c.RevokedAt.IsZero():
		row.State = chip{"bad", "Revoked"}
	case c.ExpiresAt.IsZero():
		row.State = chip{"ok", "Active"}
	case left <= 0:
		row.State = chip{"bad", "Expired"}
	case left < soon:
		row.State = chip{"warn", "Expires soon"}
	default:
		row.State = chip{"ok", "Active"}
	}
	return row
}

type clientsView struct {
	frame
	Rows        []clientRow
	Search      string
	Revoked     bool
	More, First string
	Any         bool // there is a client at all
}

func (c *Console) clients(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	view := &clientsView{frame: frame{Title: "Clients", Nav: "clients"}, Search: strings.TrimSpace(query.Get("q")), Revoked: query.Get("revoked") != ""}
	after := query.Get("after")
	page, err := c.config.Service.ClientPage(r.Context(), store.Page{Search: view.Search, After: after, Limit: pageRows}, view.Revoked)
	if err != nil {
		return err
	}
	for _, record := range page.Rows {
		view.Rows = append(view.Rows, newClientRow(record))
	}
	view.Any = len(view.Rows) > 0 || view.Search != "" || after != "" || view.Revoked
	kept := url.Values{}
	for _, name := range []string{"q", "revoked"} {
		if query.Get(name) != "" {
			kept.Set(name, query.Get(name))
		}
	}
	if after != "" {
		view.First = "/admin/clients?" + kept.Encode()
	}
	if page.More {
		kept.Set("after", page.Rows[len(page.Rows)-1].Name)
		view.More = "/admin/clients?" + kept.Encode()
	}
	return c.show(w, r, http.StatusOK, "clients", view)
}

// A scopeChoice is a scope that a client may be given.
type scopeChoice struct {
	Name   string
	Chosen bool
}

type clientForm struct {
	frame
	Name, Role, Expires, Program field
	Scopes                       []scopeChoice
	ScopesField                  field // what is wrong with the scopes

	Existing *clientRow // nil for a new one
	Version  int64
	Snippets []snippet
}

var day = 24 * time.Hour

// lifetimes are how long a key may be good. Whoever needs another one has the
// command line.
var lifetimes = []option{{"30", "30 days", false}, {"90", "90 days", true}, {"365", "1 year", false}, {"0", "Never expires", false}}

func (c *Console) newClientForm(r *http.Request) (*clientForm, error) {
	names, err := c.config.Service.ScopeNames(r.Context())
	if err != nil {
		return nil, err
	}
	f := &clientForm{
		frame:   frame{Title: "Add a client", Nav: "clients", Crumbs: []crumb{clientsCrumb}},
		Name:    field{Name: "name", Label: "Name", Required: true, Hint: "Who connects, such as claude-code-anna. The audit log names it so."},
		Role:    field{Name: "role", Label: "Role", Kind: "select", Options: []option{{"agent", "Agent: uses the tools, within its scopes", true}, {"admin", "Admin: opens this console and the admin tools", false}}},
		Expires: field{Name: "expires", Label: "Key expires after", Kind: "select", Options: slices.Clone(lifetimes)},
		Program: field{Name: "program", Label: "MCP client", Kind: "select", Hint: "For which program the ready snippet is made. All others are on the next page too."},

		ScopesField: field{Name: "scopes"},
	}
	for _, s := range c.snippets("agent", "") {
		f.Program.Options = append(f.Program.Options, option{s.Client, s.Title, false})
	}
	for _, name := range names {
		f.Scopes = append(f.Scopes, scopeChoice{Name: name})
	}
	return f, nil
}

func (f *clientForm) fields() []*field {
	return []*field{&f.Name, &f.Role, &f.Expires, &f.Program, &f.ScopesField}
}

func (f *clientForm) read(r *http.Request) (manage.Client, error) {
	if err := parse(r); err != nil {
		return manage.Client{}, err
	}
	f.Name.Value = strings.TrimSpace(r.PostForm.Get("name"))
	for _, at := range []*field{&f.Role, &f.Expires, &f.Program} {
		at.choose(r.PostForm.Get(at.Name))
	}
	for i := range f.Scopes {
		f.Scopes[i].Chosen = slices.Contains(r.PostForm["scope"], f.Scopes[i].Name)
	}
	record := manage.Client{Name: f.Name.Value, Role: f.Role.Value, Scopes: r.PostForm["scope"]}
	days, err := strconv.Atoi(cmp.Or(f.Expires.Value, "0")) // keep
	if err != nil || !f.Expires.isChosen() {
		// A key without an end must not come of what the form does not offer.
		return record, errNoExpiry
	}
	record.ExpiresIn = time.Duration(days) * day
	return record, nil
}

var errNoExpiry = &manage.Refused{Words: "choose when the key expires", Field: "expires"}

func (c *Console) newClient(w http.ResponseWriter, r *http.Request) error {
	form, err := c.newClientForm(r)
	if err != nil {
		return err
	}
	if len(form.Scopes) == 1 {
		form.Scopes[0].Chosen = true
	}
	return c.show(w, r, http.StatusOK, "client-form", form)
}

func (c *Console) createClient(w http.ResponseWriter, r *http.Request) error {
	form, err := c.newClientForm(r)
	if err != nil {
		return err
	}
	record, err := form.read(r)
	if err != nil {
		return c.again(w, r, "client-form", form, err, form.fields()...)
	}
	created, key, err := c.config.Service.CreateClient(r.Context(), c.actor(r), record)
	if err != nil {
		return c.again(w, r, "client-form", form, err, form.fields()...)
	}
	return c.showKey(w, r, created, key, form.Program.Value)
}

type keyView struct {
	frame
	Client   clientRow
	Key      string
	Snippets []snippet
	Endpoint string
	Variable string // the environment variable that the snippets take the key from
	First    bool   // it is the first admin, who is logged in now
}

// showKey is the one page that a secret stands on: a client's new key. It is
// drawn in the answer to the POST, and neither kept nor sent to any address, so
// that a reload or the way back does not show it again.
func (c *Console) showKey(w http.ResponseWriter, r *http.Request, client store.Client, key secret.Text, program string) error {
	view := &keyView{
		frame:  frame{Title: "The key of " + client.Name, Nav: "clients", Crumbs: []crumb{clientsCrumb, {client.Name, path("clients", client.Name)}}},
		Client: newClientRow(client), Key: key.Reveal(), Snippets: c.snippets(client.Role, program), Endpoint: c.endpoint(client.Role), Variable: snippets.DefaultKeyVariable,
		First: r.PathValue("token") != "",
	}
	return c.show(w, r, http.StatusOK, "key", view)
}

func (c *Console) existingClient(r *http.Request) (*clientForm, error) {
	record, err := c.config.Service.KnownClient(r.Context(), r.PathValue("client"))
	if err != nil {
		return nil, err
	}
	form, err := c.newClientForm(r)
	if err != nil {
		return nil, err
	}
	row := newClientRow(record)
	form.Title, form.Existing, form.Version = record.Name, &row, record.Version
	form.Name.Value = record.Name
	form.Role.choose(record.Role)
	keep := "Keep: never expires"
	if !record.ExpiresAt.IsZero() {
		keep = "Keep: " + when(record.ExpiresAt)
	}
	form.Expires = field{Name: "expires", Label: "Key expires", Kind: "select", Options: []option{{"", keep, true}, {"30", "30 days from now", false}, {"90", "90 days from now", false}, {"365", "1 year from now", false}}}
	for i := range form.Scopes {
		form.Scopes[i].Chosen = slices.Contains(record.Scopes, form.Scopes[i].Name)
	}
	form.Snippets = c.snippets(record.Role, "")
	return form, nil
}

func (c *Console) editClient(w http.ResponseWriter, r *http.Request) error {
	form, err := c.existingClient(r)
	if err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, "client-form", form)
}

func (c *Console) updateClient(w http.ResponseWriter, r *http.Request) error {
	form, err := c.existingClient(r)
	if err != nil {
		return err
	}
	record, err := form.read(r)
	record.Name, form.Name.Value = form.Existing.Name, form.Existing.Name
	if err == nil {
		form.Version, err = readVersion(r)
	}
	if err == nil {
		_, err = c.config.Service.UpdateClient(r.Context(), c.actor(r), form.Version, record)
	}
	if err != nil {
		return c.again(w, r, "client-form", form, err, form.fields()...)
	}
	return c.done(w, r, "/admin/clients", "The client "+record.Name+" was saved", "It counts from its next call on.")
}

func (c *Console) askNewKey(w http.ResponseWriter, r *http.Request) error {
	client, err := c.config.Service.Client(r.Context(), r.PathValue("client"))
	if err != nil {
		return err
	}
	here := path("clients", client.Name)
	q := &question{
		frame: frame{Title: "A new key for " + client.Name + "?", Nav: "clients", Crumbs: []crumb{clientsCrumb, {client.Name, here}}},
		What:  "The old key stops to work at once: whatever uses it is refused until it has the new one.", Button: "Make a new key", Back: here, Version: client.Version,
	}
	if client.ID == adminOf(r).ClientID {
		q.Facts = append(q.Facts, "This is your own key: you will be logged out, and log in with the new one.")
	}
	return c.show(w, r, http.StatusOK, "question", q)
}

func (c *Console) newKey(w http.ResponseWriter, r *http.Request) error {
	if err := parse(r); err != nil {
		return err
	}
	version, err := readVersion(r)
	if err != nil {
		return err
	}
	client, key, err := c.config.Service.ReplaceClientKey(r.Context(), c.actor(r), version, r.PathValue("client"))
	if errors.Is(err, store.ErrConflict) {
		// A reload of the page with the key sends this form once more.
		c.notify(r, notice{Kind: "warn", Title: "No new key was made", Lines: []string{"The client was changed after this was asked; its key may be the new one already."}})
		http.Redirect(w, r, r.URL.EscapedPath(), http.StatusSeeOther)
		return nil
	}
	if err != nil {
		return err
	}
	return c.showKey(w, r, client, key, "")
}

func (c *Console) askRevoke(w http.ResponseWriter, r *http.Request) error {
	client, err := c.config.Service.Client(r.Context(), r.PathValue("client"))
	if err != nil {
		return err
	}
	here := path("clients", client.Name)
	q := &question{
		frame: frame{Title: "Revoke the client " + client.Name + "?", Nav: "clients", Crumbs: []crumb{clientsCrumb, {client.Name, here}}},
		What:  "Its key is not taken any more, from its next call on and for good. Its name stays for the audit log, and cannot be given again.", Button: "Revoke client", Back: here,
	}
	if len(client.Scopes) > 0 {
		q.Facts = append(q.Facts, "It holds "+counted(len(client.Scopes), "scope")+": "+strings.Join(newClientRow(client).Shown, ", ")+andMore(newClientRow(client).Rest)+".")
	}
	if client.LastUsedAt.IsZero() {
		q.Facts = append(q.Facts, "It was never used.")
	} else {
		q.Facts = append(q.Facts, "It was last used "+ago(client.LastUsedAt, time.Now())+".")
	}
	if client.ID == adminOf(r).ClientID {
		q.Facts = append(q.Facts, "This is you: you will be logged out, and cannot log in again with this key.")
	}
	return c.show(w, r, http.StatusOK, "question", q)
}

func andMore(n int) string {
	if n == 0 {
		return ""
	}
	return " and " + strconv.Itoa(n) + " more"
}

func (c *Console) revoke(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("client")
	if err := c.config.Service.RevokeClient(r.Context(), c.actor(r), name); err != nil {
		return err
	}
	return c.done(w, r, "/admin/clients", "The client "+name+" was revoked")
}
