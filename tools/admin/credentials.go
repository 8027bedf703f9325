package admin

import (
	"context"
	"fmt"
	"strings"
	"time"

	"bucketgate/internal/manage"
	"bucketgate/internal/secret"
	"bucketgate/internal/store"
	"bucketgate/tools"
)

const credentialHint = "{list_credentials} shows the names; {create_credential} adds one. An API token needs the email of its Atlassian account as username; an access token has none."

// A credential is what may be shown of one: of its key no more than that it is
// set, and of a sensitive field its name.
type credential struct {
	Provider  string  `json:"provider"`
	Name      string  `json:"name"`
	Username  string  `json:"username,omitempty"`
	Key       string  `json:"api_key" jsonschema:"description=Whether it is set; never the key"`
	Fields    []field `json:"fields,omitempty"`
	ExpiresOn string  `json:"expires_on,omitempty"`
	LeftOut   int     `json:"left_out,omitempty" jsonschema:"description=So many fields are not shown"`
	change
}

type field struct {
	Key       string `json:"key"`
	Value     string `json:"value,omitempty"`
	Sensitive bool   `json:"sensitive,omitempty"`
}

// shownValue is how much of a field's value is shown.
const shownValue = 256

func viewCredential(r store.Credential) credential {
	v := credential{
		Provider: r.Provider, Name: r.Name, Username: shorten(r.Username, shownValue), Key: manage.KeyWords(r),
		ExpiresOn: day(r.ExpiresOn), change: changeOf(r.Meta),
	}
	for _, f := range r.Fields {
		v.Fields = append(v.Fields, field{f.Key, shorten(f.Value, shownValue), f.Sensitive})
	}
	v.Fields, v.LeftOut = some(v.Fields)
	return v
}

func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}

type listCredentialsInput struct {
	Provider string `json:"provider,omitempty" jsonschema:"minLength=1,maxLength=64,description=Only those of this provider"`
	listing
}

type listCredentialsOutput struct {
	Summary     string       `json:"summary"`
	Credentials []credential `json:"credentials"`
	Total       int          `json:"total"`
	NextCursor  string       `json:"next_cursor,omitempty"`
}

func (d desk) listCredentials() tools.Tool {
	return tools.DefineAdmin(tools.Tool{
		Name:        "list_credentials",
		Title:       "List credentials",
		Description: "Lists credentials. Of a key it tells whether it is set, its last four characters, when and by whom; no key and no sensitive field is ever shown.",
		Effect:      tools.Reads,
	}, func(ctx context.Context, call *tools.AdminCall, in listCredentialsInput) (listCredentialsOutput, error) {
		records, err := d.findCredentials(ctx, in)
		if err != nil {
			return listCredentialsOutput{}, inWords(call, err, credentialHint)
		}
		p, err := pageOf(call, in.listing, records, func(r store.Credential) string { return r.Provider + "/" + r.Name }, viewCredential)
		if err != nil {
			return listCredentialsOutput{}, err
		}
		return listCredentialsOutput{p.summary("credential"), p.rows, p.total, p.next}, nil
	})
}

func (d desk) findCredentials(ctx context.Context, in listCredentialsInput) ([]store.Credential, error) {
	if in.Provider != "" {
		if _, err := d.Provider(ctx, in.Provider); err != nil {
			return nil, err
		}
		if in.Name != "" {
			return only(d.Credential(ctx, in.Provider, in.Name))
		}
	}
	records, err := d.Credentials(ctx, in.Provider)
	if err != nil || in.Name == "" {
		return records, err
	}
	var found []store.Credential
	for _, r := range records {
		if r.Name == in.Name {
			found = append(found, r)
		}
	}
	if len(found) == 0 {
		return only(d.Credential(ctx, "", in.Name)) // which says what may be meant
	}
	return found, nil
}

type fieldInput struct {
	Key       string `json:"key" jsonschema:"minLength=1,maxLength=64"`
	Value     string `json:"value,omitempty" jsonschema:"maxLength=4096,description=Left out for a sensitive field: the stored one stays"`
	Sensitive bool   `json:"sensitive,omitempty" jsonschema:"description=Sealed and never shown"`
}

func fieldsOf(in []fieldInput) []store.Field {
	fields := make([]store.Field, len(in))
	for i, f := range in {
		fields[i] = store.Field{Key: f.Key, Value: f.Value, Sensitive: f.Sensitive}
		if f.Sensitive {
			fields[i].Value, fields[i].Secret = "", secret.NewText(f.Value)
		}
	}
	return fields
}

