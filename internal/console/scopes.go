package console

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"bucketgate/internal/manage"
	"bucketgate/internal/store"
	"bucketgate/policy"
)

// pageRows is how many rows a list shows at once.
const pageRows = 50

// A scopeRow is a scope as a list shows it.
type scopeRow struct {
	store.Scope
	Path string
}

// Rule words a list of patterns and its exclusions.
func rule(include, exclude []string) string {
	words := "all"
	if len(include) > 0 {
		words = strings.Join(include, "  or  ")
	}
	if len(exclude) > 0 {
		words += "  except  " + strings.Join(exclude, "  or  ")
	}
	return words
}

// RepositoryRule is what the scope allows of repositories, in one line.
func (s scopeRow) RepositoryRule() string { return rule(s.Repositories, s.ExcludeRepositories) }

// BranchRule is the same of branches.
func (s scopeRow) BranchRule() string { return rule(s.Branches, s.ExcludeBranches) }

func (c *Console) providerScopes(w http.ResponseWriter, r *http.Request) error {
	view, err := c.providerView(r, "scopes")
	if err != nil {
		return err
	}
	view.Search = strings.TrimSpace(r.URL.Query().Get("q"))
	after := r.URL.Query().Get("after")
	page, err := c.config.Service.ScopePage(r.Context(), view.Provider.Name, store.Page{Search: view.Search, After: after, Limit: pageRows})
	if err != nil {
		return err
	}
	for _, s := range page.Rows {
		view.Scopes = append(view.Scopes, scopeRow{s, path("scopes", s.Name)})
	}
	here := path("providers", view.Provider.Name, "scopes")
	if page.More {
		view.More = here + "?" + url.Values{"q": {view.Search}, "after": {page.Rows[len(page.Rows)-1].Name}}.Encode()
	}
	if after != "" {
		view.First = here + "?" + url.Values{"q": {view.Search}}.Encode()
	}
	return c.show(w, r, http.StatusOK, "provider", view)
}

type scopeForm struct {
	frame
	Provider                                                     store.Provider
	Name, Description, Credential                                field
	Repositories, ExcludeRepositories, Branches, ExcludeBranches field
	AllRepositories, AllBranches                                 field

	NoCredential bool          // the provider has none, so that there is nothing to choose
	Existing     string        // name of the scope that is edited; empty for a new one
	Stored       store.Scope   // what is edited
	Version      int64         // that was read
	Preview      *previewView  // nil until it is asked for
	Meta         string        // who changed it last
	Holders      *manage.Users // who holds it; nil for a new one
}

func (c *Console) newScopeForm(r *http.Request, provider string) (*scopeForm, error) {
	p, err := c.config.Service.Provider(r.Context(), provider)
	if err != nil {
		return nil, err
	}
	credentials, err := c.config.Service.Credentials(r.Context(), p.Name)
	if err != nil {
		return nil, err
	}
	f := &scopeForm{
		frame:       frame{Title: "Add a scope", Nav: "providers", Crumbs: []crumb{providersCrumb, {p.Name, path("providers", p.Name, "scopes")}}},
		Provider:    p,
		Name:        field{Name: "name", Label: "Name", Required: true, Hint: "A label for this scope. It cannot change later: agents and the audit log know the scope by it."},
		Description: field{Name: "description", Label: "Description", Optional: true},
		Credential:  field{Name: "credential", Label: "Credential", Kind: "select", Required: true},
		Repositories: field{Name: "repositories", Label: "Repository Names RegEx", Kind: "textarea", Optional: true, Code: true, Example: "^duplocloud-.*",
			Hint: "One pattern on each line; a repository has to match one of them, with its whole slug. Empty means all."},
		ExcludeRepositories: field{Name: "exclude_repositories", Label: "Except these repositories", Kind: "textarea", Optional: true, Code: true, Hint: "Patterns that win over the ones above."},
		Branches: field{Name: "branches", Label: "Branch Names RegEx", Kind: "textarea", Optional: true, Code: true, Example: "^main$",
			Hint: "One pattern on each line; a branch has to match one of them, with its whole name. Empty means all."},
		ExcludeBranches: field{Name: "exclude_branches", Label: "Except these branches", Kind: "textarea", Optional: true, Code: true, Hint: "Patterns that win over the ones above."},
		AllRepositories: field{Name: "all_repositories", Label: "All repositories: the list is empty on purpose", Kind: "checkbox"},
		AllBranches:     field{Name: "all_branches", Label: "All branches: the list is empty on purpose", Kind: "checkbox"},
		NoCredential:    len(credentials) == 0,
	}
	for i, credential := range credentials {
		label := credential.Name
		if !credential.KeySet {
			label += " (key not set)"
		}
		f.Credential.Options = append(f.Credential.Options, option{credential.Name, label, i == 0})
	}
	return f, nil
}

