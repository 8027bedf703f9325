package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"bucketgate/internal/manage"
	"bucketgate/internal/secret"
	"bucketgate/internal/store"
)

// A chip is a state in a word, with a color that says the same.
type chip struct{ Kind, Words string }

type credentialRow struct {
	store.Credential
	Key     chip
	Expires chip // empty where it does not matter yet
	Path    string
}

// soon is when an expiry is worth a word.
const soon = 14 * 24 * time.Hour

func newCredentialRow(c store.Credential) credentialRow {
	row := credentialRow{Credential: c, Key: keyChip(c), Path: path("providers", c.Provider, "credentials", c.Name)}
	switch {
	case c.ExpiresOn.IsZero():
	case !time.Now().Before(c.ExpiresOn):
		row.Expires = chip{"bad", "Expired " + date(c.ExpiresOn)}
	case time.Until(c.ExpiresOn) < soon:
		row.Expires = chip{"warn", "Expires " + date(c.ExpiresOn)}
	default:
		row.Expires = chip{"quiet", "Until " + date(c.ExpiresOn)}
	}
	return row
}

func keyChip(c store.Credential) chip {
	switch {
	case !c.KeySet:
		return chip{"warn", "Key not set"}
	case c.KeyHint == "":
		return chip{"ok", "Key set"}
	}
	return chip{"ok", "Key set, ends in …" + c.KeyHint}
}

// spareFields is how many empty rows a form has for further fields; without
// script there is no other way to more of them than to save and come back.
const spareFields = 2

// A fieldRow is one further field of a credential.
type fieldRow struct {
	Index     int
	Key       string
	Value     string // of one that is not sensitive
	Sensitive bool
	Own       bool // a person has set the toggle
	Set       bool // sensitive, and stored
}

type credentialForm struct {
	frame
	Provider                         store.Provider
	Name, APIKey, Username, ExpireOn field
	Fields                           []fieldRow
	Further                          field  // what is wrong with the fields
	SecretWords                      string // for the script that turns Sensitive on

	Existing *credentialRow // nil for a new one
	Version  int64
}

func (c *Console) newCredentialForm(r *http.Request) (*credentialForm, error) {
	p, err := c.config.Service.Provider(r.Context(), r.PathValue("provider"))
	if err != nil {
		return nil, err
	}
	return &credentialForm{
		frame:    frame{Title: "Add a credential", Nav: "providers", Crumbs: []crumb{providersCrumb, {p.Name, path("providers", p.Name)}}},
		Provider: p,
		Name:     field{Name: "name", Label: "Name", Required: true, Hint: "A name for this credential set."},
		APIKey: field{Name: "api_key", Label: "API Key", Kind: "password",
			Hint: "An Atlassian API token with the permission read:repository:bitbucket, or a repository, project or workspace access token. It is sealed, and no page shows it again. You may also set it later."},
		Username: field{Name: "username", Label: "Username", Optional: true,
			Hint: "The email of the Atlassian account that the API token belongs to. Leave it empty for an access token."},
		ExpireOn:    field{Name: "expires_on", Label: "Expires on", Kind: "date", Optional: true, Hint: "The day on which the key stops to work, so that this page can remind you."},
		Further:     field{Name: "fields"},
		SecretWords: strings.Join(manage.SecretWords, " "),
	}, nil
}

func (f *credentialForm) fields() []*field {
	return []*field{&f.Name, &f.APIKey, &f.Username, &f.ExpireOn}
}

// spare adds empty rows.
func (f *credentialForm) spare() {
	for range spareFields {
		f.Fields = append(f.Fields, fieldRow{})
	}
	for i := range f.Fields {
		f.Fields[i].Index = i
	}
}

// read reads the form. Of what is secret nothing stays in it.
func (f *credentialForm) read(r *http.Request) (manage.Credential, error) {
	if err := parse(r); err != nil {
		return manage.Credential{}, err
	}
	for _, at := range f.fields() {
		if at.Kind != "password" {
			at.Value = strings.TrimSpace(r.PostForm.Get(at.Name))
		}
	}
	record := manage.Credential{
		Provider: f.Provider.Name, Name: f.Name.Value, Username: f.Username.Value,
		Key: secret.NewText(strings.TrimSpace(r.PostForm.Get("api_key"))),
	}
	if f.ExpireOn.Value != "" {
		day, err := time.Parse(time.DateOnly, f.ExpireOn.Value)
		if err != nil {
			return record, &manage.Refused{Words: "the day is not one: write it as 2027-01-31", Field: "expires_on"}
		}
		record.ExpiresOn = day
	}
	record.Fields = f.readFields(r)
	return record, nil
}

