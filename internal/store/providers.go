package store

import (
	"database/sql"
	"net/url"
	"strings"
)

// A Provider is a workspace of a forge.
type Provider struct {
	Meta
	Name        string
	Type        string
	Workspace   string
	Description string
	API         string // base address
}

const providerQuery = `SELECT id, name, type, workspace, description, api, ` + metaColumns + ` FROM providers`

func scanProvider(row scanner) (Provider, error) {
	var p Provider
	err := row.Scan(append([]any{&p.ID, &p.Name, &p.Type, &p.Workspace, &p.Description, &p.API}, p.targets()...)...)
	return p, err
}

// Providers returns all providers in the order of their names.
func (tx *Tx) Providers() ([]Provider, error) {
	var list []Provider
	err := tx.each(providerQuery+` ORDER BY name`, nil, func(rows *sql.Rows) error {
		p, err := scanProvider(rows)
		list = append(list, p)
		return err
	})
	return list, wrap(err, "listing", providerKind, "")
}

// Provider returns the provider of this name, or [ErrNotFound].
func (tx *Tx) Provider(name string) (Provider, error) {
	p, err := scanProvider(tx.row(providerQuery+` WHERE name = ?`, name))
	return p, found(err, providerKind, name)
}

// ProviderByID returns the provider with this ID, or [ErrNotFound].
func (tx *Tx) ProviderByID(id string) (Provider, error) {
	p, err := scanProvider(tx.row(providerQuery+` WHERE id = ?`, id))
	return p, found(err, providerKind, id)
}

// CreateProvider adds a provider and returns it with its ID, or [ErrExists].
func (tx *Tx) CreateProvider(p Provider) (_ Provider, err error) {
	defer tx.changing(&err)()
	p.Meta = tx.newMeta(p.UpdatedBy)
	err = tx.insert(providerKind, p.Name, `INSERT INTO providers (id, name, type, workspace, description, api, `+metaColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		append([]any{p.ID, p.Name, p.Type, p.Workspace, p.Description, p.API}, p.values()...)...)
	return p, err
}

// UpdateProvider replaces a provider and returns it with its new version, or
// [ErrConflict] where p.Version is not the current one. While the provider has
// a credential its address and its workspace cannot change: the keys are sealed
// for them, and a changed address would carry a key away.
func (tx *Tx) UpdateProvider(p Provider) (_ Provider, err error) {
	defer tx.changing(&err)()
	old, err := tx.ProviderByID(p.ID)
	if err != nil {
		return Provider{}, err
	}
	if old.API != p.API || old.Workspace != p.Workspace {
		if err := tx.unused(providerKind, old.Name, `SELECT 'credential', name FROM credentials WHERE provider_id = ? ORDER BY name`, p.ID); err != nil {
			return Provider{}, err
		}
	}
	p.CreatedAt = old.CreatedAt
	err = tx.update(providerKind, p.Name, &p.Meta, `name = ?, type = ?, workspace = ?, description = ?, api = ?`,
		p.Name, p.Type, p.Workspace, p.Description, p.API)
	return p, err
}

// DeleteProvider removes a provider that no credential belongs to; else the
// error is an [*InUse].
func (tx *Tx) DeleteProvider(id string, version int64) (err error) {
	defer tx.changing(&err)()
	name, err := tx.nameOf(providerKind, id)
	if err != nil {
		return err
	}
	err = tx.unused(providerKind, name, providerUsers, id, id)
	if err != nil {
		return err
	}
	return tx.delete(providerKind, name, id, version)
}

// unused returns an [*InUse] when the query finds users of the record.
func (tx *Tx) unused(k kind, name, query string, args ...any) error {
	inUse := &InUse{Record: quote(k.word, name)}
	err := tx.each(query, args, func(rows *sql.Rows) error {
		var word, user string
		err := rows.Scan(&word, &user)
		inUse.Users = append(inUse.Users, quote(word, user))
		return err
	})
	if err != nil {
		return wrap(err, "looking for the users of", k, name)
	}
	if len(inUse.Users) > 0 {
		return inUse
	}
	return nil
}

// origin is where an API address leads: scheme, host and port.
func origin(api string) string {
	u, err := url.Parse(api)
	if err != nil {
		return api
	}
	return strings.ToLower(u.Scheme + "://" + u.Host)
}