func (f *scopeForm) fields() []*field {
	return []*field{&f.Name, &f.Description, &f.Credential, &f.Repositories, &f.ExcludeRepositories, &f.Branches, &f.ExcludeBranches}
}

func (f *scopeForm) read(r *http.Request) (manage.Scope, error) {
	if err := parse(r); err != nil {
		return manage.Scope{}, err
	}
	for _, at := range f.fields() {
		at.Value = r.PostForm.Get(at.Name)
		if at.Kind != "textarea" {
			at.Value = strings.TrimSpace(at.Value)
		}
	}
	f.Credential.choose(f.Credential.Value)
	f.AllRepositories.Checked = r.PostForm.Get("all_repositories") != ""
	f.AllBranches.Checked = r.PostForm.Get("all_branches") != ""
	return manage.Scope{
		Name: f.Name.Value, Provider: f.Provider.Name, Credential: f.Credential.Value, Description: f.Description.Value,
		Repositories: lines(f.Repositories.Value), ExcludeRepositories: lines(f.ExcludeRepositories.Value),
		Branches: lines(f.Branches.Value), ExcludeBranches: lines(f.ExcludeBranches.Value),
		AllRepositories: f.AllRepositories.Checked, AllBranches: f.AllBranches.Checked,
	}, nil
}

func (c *Console) newScope(w http.ResponseWriter, r *http.Request) error {
	form, err := c.newScopeForm(r, r.PathValue("provider"))
	if err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, "scope-form", form)
}

// asksPreview reports whether a form was sent by its preview button, which
// works without script.
func asksPreview(r *http.Request) bool { return r.PostForm.Get("do") == "preview" }

func (c *Console) createScope(w http.ResponseWriter, r *http.Request) error {
	form, err := c.newScopeForm(r, r.PathValue("provider"))
	if err != nil {
		return err
	}
	record, err := form.read(r)
	if err != nil {
		return err
	}
	if asksPreview(r) {
		form.Preview = c.preview(r, record)
		return c.show(w, r, http.StatusOK, "scope-form", form)
	}
	created, warnings, err := c.config.Service.CreateScope(r.Context(), c.actor(r), record)
	if err != nil {
		return c.again(w, r, "scope-form", form, err, form.fields()...)
	}
	return c.savedScope(w, r, "The scope "+created.Name+" was created", created, warnings)
}

func (c *Console) savedScope(w http.ResponseWriter, r *http.Request, words string, s store.Scope, warnings []policy.Warning) error {
	n := notice{Kind: "ok", Title: words}
	if len(warnings) > 0 {
		n.Kind = "warn"
		for _, warning := range warnings {
			n.Lines = append(n.Lines, fmt.Sprintf("%s %s.", warning.Pattern, warning.Words))
		}
	}
	c.notify(r, n)
	http.Redirect(w, r, path("providers", s.Provider, "scopes"), http.StatusSeeOther)
	return nil
}

func (c *Console) existingScope(r *http.Request) (*scopeForm, error) {
	s, err := c.config.Service.Scope(r.Context(), r.PathValue("scope"))
	if err != nil {
		return nil, err
	}
	form, err := c.newScopeForm(r, s.Provider)
	if err != nil {
		return nil, err
	}
	holders, err := c.config.Service.ScopeUsers(r.Context(), s)
	if err != nil {
		return nil, err
	}
	form.Title, form.Existing, form.Stored, form.Version, form.Holders = s.Name, s.Name, s, s.Version, &holders
	form.Name.Value, form.Description.Value = s.Name, s.Description
	form.Credential.choose(s.Credential)
	for at, list := range map[*field][]string{&form.Repositories: s.Repositories, &form.ExcludeRepositories: s.ExcludeRepositories, &form.Branches: s.Branches, &form.ExcludeBranches: s.ExcludeBranches} {
		at.Value = strings.Join(list, "\n")
	}
	form.Meta = fmt.Sprintf("Version %d, saved %s by %s", s.Version, ago(s.UpdatedAt, time.Now()), s.UpdatedBy)
	return form, nil
}

