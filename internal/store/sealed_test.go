package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/internal/secret"
	"bucketgate/internal/store"
	"bucketgate/internal/store/storetest"
)

func requireMode(t *testing.T, want fs.FileMode, path string) {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, want, info.Mode().Perm(), path)
}

// No byte of a key is in the database, its log, a backup, or what a rotation
// or a removal leaves behind.
func TestNoKeyIsInAnyFile(t *testing.T) {
	config := newConfig(t)
	s := open(t, config)
	const canary, pin = "ATATT-canary-3kF9-xQ2-do-not-find-me", "pin-canary-77-do-not-find-me"
	clientKey, prefix, hash := secret.NewClientKey()
	p := storetest.MustProvider(t, s, "acme")
	var c store.Credential
	storetest.MustUpdate(t, s, func(tx *store.Tx) (err error) {
		c, err = tx.CreateCredential(store.Credential{ProviderID: p.ID, Name: "ci", Key: secret.NewText(canary), Fields: []store.Field{{Key: "pin", Sensitive: true, Secret: secret.NewText(pin)}}})
		if err != nil {
			return err
		}
		_, err = tx.CreateClient(store.Client{Name: "claude", KeyPrefix: prefix, KeyHash: hash})
		return err
	})
	needles := map[string][]byte{}
	masterKey, err := os.ReadFile(filepath.Join(filepath.Dir(filepath.Dir(config.Database)), "master.key"))
	require.NoError(t, err)
	raw, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(masterKey[bytes.IndexByte(masterKey, ':')+1:])))
	require.NoError(t, err)
	for name, text := range map[string]string{"key": canary, "pin": pin, "client key": clientKey.Reveal()[len(prefix)+1:], "master key": string(raw)} {
		needles[name] = []byte(text)
		needles[name+" in hex"] = []byte(hex.EncodeToString([]byte(text)))
		needles[name+" in base64"] = []byte(base64.StdEncoding.EncodeToString([]byte(text)))
		needles[name+" in part"] = []byte(text)[4:20]
	}
	search := func(folder string) {
		t.Helper()
		files, err := os.ReadDir(folder)
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			contents, err := os.ReadFile(filepath.Join(folder, file.Name()))
			require.NoError(t, err)
			for name, needle := range needles {
				require.False(t, bytes.Contains(contents, needle), "the %s is in %s", name, file.Name())
			}
		}
	}
	backups := t.TempDir()
	backup := func(name string) {
		require.NoError(t, s.Backup(context.Background(), filepath.Join(backups, name)))
	}
	search(filepath.Dir(config.Database))
	backup("one")
	require.NoError(t, s.RotateKeys(context.Background()))
	storetest.MustUpdate(t, s, func(tx *store.Tx) error {
		c.Fields = nil
		_, err := tx.UpdateCredential(c)
		return err
	})
	backup("two")
	search(filepath.Dir(config.Database))
	search(backups)
	require.NoError(t, s.Close())
	search(filepath.Dir(config.Database))
}

// Who edits the database cannot make a key go where it does not belong.
func TestAMovedCiphertextDoesNotOpen(t *testing.T) {
	for name, statement := range map[string]string{
		"to another credential": `UPDATE sealed_values SET sealed = (SELECT sealed FROM sealed_values WHERE credential_id = :other AND name = 'api_key'), version = (SELECT version FROM sealed_values WHERE credential_id = :other AND name = 'api_key') WHERE credential_id = :c AND name = 'api_key'`,
		"to another column":     `UPDATE sealed_values SET sealed = (SELECT sealed FROM sealed_values WHERE credential_id = :c AND name = 'field:pin'), version = (SELECT version FROM sealed_values WHERE credential_id = :c AND name = 'field:pin') WHERE credential_id = :c AND name = 'api_key' AND :other != ''`,
		"to another provider":   `UPDATE credentials SET provider_id = (SELECT id FROM providers WHERE name = 'mallory') WHERE id = :c AND :other != ''`,
		"to another address":    `UPDATE providers SET api = 'https://evil.example/2.0' WHERE name = 'acme' AND :c != :other`,
		"to another port":       `UPDATE providers SET api = 'https://api.bitbucket.org:8443/2.0' WHERE name = 'acme' AND :c != :other`,
		"to plain http":         `UPDATE providers SET api = 'http://api.bitbucket.org/2.0' WHERE name = 'acme' AND :c != :other`,
		"to another workspace":  `UPDATE providers SET workspace = 'mallory' WHERE name = 'acme' AND :c != :other`,
		"to another version":    `UPDATE sealed_values SET version = version + 1 WHERE credential_id = :c AND name = 'api_key' AND :other != ''`,
		"cut short":             `UPDATE sealed_values SET sealed = substr(sealed, 1, length(sealed) - 1) WHERE credential_id = :c AND name = 'api_key' AND :other != ''`,
	} {
		t.Run(name, func(t *testing.T) {
			config := newConfig(t)
			s := open(t, config)
			p := storetest.MustProvider(t, s, "acme")
			storetest.MustProvider(t, s, "mallory")
			other := storetest.MustCredential(t, s, p, "other", "other-key-0123")
			var c store.Credential
			storetest.MustUpdate(t, s, func(tx *store.Tx) (err error) {
				c, err = tx.CreateCredential(store.Credential{ProviderID: p.ID, Name: "ci", Key: secret.NewText("0123456789abcdef"), Fields: []store.Field{{Key: "pin", Sensitive: true, Secret: secret.NewText("4711")}}})
				return err
			})
			edit(t, config, statement, sql.Named("c", c.ID), sql.Named("other", other.ID))
			_, err := s.CredentialKey(context.Background(), c.ID)
			require.ErrorIs(t, err, secret.ErrNotOpened)
			assert.ErrorContains(t, err, `the API key of credential "ci"`)
			assert.ErrorContains(t, err, "set it again")
			assert.ErrorContains(t, s.Check(context.Background()), `credential "ci"`)
		})
	}
}

