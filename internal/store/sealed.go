package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"

	"bucketgate/internal/secret"
)

// A sealedValue is a row of sealed_values with what its binding is made of.
type sealedValue struct {
	credentialID, credential, provider string
	name                               string
	version                            int64
	sealed                             []byte
	api, workspace                     string
}

const sealedQuery = `
	SELECT v.credential_id, c.name, p.name, v.name, v.version, v.sealed, p.api, p.workspace
	FROM sealed_values v JOIN credentials c ON c.id = v.credential_id JOIN providers p ON p.id = c.provider_id`

func scanSealed(row scanner) (sealedValue, error) {
	var v sealedValue
	err := row.Scan(&v.credentialID, &v.credential, &v.provider, &v.name, &v.version, &v.sealed, &v.api, &v.workspace)
	return v, err
}

// binding is where the value belongs. Origin and workspace are read from the
// provider that the credential belongs to now: a key does not open under a
// provider with another address, whoever wrote that into the database.
func (v sealedValue) binding() secret.Binding {
	return secret.Binding{
		Record: v.credentialID, Column: v.name, Version: strconv.FormatInt(v.version, 10),
		Origin: origin(v.api), Workspace: v.workspace,
	}
}

// seal stores a secret of a credential in place of the one that is there. The
// version is the credential's own count, which never goes back, so that an
// older ciphertext put back into the row does not open.
func (tx *Tx) seal(credentialID, name string, value secret.Text) error {
	keys, err := tx.keyset()
	if err != nil {
		return err
	}
	v := sealedValue{credentialID: credentialID, name: name}
	err = tx.row(`UPDATE credentials SET sealings = sealings + 1 WHERE id = ? RETURNING sealings`, credentialID).Scan(&v.version)
	if err == nil {
		err = tx.row(`SELECT p.api, p.workspace FROM credentials c JOIN providers p ON p.id = c.provider_id WHERE c.id = ?`, credentialID).Scan(&v.api, &v.workspace)
	}
	if err != nil {
		return fmt.Errorf("sealing: %w", err)
	}
	if v.sealed, err = keys.SealText(value, v.binding()); err != nil {
		return err
	}
	_, err = tx.exec(`INSERT INTO sealed_values (credential_id, name, version, sealed) VALUES (?, ?, ?, ?)
		ON CONFLICT (credential_id, name) DO UPDATE SET version = excluded.version, sealed = excluded.sealed`, v.credentialID, v.name, v.version, v.sealed)
	if err != nil {
		return fmt.Errorf("storing a sealed value: %w", err)
	}
	return nil
}

// CredentialKey returns the API key of the credential with this ID. The error
// is [ErrNotFound], [ErrNoKey], or, for a ciphertext that was moved or changed,
// [secret.ErrNotOpened].
func (s *Store) CredentialKey(ctx context.Context, credentialID string) (secret.Text, error) {
	var key secret.Text
	err := s.View(ctx, func(tx *Tx) error {
		v, err := scanSealed(tx.row(sealedQuery+` WHERE v.credential_id = ? AND v.name = ?`, credentialID, keyName))
		if errors.Is(err, sql.ErrNoRows) {
			return tx.noKey(credentialID)
		}
		if err != nil {
			return fmt.Errorf("reading the key of a credential: %w", err)
		}
		key, err = tx.open(v)
		return err
	})
	return key, err
}

func (tx *Tx) noKey(credentialID string) error {
	name, err := tx.nameOf(credentialKind, credentialID)
	if err != nil {
		return err
	}
	return say(ErrNoKey, "no API key is set for credential %q", name)
}

// open opens a sealed value. The keyset is the one of the same transaction, and
// so of the same moment as the value: no rotation can come between them.
func (tx *Tx) open(v sealedValue) (secret.Text, error) {
	keys, err := tx.keyset()
	if err != nil {
		return secret.Text{}, err
	}
	value, err := keys.OpenText(v.sealed, v.binding())
	if err != nil {
		return secret.Text{}, &said{kind: err, words: fmt.Sprintf(
			"the %s of credential %q (provider %q) does not open: it was changed in the database, or moved there from elsewhere; set it again", v.word(), v.credential, v.provider)}
	}
	return value, nil
}

func (v sealedValue) word() string {
	if v.name == keyName {
		return "API key"
	}
	return "sensitive " + v.name
}
