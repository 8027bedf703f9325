package store

import (
	"database/sql"
	"fmt"
	"slices"
	"time"

	"bucketgate/internal/secret"
)

// A Credential is an account or an access token of one provider. What is
// secret of it goes in and does not come back; only [Store.CredentialKey]
// returns the key.
type Credential struct {
	Meta
	ProviderID string
	Provider   string // its name; filled in by the store
	Name       string // unique within the provider
	Username   string
	Fields     []Field
	ExpiresOn  time.Time // a day, as midnight in UTC; zero for none

	Key secret.Text // to be set; zero keeps the key that is there

	KeySet   bool
	KeyHint  string // the last four characters of a key that has twelve or more
	KeySetAt time.Time
	KeySetBy string
}

// A Field is something else to know about a credential. It is never sent.
type Field struct {
	Key       string
	Value     string // of a field that is not sensitive
	Sensitive bool
	Secret    secret.Text // of a sensitive field, to be set; zero keeps what is there
}

const (
	keyName = "api_key"
	day     = time.DateOnly
)

func fieldName(key string) string { return "field:" + key }

const credentialQuery = `
	SELECT c.id, c.provider_id, p.name, c.name, c.username, c.expires_on, c.key_hint, c.key_set_at, c.key_set_by,
		EXISTS (SELECT 1 FROM sealed_values v WHERE v.credential_id = c.id AND v.name = '` + keyName + `'),
		c.version, c.created_at, c.updated_at, c.updated_by
	FROM credentials c JOIN providers p ON p.id = c.provider_id`

func scanCredential(row scanner) (Credential, error) {
	var c Credential
	var expires string
	err := row.Scan(append([]any{&c.ID, &c.ProviderID, &c.Provider, &c.Name, &c.Username, &expires, &c.KeyHint, (*microTime)(&c.KeySetAt), &c.KeySetBy, &c.KeySet}, c.targets()...)...)
	if err == nil && expires != "" {
		c.ExpiresOn, err = time.Parse(day, expires)
	}
	return c, err
}

// Credentials returns the credentials of a provider, or of all where provider
// is empty, in the order of their names.
func (tx *Tx) Credentials(provider string) ([]Credential, error) {
	var list []Credential
	places := map[string]int{}
	err := tx.each(credentialQuery+` WHERE ? = '' OR p.name = ? ORDER BY c.name, p.name`, []any{provider, provider}, func(rows *sql.Rows) error {
		c, err := scanCredential(rows)
		places[c.ID] = len(list)
		list = append(list, c)
		return err
	})
	if err != nil {
		return nil, wrap(err, "listing", credentialKind, "")
	}
	err = tx.eachField(`SELECT credential_id, key, value, sensitive FROM credential_fields ORDER BY credential_id, position`, nil, func(id string, f Field) {
		if i, ok := places[id]; ok {
			list[i].Fields = append(list[i].Fields, f)
		}
	})
	return list, wrap(err, "listing", credentialKind, "")
}

func (tx *Tx) eachField(query string, args []any, take func(id string, f Field)) error {
	return tx.each(query, args, func(rows *sql.Rows) error {
		var id string
		var f Field
		err := rows.Scan(&id, &f.Key, &f.Value, &f.Sensitive)
		take(id, f)
		return err
	})
}

// Credential returns the credential of this name of the provider of that name,
// or [ErrNotFound].
func (tx *Tx) Credential(provider, name string) (Credential, error) {
	return tx.credential(name, credentialQuery+` WHERE p.name = ? AND c.name = ?`, provider, name)
}

// CredentialByID returns the credential with this ID, or [ErrNotFound].
func (tx *Tx) CredentialByID(id string) (Credential, error) {
	return tx.credential(id, credentialQuery+` WHERE c.id = ?`, id)
}

func (tx *Tx) credential(name, query string, args ...any) (Credential, error) {
	c, err := scanCredential(tx.row(query, args...))
	if err != nil {
		return Credential{}, found(err, credentialKind, name)
	}
	err = tx.eachField(`SELECT credential_id, key, value, sensitive FROM credential_fields WHERE credential_id = ? ORDER BY position`, []any{c.ID},
		func(_ string, f Field) { c.Fields = append(c.Fields, f) })
	return c, wrap(err, "reading", credentialKind, name)
}

// CreateCredential adds a credential to the provider with the ID c.ProviderID
// and returns it as it reads back.
func (tx *Tx) CreateCredential(c Credential) (_ Credential, err error) {
	defer tx.changing(&err)()
	if _, err := tx.ProviderByID(c.ProviderID); err != nil {
		return Credential{}, err
	}
	c.Meta = tx.newMeta(c.UpdatedBy)
	err = tx.insert(credentialKind, c.Name, `INSERT INTO credentials (id, provider_id, name, username, expires_on, sealings, key_hint, key_set_at, key_set_by, `+metaColumns+`)
		VALUES (?, ?, ?, ?, ?, 0, '', 0, '', ?, ?, ?, ?)`,
		append([]any{c.ID, c.ProviderID, c.Name, c.Username, date(c.ExpiresOn)}, c.values()...)...)
	if err != nil {
		return Credential{}, err
	}
	return tx.writeSecrets(c, nil)
}