type createCredentialInput struct {
	ofProvider
	Username  string       `json:"username,omitempty" jsonschema:"maxLength=320,description=Email of the Atlassian account; leave out for an access token"`
	APIKey    string       `json:"api_key,omitempty" jsonschema:"minLength=1,maxLength=4096,description=Better left out: the answer then has a link at which a person types it"`
	Fields    []fieldInput `json:"fields,omitempty" jsonschema:"description=More to know about it; stored and never sent"`
	ExpiresOn string       `json:"expires_on,omitempty" jsonschema:"maxLength=10,description=Day such as 2027-01-31"`
}

type credentialOutput struct {
	Summary    string     `json:"summary"`
	Credential credential `json:"credential"`
	Link       *link      `json:"link,omitempty"`
	NextSteps  []string   `json:"next_steps"`
}

// A link is where a person types the key. It is good once.
type link struct {
	URL       string `json:"url"`
	ExpiresAt string `json:"expires_at"`
}

func (d desk) createCredential() tools.Tool {
	return tools.DefineAdmin(tools.Tool{
		Name:        "create_credential",
		Title:       "Add a credential",
		Description: "Adds a credential of a provider. Leave api_key out: the answer then has a one-time link at which a person types the key, so that it does not pass through the conversation. The key is sealed and never shown again.",
		Effect:      tools.Adds,
	}, func(ctx context.Context, call *tools.AdminCall, in createCredentialInput) (credentialOutput, error) {
		expires, err := parseDay(in.ExpiresOn)
		if err != nil {
			return credentialOutput{}, err
		}
		record := manage.Credential{
			Provider: in.Provider, Name: in.Name, Username: in.Username, Key: keyOf(in.APIKey), Fields: fieldsOf(in.Fields), ExpiresOn: expires,
		}
		var created store.Credential
		var made manage.Link
		if d.asksForKey(record) {
			created, made, err = d.CreateCredentialWithLink(ctx, actor(call), record)
		} else {
			created, err = d.CreateCredential(ctx, actor(call), record)
		}
		if err != nil {
			return credentialOutput{}, inWords(call, err, credentialHint)
		}
		return d.credentialDone(call, created, made, "was created"), nil
	})
}

type updateCredentialInput struct {
	ofProvider
	versioned
	Username  *string      `json:"username,omitempty" jsonschema:"maxLength=320"`
	APIKey    string       `json:"api_key,omitempty" jsonschema:"minLength=1,maxLength=4096,description=Better left out: the answer then has a link at which a person types it"`
	Fields    []fieldInput `json:"fields,omitempty" jsonschema:"description=Replaces all fields"`
	ExpiresOn *string      `json:"expires_on,omitempty" jsonschema:"maxLength=10,description=Day such as 2027-01-31; empty for none"`
}

func (d desk) updateCredential() tools.Tool {
	return tools.DefineAdmin(tools.Tool{
		Name:        "update_credential",
		Title:       "Change a credential or its key",
		Description: "Changes a credential; what is left out stays, also the key. Without api_key the answer has a one-time link at which a person types another key; nobody has to use it.",
		Effect:      tools.Changes,
	}, func(ctx context.Context, call *tools.AdminCall, in updateCredentialInput) (credentialOutput, error) {
		current, err := d.Credential(ctx, in.Provider, in.Name)
		if err != nil {
			return credentialOutput{}, inWords(call, err, credentialHint)
		}
		record := manage.Credential{
			Provider: current.Provider, Name: current.Name, Username: given(in.Username, current.Username),
			Key: keyOf(in.APIKey), Fields: current.Fields, ExpiresOn: current.ExpiresOn,
		}
		if in.Fields != nil {
			record.Fields = fieldsOf(in.Fields)
		}
		if in.ExpiresOn != nil {
			if record.ExpiresOn, err = parseDay(*in.ExpiresOn); err != nil {
				return credentialOutput{}, err
			}
		}
		var updated store.Credential
		var made manage.Link
		if d.asksForKey(record) {
			updated, made, err = d.UpdateCredentialWithLink(ctx, actor(call), in.Version, record)
		} else {
			updated, err = d.UpdateCredential(ctx, actor(call), in.Version, record)
		}
		if err != nil {
			return credentialOutput{}, inWords(call, err, credentialHint)
		}
		return d.credentialDone(call, updated, made, "was changed"), nil
	})
}

