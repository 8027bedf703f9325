package store

import (
	"database/sql"
	"fmt"
	"slices"
	"time"
)

// A Client is who connects with a key of its own. Of the key only the hash is
// stored.
type Client struct {
	Meta
	Name       string
	Role       string
	Scopes     []string // names, in order
	KeyPrefix  string   // public part of the key; empty for a client without one
	KeyHash    []byte
	ExpiresAt  time.Time // zero for never
	RevokedAt  time.Time // zero for a client that is not revoked
	LastUsedAt time.Time
}

const (
	clientQuery = `SELECT id, name, role, COALESCE(key_prefix, ''), key_hash, expires_at, revoked_at, last_used_at, ` + metaColumns + ` FROM clients`
	// holdings are the names of the scopes that clients hold.
	holdings = `SELECT h.client_id, s.name FROM client_scopes h JOIN scopes s ON s.id = h.scope_id`
)

func scanClient(row scanner) (Client, error) {
	var c Client
	err := row.Scan(append([]any{&c.ID, &c.Name, &c.Role, &c.KeyPrefix, &c.KeyHash, (*microTime)(&c.ExpiresAt), (*microTime)(&c.RevokedAt), (*microTime)(&c.LastUsedAt)}, c.targets()...)...)
	return c, err
}

// Clients returns all clients in the order of their names.
func (tx *Tx) Clients() ([]Client, error) {
	var list []Client
	places := map[string]int{}
	err := tx.each(clientQuery+` ORDER BY name`, nil, func(rows *sql.Rows) error {
		c, err := scanClient(rows)
		places[c.ID] = len(list)
		list = append(list, c)
		return err
	})
	if err != nil {
		return nil, wrap(err, "listing", clientKind, "")
	}
	err = tx.each(holdings+` ORDER BY s.name`, nil, func(rows *sql.Rows) error {
		var id, scope string
		err := rows.Scan(&id, &scope)
		if i, ok := places[id]; ok {
			list[i].Scopes = append(list[i].Scopes, scope)
		}
		return err
	})
	return list, wrap(err, "listing", clientKind, "")
}

// Client returns the client of this name, or [ErrNotFound].
func (tx *Tx) Client(name string) (Client, error) {
	return tx.client(name, clientQuery+` WHERE name = ?`, name)
}

// ClientByID returns the client with this ID, or [ErrNotFound].
func (tx *Tx) ClientByID(id string) (Client, error) {
	return tx.client(id, clientQuery+` WHERE id = ?`, id)
}

// ClientByKeyPrefix returns the client whose key begins with the prefix, or
// [ErrNotFound]. Whether it is revoked or expired, and whether the key is its
// key, is for the caller to look at; secret.SameHash compares.
func (tx *Tx) ClientByKeyPrefix(prefix string) (Client, error) {
	if prefix == "" {
		return Client{}, notFound("client with the key", prefix)
	}
	return tx.client(prefix, clientQuery+` WHERE key_prefix = ?`, prefix)
}

func (tx *Tx) client(name, query string, arg any) (Client, error) {
	c, err := scanClient(tx.row(query, arg))
	if err != nil {
		return Client{}, found(err, clientKind, name)
	}
	c.Scopes, err = tx.texts(`SELECT s.name FROM client_scopes h JOIN scopes s ON s.id = h.scope_id WHERE h.client_id = ? ORDER BY s.name`, c.ID)
	return c, wrap(err, "reading", clientKind, name)
}

// CreateClient adds a client and returns it as it reads back. A scope that does
// not exist is [ErrNotFound].
func (tx *Tx) CreateClient(c Client) (_ Client, err error) {
	defer tx.changing(&err)()
	c.Meta = tx.newMeta(c.UpdatedBy)
	values := append([]any{c.ID}, c.columns()...)
	err = tx.insert(clientKind, c.Name, `INSERT INTO clients (id, name, role, key_prefix, key_hash, expires_at, revoked_at, last_used_at, `+metaColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		append(append(values, micros(c.LastUsedAt)), c.values()...)...)
	if err != nil {
		return Client{}, err
	}
	return tx.writeHoldings(c)
}

func (c *Client) columns() []any {
	var prefix any
	if c.KeyPrefix != "" {
		prefix = c.KeyPrefix
	}
	return []any{c.Name, c.Role, prefix, c.KeyHash, micros(c.ExpiresAt), micros(c.RevokedAt)}
}

// UpdateClient replaces a client, also its key, but for LastUsedAt, and returns
// it as it reads back, or [ErrConflict].
func (tx *Tx) UpdateClient(c Client) (_ Client, err error) {
	defer tx.changing(&err)()
	err = tx.update(clientKind, c.Name, &c.Meta, `name = ?, role = ?, key_prefix = ?, key_hash = ?, expires_at = ?, revoked_at = ?`, c.columns()...)
	if err != nil {
		return Client{}, err
	}
	return tx.writeHoldings(c)
}

func (tx *Tx) writeHoldings(c Client) (Client, error) {
	if _, err := tx.exec(`DELETE FROM client_scopes WHERE client_id = ?`, c.ID); err != nil {
		return Client{}, wrap(err, "updating", clientKind, c.Name)
	}
	for _, scope := range slices.Compact(slices.Sorted(slices.Values(c.Scopes))) {
		added, err := tx.exec(`INSERT INTO client_scopes (client_id, scope_id) SELECT ?, id FROM scopes WHERE name = ?`, c.ID, scope)
		switch {
		case err != nil:
			return Client{}, wrap(err, "updating", clientKind, c.Name)
		case added == 0:
			return Client{}, notFound("scope", scope)
		}
	}
	return tx.ClientByID(c.ID)
}

// TouchClient notes that a client was at work. It changes neither the client's
// version nor what watchers are told: a call must not make every process load
// the records anew.
func (tx *Tx) TouchClient(id string, at time.Time) (err error) {
	defer tx.writing(&err)()
	if _, err := tx.exec(`UPDATE clients SET last_used_at = ? WHERE id = ? AND last_used_at < ?`, micros(at), id, micros(at)); err != nil {
		return fmt.Errorf("noting the use of a client: %w", err)
	}
	return nil
}

// DeleteClient removes a client for good. To revoke one, which keeps its name
// for the audit log, update it with RevokedAt.
func (tx *Tx) DeleteClient(id string, version int64) (err error) {
	defer tx.changing(&err)()
	name, err := tx.nameOf(clientKind, id)
	if err != nil {
		return err
	}
	return tx.delete(clientKind, name, id, version)
}