// readFields reads the further fields. The toggle of one counts where a person
// has set it; else the field is sensitive when its name looks like a secret's.
func (f *credentialForm) readFields(r *http.Request) []store.Field {
	keys, values, own := r.PostForm["field_key"], r.PostForm["field_value"], r.PostForm["field_own"]
	sensitive := map[string]bool{}
	for _, index := range r.PostForm["field_sensitive"] {
		sensitive[index] = true
	}
	var list []store.Field
	stored := f.Fields
	f.Fields = nil
	for i := range min(len(keys), len(values)) {
		row := fieldRow{Key: strings.TrimSpace(keys[i]), Sensitive: sensitive[strconv.Itoa(i)], Own: i < len(own) && own[i] == "1"}
		if row.Key == "" && values[i] == "" {
			continue
		}
		row.Sensitive = row.Sensitive || !row.Own && manage.LooksSecret(row.Key)
		item := store.Field{Key: row.Key, Sensitive: row.Sensitive}
		if row.Sensitive {
			if values[i] != "" {
				item.Secret = secret.NewText(values[i])
			}
			for _, old := range stored {
				row.Set = row.Set || old.Set && old.Key == row.Key
			}
		} else {
			item.Value, row.Value = values[i], values[i]
		}
		f.Fields, list = append(f.Fields, row), append(list, item)
	}
	return list
}

func (c *Console) againCredential(w http.ResponseWriter, r *http.Request, form *credentialForm, err error) error {
	form.spare()
	return c.again(w, r, "credential-form", form, err, append(form.fields(), &form.Further)...)
}

func (c *Console) newCredential(w http.ResponseWriter, r *http.Request) error {
	form, err := c.newCredentialForm(r)
	if err != nil {
		return err
	}
	form.spare()
	return c.show(w, r, http.StatusOK, "credential-form", form)
}

func (c *Console) createCredential(w http.ResponseWriter, r *http.Request) error {
	form, err := c.newCredentialForm(r)
	if err != nil {
		return err
	}
	record, err := form.read(r)
	if err == nil {
		_, err = c.config.Service.CreateCredential(r.Context(), c.actor(r), record)
	}
	if err != nil {
		return c.againCredential(w, r, form, err)
	}
	n := c.connectionNotice(r, form.Provider.Name, record.Name)
	n.Title, n.Lines = "The credential "+record.Name+" was created", append([]string{n.Title}, n.Lines...)
	c.notify(r, n)
	http.Redirect(w, r, path("providers", form.Provider.Name), http.StatusSeeOther)
	return nil
}

func (c *Console) existingCredential(r *http.Request) (*credentialForm, error) {
	form, err := c.newCredentialForm(r)
	if err != nil {
		return nil, err
	}
	record, err := c.config.Service.Credential(r.Context(), form.Provider.Name, r.PathValue("credential"))
	if err != nil {
		return nil, err
	}
	row := newCredentialRow(record)
	form.Existing, form.Title, form.Version = &row, record.Name, record.Version
	form.Name.Value, form.Username.Value, form.ExpireOn.Value = record.Name, record.Username, date(record.ExpiresOn)
	if record.KeySet {
		form.APIKey.Label, form.APIKey.Optional = "New API Key", true
		form.APIKey.Hint = "Leave it empty to keep the stored key. A new one replaces it at once."
	}
	for _, f := range record.Fields {
		form.Fields = append(form.Fields, fieldRow{Key: f.Key, Value: f.Value, Sensitive: f.Sensitive, Own: true, Set: f.Sensitive})
	}
	return form, nil
}

func (c *Console) editCredential(w http.ResponseWriter, r *http.Request) error {
	form, err := c.existingCredential(r)
	if err != nil {
		return err
	}
	form.spare()
	return c.show(w, r, http.StatusOK, "credential-form", form)
}

func (c *Console) updateCredential(w http.ResponseWriter, r *http.Request) error {
	form, err := c.existingCredential(r)
	if err != nil {
		return err
	}
	record, err := form.read(r)
	record.Name, form.Name.Value = form.Existing.Name, form.Existing.Name
	if err == nil {
		form.Version, err = readVersion(r)
	}
	if err == nil {
		_, err = c.config.Service.UpdateCredential(r.Context(), c.actor(r), form.Version, record)
	}
	if err != nil {
		return c.againCredential(w, r, form, err)
	}
	n := c.connectionNotice(r, form.Provider.Name, record.Name)
	n.Title, n.Lines = "The credential "+record.Name+" was saved", append([]string{n.Title}, n.Lines...)
	c.notify(r, n)
	http.Redirect(w, r, path("providers", form.Provider.Name), http.StatusSeeOther)
	return nil
}