// UpdateCredential replaces a credential and returns it as it reads back, or
// [ErrConflict]. It stays with its provider. A zero Key, and the zero Secret of
// a field that was sensitive before, keep what is there.
func (tx *Tx) UpdateCredential(c Credential) (_ Credential, err error) {
	defer tx.changing(&err)()
	old, err := tx.CredentialByID(c.ID)
	if err != nil {
		return Credential{}, err
	}
	if c.ProviderID != old.ProviderID {
		return Credential{}, fmt.Errorf("credential %q belongs to provider %q and cannot move to another", old.Name, old.Provider)
	}
	err = tx.update(credentialKind, c.Name, &c.Meta, `name = ?, username = ?, expires_on = ?`, c.Name, c.Username, date(c.ExpiresOn))
	if err != nil {
		return Credential{}, err
	}
	return tx.writeSecrets(c, old.Fields)
}

// writeSecrets writes the fields, and seals the key and the sensitive ones that
// are to be set.
func (tx *Tx) writeSecrets(c Credential, oldFields []Field) (Credential, error) {
	if err := tx.writeFields(c, oldFields); err != nil {
		return Credential{}, err
	}
	if !c.Key.IsZero() {
		if err := tx.seal(c.ID, keyName, c.Key); err != nil {
			return Credential{}, err
		}
		_, err := tx.exec(`UPDATE credentials SET key_hint = ?, key_set_at = ?, key_set_by = ? WHERE id = ?`, c.Key.Hint(), micros(c.UpdatedAt), c.UpdatedBy, c.ID)
		if err != nil {
			return Credential{}, wrap(err, "updating", credentialKind, c.Name)
		}
	}
	return tx.CredentialByID(c.ID)
}

func (tx *Tx) writeFields(c Credential, old []Field) error {
	if _, err := tx.exec(`DELETE FROM credential_fields WHERE credential_id = ?`, c.ID); err != nil {
		return wrap(err, "updating", credentialKind, c.Name)
	}
	for i, f := range c.Fields {
		kept := slices.ContainsFunc(old, func(o Field) bool { return o.Key == f.Key && o.Sensitive })
		switch {
		case slices.ContainsFunc(c.Fields[:i], func(o Field) bool { return o.Key == f.Key }):
			return say(ErrExists, "credential %q has two fields %q", c.Name, f.Key)
		case f.Sensitive && f.Value != "" || !f.Sensitive && !f.Secret.IsZero():
			return fmt.Errorf("field %q: the value of a sensitive field is its Secret, and of another its Value", f.Key)
		case f.Sensitive && f.Secret.IsZero() && !kept:
			return fmt.Errorf("the sensitive field %q of credential %q needs a value", f.Key, c.Name)
		}
		_, err := tx.exec(`INSERT INTO credential_fields (credential_id, position, key, value, sensitive) VALUES (?, ?, ?, ?, ?)`, c.ID, i, f.Key, f.Value, f.Sensitive)
		if err != nil {
			return wrap(err, "writing a field of", credentialKind, c.Name)
		}
		if !f.Secret.IsZero() {
			if err := tx.seal(c.ID, fieldName(f.Key), f.Secret); err != nil {
				return err
			}
		}
	}
	return tx.dropFieldSecrets(c, old)
}

// dropFieldSecrets removes the sealed values of fields that are gone or no
// longer sensitive.
func (tx *Tx) dropFieldSecrets(c Credential, old []Field) error {
	for _, o := range old {
		if !o.Sensitive || slices.ContainsFunc(c.Fields, func(f Field) bool { return f.Key == o.Key && f.Sensitive }) {
			continue
		}
		if _, err := tx.exec(`DELETE FROM sealed_values WHERE credential_id = ? AND name = ?`, c.ID, fieldName(o.Key)); err != nil {
			return wrap(err, "removing a field of", credentialKind, c.Name)
		}
	}
	return nil
}

// DeleteCredential removes a credential, and all that is sealed of it, unless a
// scope uses it; then the error is an [*InUse].
func (tx *Tx) DeleteCredential(id string, version int64) (err error) {
	defer tx.changing(&err)()
	name, err := tx.nameOf(credentialKind, id)
	if err != nil {
		return err
	}
	if err := tx.unused(credentialKind, name, credentialUsers, id); err != nil {
		return err
	}
	return tx.delete(credentialKind, name, id, version)
}

func date(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(day)
}