// An old ciphertext, put back after the key was replaced, does not open: an old
// key may be one that leaked.
func TestAnOldCiphertextDoesNotOpen(t *testing.T) {
	config := newConfig(t)
	s := open(t, config)
	c := storetest.MustCredential(t, s, storetest.MustProvider(t, s, "acme"), "ci", "the-leaked-key")
	var old []byte
	require.NoError(t, editor(t, config).QueryRow(`SELECT sealed FROM sealed_values`).Scan(&old))
	storetest.MustUpdate(t, s, func(tx *store.Tx) error {
		c.Key = secret.NewText("the-fresh-key")
		_, err := tx.UpdateCredential(c)
		return err
	})
	edit(t, config, `UPDATE sealed_values SET sealed = ?`, old)
	_, err := s.CredentialKey(context.Background(), c.ID)
	assert.ErrorIs(t, err, secret.ErrNotOpened)
}

// A rotation leaves what does not open, names it, and goes on with the rest.
func TestRotationNamesWhatDoesNotOpen(t *testing.T) {
	config := newConfig(t)
	s := open(t, config)
	p := storetest.MustProvider(t, s, "acme")
	good, bad := storetest.MustCredential(t, s, p, "good", "good-key-0123"), storetest.MustCredential(t, s, p, "bad", "bad-key-0123")
	edit(t, config, `UPDATE sealed_values SET version = 99 WHERE credential_id = ?`, bad.ID)
	err := s.RotateKeys(context.Background())
	require.ErrorIs(t, err, secret.ErrNotOpened)
	assert.ErrorContains(t, err, `"bad"`)
	assert.NotContains(t, err.Error(), `"good"`)
	status, err := s.KeyStatus(context.Background())
	require.NoError(t, err)
	require.Len(t, status.Keys, 2, "the key of what is left is not dropped")
	_, err = s.CredentialKey(context.Background(), good.ID)
	require.NoError(t, err)

	storetest.MustUpdate(t, s, func(tx *store.Tx) error {
		bad.Key = secret.NewText("bad-key-set-again")
		_, err := tx.UpdateCredential(bad)
		return err
	})
	require.NoError(t, s.RotateKeys(context.Background()))
	status, err = s.KeyStatus(context.Background())
	require.NoError(t, err)
	assert.Len(t, status.Keys, 1)
}

// A row that belongs to no credential must not keep an old key: who puts one
// there would have every rotation from then on keep the key that leaked.
func TestARowOfNobodyKeepsNoKey(t *testing.T) {
	config := newConfig(t)
	s := open(t, config)
	c := storetest.MustCredential(t, s, storetest.MustProvider(t, s, "acme"), "ci", "0123456789abcdef")
	edit(t, config, `INSERT INTO sealed_values (credential_id, name, version, sealed) SELECT 'nobody', name, version, sealed FROM sealed_values`)
	old, err := s.KeyStatus(context.Background())
	require.NoError(t, err)
	require.NoError(t, s.RotateKeys(context.Background()))
	status, err := s.KeyStatus(context.Background())
	require.NoError(t, err)
	require.Len(t, status.Keys, 1)
	assert.NotEqual(t, old.Keys[0].ID, status.Keys[0].ID)
	assert.Equal(t, 1, status.Keys[0].Values)
	assert.Zero(t, status.Lost)
	_, err = s.CredentialKey(context.Background(), c.ID)
	require.NoError(t, err)
	assert.ErrorContains(t, s.Check(context.Background()), "a row of sealed_values belongs to a record that is not there")
}
