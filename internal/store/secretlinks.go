package store

import (
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// A SecretLink is a one-time link, at which a person types the key of one
// credential. What it is bound to is written down as it was when the link was
// made; whether it still is so, and whether the link is late, is for the caller
// to look at.
type SecretLink struct {
	TokenHash         []byte // of the token, which is stored nowhere
	CredentialID      string
	CredentialVersion int64
	Provider          string // names, for the audit log
	Credential        string
	API               string
	Workspace         string
	AskedBy           string
	AskedThrough      string // transport
	CreatedAt         time.Time
	ExpiresAt         time.Time
	UsedAt            time.Time // zero for a link that was not used
}

// CreateSecretLink adds a link. Links are no records: watchers are not told.
func (tx *Tx) CreateSecretLink(l SecretLink) (err error) {
	defer tx.writing(&err)()
	_, err = tx.exec(`INSERT INTO secret_links (token_hash, credential_id, credential_version, provider, credential, api, workspace, asked_by, asked_through, created_at, expires_at, used_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
		l.TokenHash, l.CredentialID, l.CredentialVersion, l.Provider, l.Credential, l.API, l.Workspace, l.AskedBy, l.AskedThrough, micros(l.CreatedAt), micros(l.ExpiresAt))
	if err != nil {
		return fmt.Errorf("making a one-time link: %w", err)
	}
	return nil
}

// SecretLink returns the link whose token has this hash, or [ErrNotFound].
func (tx *Tx) SecretLink(tokenHash []byte) (SecretLink, error) {
	l := SecretLink{TokenHash: tokenHash}
	err := tx.row(`SELECT credential_id, credential_version, provider, credential, api, workspace, asked_by, asked_through, created_at, expires_at, used_at
		FROM secret_links WHERE token_hash = ?`, tokenHash).Scan(
		&l.CredentialID, &l.CredentialVersion, &l.Provider, &l.Credential, &l.API, &l.Workspace, &l.AskedBy, &l.AskedThrough,
		(*microTime)(&l.CreatedAt), (*microTime)(&l.ExpiresAt), (*microTime)(&l.UsedAt))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return SecretLink{}, say(ErrNotFound, "there is no such one-time link")
	case err != nil:
		return SecretLink{}, fmt.Errorf("reading a one-time link: %w", err)
	}
	return l, nil
}

// UseSecretLink marks a link as used, together with the change that it was used
// for. One that was used already is [ErrConflict]: of two who come at once one
// gets it.
func (tx *Tx) UseSecretLink(tokenHash []byte) (err error) {
	defer tx.writing(&err)()
	used, err := tx.exec(`UPDATE secret_links SET used_at = ? WHERE token_hash = ? AND used_at = 0`, micros(tx.Now()), tokenHash)
	if err != nil {
		return fmt.Errorf("using a one-time link: %w", err)
	}
	if used == 0 {
		return say(ErrConflict, "the one-time link was used already")
	}
	return nil
}

// SweepSecretLinks removes the links that expired before this time, used or
// not.
func (tx *Tx) SweepSecretLinks(before time.Time) (err error) {
	defer tx.writing(&err)()
	if _, err := tx.exec(`DELETE FROM secret_links WHERE expires_at < ?`, micros(before)); err != nil {
		return fmt.Errorf("removing old one-time links: %w", err)
	}
	return nil
}