func (c *Console) editScope(w http.ResponseWriter, r *http.Request) error {
	form, err := c.existingScope(r)
	if err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, "scope-form", form)
}

func (c *Console) updateScope(w http.ResponseWriter, r *http.Request) error {
	form, err := c.existingScope(r)
	if err != nil {
		return err
	}
	record, err := form.read(r)
	if err != nil {
		return err
	}
	if form.Version, err = readVersion(r); err != nil {
		return err
	}
	record.Name, form.Name.Value, record.Actions = form.Existing, form.Existing, form.Stored.Actions
	if asksPreview(r) {
		form.Preview = c.preview(r, record)
		return c.show(w, r, http.StatusOK, "scope-form", form)
	}
	updated, warnings, err := c.config.Service.UpdateScope(r.Context(), c.actor(r), form.Version, record)
	if err != nil {
		return c.again(w, r, "scope-form", form, err, form.fields()...)
	}
	return c.savedScope(w, r, "The scope "+updated.Name+" was saved", updated, warnings)
}

// A previewView is what a drafted scope matches, in words.
type previewView struct {
	Matched, Total int
	Some           bool // it was counted
	More           bool // the workspace has more than were counted
	Names          []string
	Rest           int // how many match beyond those that are named
	Warnings       []policy.Warning
	Failed         string // why nothing was counted
}

// Kind is how good the news is.
func (p previewView) Kind() string {
	switch {
	case p.Failed != "" || p.Some && p.Matched == 0:
		return "warn"
	case len(p.Warnings) > 0:
		return "warn"
	}
	return "ok"
}

// preview asks what a draft matches. That something is wrong with it is an
// answer too: the draft is not finished.
func (c *Console) preview(r *http.Request, draft manage.Scope) *previewView {
	ctx, cancel := context.WithTimeout(r.Context(), testTime)
	defer cancel()
	answer, err := c.drafts.Preview(ctx, c.actor(r), draft)
	view := &previewView{Warnings: answer.Warnings}
	switch list := manage.Refusals(err); {
	case len(list) > 0:
		view.Failed = sentence(list[0].Words)
		return view
	case err != nil:
		if ctx.Err() == nil {
			c.config.Log.Error("previewing a scope", "error", err)
		}
		view.Failed = "The workspace could not be asked. Try again in a minute."
		return view
	}
	view.Matched, view.Total, view.More, view.Names, view.Some = answer.Matched, answer.Total, answer.More, answer.Names, true
	view.Rest = answer.Matched - len(answer.Names)
	return view
}

// previewDraft answers the script with a piece of a page.
func (c *Console) previewDraft(w http.ResponseWriter, r *http.Request) error {
	form, err := c.newScopeForm(r, r.PathValue("provider"))
	if err != nil {
		return err
	}
	record, err := form.read(r)
	if err != nil {
		return err
	}
	record.Name = "" // it need not have a name yet
	return c.draw(w, http.StatusOK, "preview", "preview", c.preview(r, record))
}

func (c *Console) askDeleteScope(w http.ResponseWriter, r *http.Request) error {
	s, err := c.config.Service.Scope(r.Context(), r.PathValue("scope"))
	if err != nil {
		return err
	}
	users, err := c.config.Service.ScopeUsers(r.Context(), s)
	if err != nil {
		return err
	}
	here := path("scopes", s.Name)
	return c.show(w, r, http.StatusOK, "question", &question{
		frame: frame{Title: "Delete the scope " + s.Name + "?", Nav: "providers", Crumbs: []crumb{providersCrumb, {s.Provider, path("providers", s.Provider, "scopes")}, {s.Name, here}}},
		What:  "What it allows is not allowed any more, within a second. The audit log keeps what was done with it.",
		Users: users, InUse: len(users.Named) > 0, Button: "Delete scope", Back: here,
	})
}

func (c *Console) deleteScope(w http.ResponseWriter, r *http.Request) error {
	s, err := c.config.Service.Scope(r.Context(), r.PathValue("scope"))
	if err != nil {
		return err
	}
	if err := c.config.Service.DeleteScope(r.Context(), c.actor(r), s.Name); err != nil {
		return c.stillUsed(w, r, err)
	}
	return c.done(w, r, path("providers", s.Provider, "scopes"), "The scope "+s.Name+" was deleted")
}
