package manage

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"bucketgate/internal/secret"
	"bucketgate/internal/store"
)

// A Credential is an account or an access token of a provider as it is
// written down.
type Credential struct {
	Provider  string
	Name      string // unique within the provider
	Username  string // Atlassian account email; empty for an access token
	Key       secret.Text
	Fields    []store.Field
	ExpiresOn time.Time // a day; zero for none
}

const (
	maxFields     = 32
	maxFieldBytes = 4096
	maxKeyBytes   = 4096
)

// CreateCredential adds a credential. Without a key it is stored as "not set",
// and nothing can be asked with it until it has one.
func (s *Service) CreateCredential(ctx context.Context, actor Actor, c Credential) (store.Credential, error) {
	return s.createCredential(ctx, credentialAction(actor, "create_credential", c.Provider, c.Name), c, nil)
}

// createCredential adds a credential and, in the same transaction, what then
// does with it.
func (s *Service) createCredential(ctx context.Context, a action, c Credential, then func(*store.Tx, store.Credential) error) (store.Credential, error) {
	var created store.Credential
	err := s.change(ctx, a, func(tx *store.Tx) error {
		provider, err := findProvider(tx, c.Provider)
		if err != nil {
			return err
		}
		record, err := credentialRecord(a.actor, c)
		if err != nil {
			return err
		}
		if err := checkSensitive(record.Fields, nil); err != nil {
			return err
		}
		record.ProviderID = provider.ID
		if created, err = tx.CreateCredential(record); err != nil || then == nil {
			return err
		}
		return then(tx, created)
	})
	return created, err
}

// UpdateCredential replaces a credential. Without a key it keeps the stored
// one, and so it does with a sensitive field that has no value.
func (s *Service) UpdateCredential(ctx context.Context, actor Actor, version int64, c Credential) (store.Credential, error) {
	return s.updateCredential(ctx, credentialAction(actor, "update_credential", c.Provider, c.Name), version, c, nil)
}

func (s *Service) updateCredential(ctx context.Context, a action, version int64, c Credential, then func(*store.Tx, store.Credential) error) (store.Credential, error) {
	var updated store.Credential
	err := s.change(ctx, a, func(tx *store.Tx) error {
		current, err := findCredential(tx, c.Provider, c.Name)
		if err != nil {
			return err
		}
		record, err := credentialRecord(a.actor, c)
		if err != nil {
			return err
		}
		if err := checkSensitive(record.Fields, current.Fields); err != nil {
			return err
		}
		record.Meta, record.ProviderID = current.Meta, current.ProviderID
		record.UpdatedBy = a.actor.Name
		if version != 0 {
			record.Version = version
		}
		if updated, err = tx.UpdateCredential(record); err != nil || then == nil {
			return err
		}
		return then(tx, updated)
	})
	return updated, err
}

// checkSensitive refuses a sensitive field without a value, unless there is one
// to keep.
func checkSensitive(fields, current []store.Field) error {
	for _, f := range fields {
		kept := slices.ContainsFunc(current, func(c store.Field) bool { return c.Key == f.Key && c.Sensitive })
		if f.Sensitive && f.Secret.IsZero() && !kept {
			return refusef("the sensitive field %q needs a value", f.Key)
		}
	}
	return nil
}

// DeleteCredential removes a credential that no scope uses.
func (s *Service) DeleteCredential(ctx context.Context, actor Actor, provider, name string) error {
	return s.change(ctx, credentialAction(actor, "delete_credential", provider, name), func(tx *store.Tx) error {
		c, err := findCredential(tx, provider, name)
		if err != nil {
			return err
		}
		return tx.DeleteCredential(c.ID, c.Version)
	})
}

// Credentials returns the credentials of a provider, of all where it is empty.
func (s *Service) Credentials(ctx context.Context, provider string) ([]store.Credential, error) {
	var list []store.Credential
	err := s.config.Store.View(ctx, func(tx *store.Tx) (err error) {
		list, err = tx.Credentials(provider)
		return err
	})
	return list, err
}

func credentialAction(actor Actor, tool, provider, name string) action {
	return action{actor: actor, tool: tool, target: provider + "/" + name}
}