func (c *Console) testCredential(w http.ResponseWriter, r *http.Request) error {
	provider, name := r.PathValue("provider"), r.PathValue("credential")
	if _, err := c.config.Service.Credential(r.Context(), provider, name); err != nil {
		return err
	}
	c.notify(r, c.connectionNotice(r, provider, name))
	http.Redirect(w, r, path("providers", provider), http.StatusSeeOther)
	return nil
}

// testTime is how long a person waits for a test.
const testTime = 15 * time.Second

// connectionNotice tests a credential and words what came of it.
func (c *Console) connectionNotice(r *http.Request, provider, name string) notice {
	ctx, cancel := context.WithTimeout(r.Context(), testTime)
	defer cancel()
	if stored, err := c.config.Service.Credential(ctx, provider, name); err == nil && !stored.KeySet {
		return notice{Kind: "warn", Title: "Its key is not set yet.", Lines: []string{"Open the credential and give the key: until then nothing can be asked with it."}}
	}
	test, err := c.config.Service.TestCredential(ctx, c.actor(r), provider, name)
	var refused *manage.Refused
	switch {
	case errors.As(err, &refused):
		return notice{Kind: "bad", Title: "The test was refused.", Lines: []string{sentence(refused.Words)}}
	case errors.Is(err, context.DeadlineExceeded):
		return notice{Kind: "bad", Title: "The test got no answer in time.", Lines: []string{"Bitbucket may be slow: try again in a minute."}}
	case err != nil:
		c.config.Log.Error("testing a credential", "error", err)
		return notice{Kind: "bad", Title: "The test could not be made.", Lines: []string{"The server's log says more."}}
	}
	n := notice{Kind: "ok", Title: test.Summary(), Lines: []string{"Account: " + test.Who + ".", "Workspace: " + test.Workspace + "."}}
	if !test.Works {
		n.Kind = "bad"
		if strings.Contains(n.Title, test.Workspace) {
			n.Lines = n.Lines[:1] // it need not be said twice
		}
		return n
	}
	if len(test.Beyond)+len(test.Closed) > 0 {
		n.Kind = "warn"
	}
	if test.Unknown > 0 {
		n.Lines = append(n.Lines, fmt.Sprintf("It has %s that this release does not know.", counted(test.Unknown, "permission")))
	}
	return n
}

func (c *Console) askDeleteCredential(w http.ResponseWriter, r *http.Request) error {
	record, err := c.config.Service.Credential(r.Context(), r.PathValue("provider"), r.PathValue("credential"))
	if err != nil {
		return err
	}
	users, err := c.config.Service.CredentialUsers(r.Context(), record)
	if err != nil {
		return err
	}
	provider := path("providers", record.Provider)
	return c.show(w, r, http.StatusOK, "question", &question{
		frame: frame{Title: "Delete the credential " + record.Name + "?", Nav: "providers", Crumbs: []crumb{providersCrumb, {record.Provider, provider}}},
		What:  "Bucketgate forgets the key and all fields of this credential. The key stays good at Bitbucket until it is revoked there.",
		Users: users, InUse: len(users.Named) > 0, Button: "Delete credential", Back: provider,
	})
}

func (c *Console) deleteCredential(w http.ResponseWriter, r *http.Request) error {
	provider, name := r.PathValue("provider"), r.PathValue("credential")
	if err := c.config.Service.DeleteCredential(r.Context(), c.actor(r), provider, name); err != nil {
		return c.stillUsed(w, r, err)
	}
	return c.done(w, r, path("providers", provider), "The credential "+name+" was deleted")
}

// stillUsed goes back to the question, which names the users, where a record
// got one after the question was asked.
func (c *Console) stillUsed(w http.ResponseWriter, r *http.Request, err error) error {
	if !errors.Is(err, store.ErrInUse) {
		return err
	}
	c.notify(r, notice{Kind: "bad", Title: "Not deleted", Lines: []string{sentence(err.Error())}})
	http.Redirect(w, r, r.URL.EscapedPath(), http.StatusSeeOther)
	return nil
}
