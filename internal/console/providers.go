package console

import (
	"fmt"
	"net/http"
	"strings"

	"bucketgate/internal/manage"
	"bucketgate/internal/store"
)

type providersView struct {
	frame
	Rows []store.ProviderSummary
}

var providersCrumb = crumb{"Providers", "/admin/providers"}

func (c *Console) providers(w http.ResponseWriter, r *http.Request) error {
	rows, err := c.config.Service.ProviderSummaries(r.Context())
	if err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, "providers", &providersView{frame{Title: "Providers", Nav: "providers"}, rows})
}

type providerForm struct {
	frame
	Name, Type, Workspace, Description, API field

	Existing string // name of the provider that is edited; empty for a new one
	Version  int64
	Fixed    bool // it has a credential, and so workspace and address stay
}

func newProviderForm() *providerForm {
	return &providerForm{
		frame:       frame{Title: "Add a provider", Nav: "providers", Crumbs: []crumb{providersCrumb}},
		Name:        field{Name: "name", Label: "Name", Required: true, Hint: "A name to identify this provider."},
		Type:        field{Name: "type", Label: "Type", Kind: "select", Options: []option{{"bitbucket", "Bitbucket", true}}},
		Workspace:   field{Name: "workspace", Label: "Git Organization Name", Required: true, Code: true, Hint: "Your Bitbucket workspace slug: in https://bitbucket.org/acme/… it is acme."},
		Description: field{Name: "description", Label: "Description", Optional: true},
		API:         field{Name: "api_url", Label: "API address", Optional: true, Code: true, Hint: "Leave it empty for Bitbucket Cloud. Another one only if the server was started to allow it."},
	}
}

func (f *providerForm) fields() []*field {
	return []*field{&f.Name, &f.Type, &f.Workspace, &f.Description, &f.API}
}

func (f *providerForm) read(r *http.Request) (manage.Provider, error) {
	if err := parse(r); err != nil {
		return manage.Provider{}, err
	}
	for _, at := range f.fields() {
		at.Value = strings.TrimSpace(r.PostForm.Get(at.Name))
	}
	return manage.Provider{Name: f.Name.Value, Type: f.Type.Value, Workspace: f.Workspace.Value, Description: f.Description.Value, API: f.API.Value}, nil
}

func (c *Console) newProvider(w http.ResponseWriter, r *http.Request) error {
	return c.show(w, r, http.StatusOK, "provider-form", newProviderForm())
}

func (c *Console) createProvider(w http.ResponseWriter, r *http.Request) error {
	form := newProviderForm()
	record, err := form.read(r)
	if err != nil {
		return err
	}
	created, err := c.config.Service.CreateProvider(r.Context(), c.actor(r), record)
	if err != nil {
		return c.again(w, r, "provider-form", form, err, form.fields()...)
	}
	return c.done(w, r, path("providers", created.Name), "The provider "+created.Name+" was created", "Next: add a credential.")
}

func (c *Console) editForm(r *http.Request) (*providerForm, error) {
	p, err := c.config.Service.Provider(r.Context(), r.PathValue("provider"))
	if err != nil {
		return nil, err
	}
	users, err := c.config.Service.ProviderUsers(r.Context(), p)
	if err != nil {
		return nil, err
	}
	form := newProviderForm()
	form.Title, form.Existing, form.Version, form.Fixed = "Edit "+p.Name, p.Name, p.Version, len(users.Named) > 0
	form.Crumbs = []crumb{providersCrumb, {p.Name, path("providers", p.Name)}}
	form.Name.Value, form.Workspace.Value, form.Description.Value, form.API.Value = p.Name, p.Workspace, p.Description, p.API
	return form, nil
}

func (c *Console) editProvider(w http.ResponseWriter, r *http.Request) error {
	form, err := c.editForm(r)
	if err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, "provider-form", form)
}

func (c *Console) updateProvider(w http.ResponseWriter, r *http.Request) error {
	form, err := c.editForm(r)
	if err != nil {
		return err
	}
	fixed := manage.Provider{Workspace: form.Workspace.Value, API: form.API.Value}
	record, err := form.read(r)
	if err != nil {
		return err
	}
	if form.Version, err = readVersion(r); err != nil {
		return err
	}
	record.Name = form.Existing
	form.Name.Value = form.Existing
	if form.Fixed { // the form has no fields for them
		record.Workspace, record.API = fixed.Workspace, fixed.API
		form.Workspace.Value, form.API.Value = fixed.Workspace, fixed.API
	}
	if _, err := c.config.Service.UpdateProvider(r.Context(), c.actor(r), form.Version, record); err != nil {
		return c.again(w, r, "provider-form", form, err, form.fields()...)
	}
	return c.done(w, r, path("providers", form.Existing), "The provider was saved")
}

// A providerView is a provider with one of its two tabs.
type providerView struct {
	frame
	Provider store.Provider
	Official bool // it is Bitbucket Cloud itself
	Tab      string

	Credentials []credentialRow
	Scopes      []scopeRow
	Search      string
	More        string // address of the next part of the list
	First       string // address of the first part, on a later one
}

func (c *Console) providerView(r *http.Request, tab string) (*providerView, error) {
	p, err := c.config.Service.Provider(r.Context(), r.PathValue("provider"))
	if err != nil {
		return nil, err
	}
	return &providerView{
		frame:    frame{Title: p.Name, Nav: "providers", Crumbs: []crumb{providersCrumb}},
		Provider: p, Official: manage.IsBitbucketCloud(p), Tab: tab,
	}, nil
}

func (c *Console) provider(w http.ResponseWriter, r *http.Request) error {
	view, err := c.providerView(r, "credentials")
	if err != nil {
		return err
	}
	list, err := c.config.Service.Credentials(r.Context(), view.Provider.Name)
	if err != nil {
		return err
	}
	for _, record := range list {
		view.Credentials = append(view.Credentials, newCredentialRow(record))
	}
	return c.show(w, r, http.StatusOK, "provider", view)
}

func (c *Console) askDeleteProvider(w http.ResponseWriter, r *http.Request) error {
	p, err := c.config.Service.Provider(r.Context(), r.PathValue("provider"))
	if err != nil {
		return err
	}
	users, err := c.config.Service.ProviderUsers(r.Context(), p)
	if err != nil {
		return err
	}
	here := path("providers", p.Name)
	return c.show(w, r, http.StatusOK, "question", &question{
		frame: frame{Title: "Delete the provider " + p.Name + "?", Nav: "providers", Crumbs: []crumb{providersCrumb, {p.Name, here}}},
		What:  fmt.Sprintf("Bucketgate forgets the workspace %s. Nothing changes at Bitbucket.", p.Workspace),
		Users: users, InUse: len(users.Named) > 0, Button: "Delete provider", Back: here,
	})
}

func (c *Console) deleteProvider(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("provider")
	if err := c.config.Service.DeleteProvider(r.Context(), c.actor(r), name); err != nil {
		return c.stillUsed(w, r, err)
	}
	return c.done(w, r, "/admin/providers", "The provider "+name+" was deleted")
}