// credentialRecord judges what is written down of a credential. No refusal
// holds a value: it could be the key, typed into the wrong place.
func credentialRecord(actor Actor, c Credential) (store.Credential, error) {
	username, fields, badFields := splitFields(c)
	badKey := CheckKey(c.Key, username)
	if refused, ok := badKey.(*Refused); ok && badFields != nil && refused.Field == "username" {
		badKey = nil // the user name may stand in the fields that cannot be read
	}
	if err := together(checkName("credential", c.Name), badKey, badFields); err != nil {
		return store.Credential{}, err
	}
	return store.Credential{
		Meta: store.Meta{UpdatedBy: actor.Name}, Name: c.Name, Username: username,
		Fields: fields, ExpiresOn: c.ExpiresOn, Key: c.Key,
	}, nil
}

// splitFields takes the user name out of the fields: the guide's form has it
// there, and one who calls a field Username means just that.
func splitFields(c Credential) (username string, fields []store.Field, err error) {
	username = strings.TrimSpace(c.Username)
	if len(c.Fields) > maxFields {
		return "", nil, refuseAt("fields", "a credential has at most %d fields", maxFields)
	}
	seen := map[string]bool{}
	for _, field := range c.Fields {
		key := strings.TrimSpace(field.Key)
		if key == "" || len(key) > maxNameBytes || len(field.Value) > maxFieldBytes || len(field.Secret.Reveal()) > maxFieldBytes {
			return "", nil, refuseAt("fields", "a field has a key of at most %d characters and a value of at most %d bytes", maxNameBytes, maxFieldBytes)
		}
		if !utf8.ValidString(key + field.Value) {
			return "", nil, refuseAt("fields", "the key and the value of a field are text in UTF-8")
		}
		if seen[strings.ToLower(key)] {
			return "", nil, refuseAt("fields", "the field %q is given twice", key)
		}
		seen[strings.ToLower(key)] = true
		if !strings.EqualFold(key, "username") {
			field.Key = key
			fields = append(fields, field)
			continue
		}
		value := strings.TrimSpace(field.Value + field.Secret.Reveal())
		if username != "" && username != value {
			return "", nil, refuseAt("username", "the user name is given twice, and not the same")
		}
		username = value
	}
	return username, fields, nil
}

// CheckKey refuses a key, with its user name, that Bitbucket would refuse
// later and less clearly. A key that is not set is none.
func CheckKey(key secret.Text, username string) error {
	text := key.Reveal()
	switch {
	case strings.ContainsAny(username, ": \t\r\n") || !utf8.ValidString(username):
		return refuseAt("username", "the user name is the email of an Atlassian account: without blanks and ':'")
	case key.IsZero():
		return nil
	case len(text) > maxKeyBytes || strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return refuseAt("api_key", "the API key holds a blank or a control character, or is longer than %d bytes: give the bare key", maxKeyBytes)
	case strings.HasPrefix(text, "ATBB"):
		return refuseAt("api_key", "the API key is an app password, which Bitbucket has not taken since 2026-07-28: create an API token instead, and give the account's email as user name")
	case strings.HasPrefix(text, "ATATT") && username == "":
		return refuseAt("username", "the API key is an API token, which needs a user name: the email of the Atlassian account")
	}
	return nil
}

func findCredential(tx *store.Tx, provider, name string) (store.Credential, error) {
	if _, err := findProvider(tx, provider); err != nil {
		return store.Credential{}, err
	}
	c, err := tx.Credential(provider, name)
	if !errors.Is(err, store.ErrNotFound) {
		return c, err
	}
	all, err := tx.Credentials("")
	if err != nil {
		return store.Credential{}, err
	}
	var known []string
	for _, c := range all {
		switch {
		case c.Provider == provider:
			known = append(known, c.Name)
		case c.Name == name:
			// The other one's key must not go to this provider's address.
			return store.Credential{}, refusef("the credential %q is of provider %q, and not of %q: name one of that provider, or create one", name, c.Provider, provider)
		}
	}
	return store.Credential{}, unknown("credential", name, known)
}