// asksForKey reports whether a link is to be made: no key was given, and there
// is a page for it to be typed at.
func (d desk) asksForKey(c manage.Credential) bool { return c.Key.IsZero() && d.linkURL != nil }

// keyOf takes a key as people paste it.
func keyOf(argument string) secret.Text { return secret.NewText(strings.TrimSpace(argument)) }

func parseDay(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return time.Time{}, tools.Invalid(`"expires_on" is no day.`, "Write one such as 2027-01-31.")
	}
	return t, nil
}

func (d desk) credentialDone(call *tools.AdminCall, c store.Credential, made manage.Link, what string) credentialOutput {
	out := credentialOutput{Credential: viewCredential(c)}
	words := fmt.Sprintf("Credential %s of provider %s %s; its key is %s.", c.Name, c.Provider, what, manage.KeyWords(c))
	test := fmt.Sprintf("%s with provider %q and name %q asks Bitbucket what the key is good for.", call.ToolName("test_credential"), c.Provider, c.Name)
	switch {
	case !made.Token.IsZero():
		url, err := d.linkURL(made.Token, made.Expires)
		if err != nil {
			// The credential is there; only the page is not.
			words += " The page at which its key is typed could not be opened."
			out.NextSteps = []string{setByCommand(c)}
			break
		}
		out.Link = &link{url, timestamp(made.Expires)}
		words += fmt.Sprintf(" Hand the link to the person who has the key: it is typed there, past this conversation. The link is good once, until %s.", timestamp(made.Expires))
		out.NextSteps = []string{"When the key has been typed: " + test}
	case !c.KeySet:
		out.NextSteps = []string{setByCommand(c), "Then: " + test}
	default:
		out.NextSteps = []string{test}
	}
	out.Summary = words
	return out
}

// setByCommand says how a key is set without a link.
func setByCommand(c store.Credential) string {
	return fmt.Sprintf("On the server's machine: bucketgate credential update %q --provider %q --api-key-stdin", c.Name, c.Provider)
}

func (d desk) deleteCredential() tools.Tool {
	return tools.DefineAdmin(tools.Tool{
		Name:        "delete_credential",
		Title:       "Remove a credential",
		Description: "Removes a credential, with its key, that no scope uses; otherwise it is refused with their names.",
		Effect:      tools.Changes,
	}, func(ctx context.Context, call *tools.AdminCall, in ofProvider) (deleted, error) {
		if err := d.DeleteCredential(ctx, actor(call), in.Provider, in.Name); err != nil {
			return deleted{}, inWords(call, err, credentialHint)
		}
		return deleted{"Credential " + in.Name + " of provider " + in.Provider + " was removed."}, nil
	})
}

type testCredentialOutput struct {
	Summary   string   `json:"summary"`
	Works     bool     `json:"works" jsonschema:"description=For reading"`
	Provider  string   `json:"provider"`
	Name      string   `json:"name"`
	Who       string   `json:"who"`
	Workspace string   `json:"workspace"`
	Missing   []string `json:"missing" jsonschema:"description=Permissions that the tools need and it has not"`
	Beyond    []string `json:"beyond" jsonschema:"description=Permissions that no tool needs"`
	Unknown   int      `json:"unknown,omitempty" jsonschema:"description=Further permissions that this release does not know"`
}

func (d desk) testCredential() tools.Tool {
	return tools.DefineAdmin(tools.Tool{
		Name:        "test_credential",
		Title:       "Test a credential",
		Description: "Asks Bitbucket what a credential is good for: whom it belongs to, whether the workspace can be reached, and which permissions are missing or more than needed. Changes nothing.",
		Effect:      tools.Reads,
	}, func(ctx context.Context, call *tools.AdminCall, in ofProvider) (testCredentialOutput, error) {
		test, err := d.TestCredential(ctx, actor(call), in.Provider, in.Name)
		if err != nil {
			return testCredentialOutput{}, inWords(call, err, credentialHint)
		}
		return testCredentialOutput{
			Summary: test.Summary(), Works: test.Works, Provider: test.Provider, Name: test.Name, Who: test.Who,
			Workspace: test.Workspace, Missing: texts(test.Missing), Beyond: texts(test.Beyond), Unknown: test.Unknown,
		}, nil
	})
}
