package store

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Page chooses a part of a list that is in the order of its names.
type Page struct {
	Search string // a piece of the name, in any case; empty for all
	After  string // the last name of the page before
	Limit  int
}

// like is the pattern for a piece of text, for LIKE … ESCAPE '\'.
func like(piece string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(piece)) + "%"
}

// cut leaves out the row beyond the limit that says that there are more.
func cut[R any](rows []R, limit int) ([]R, bool) {
	if len(rows) > limit {
		return rows[:limit], true
	}
	return rows, false
}

// A ProviderSummary is a provider with how much belongs to it.
type ProviderSummary struct {
	Provider
	Credentials, Scopes int
}

// ProviderSummaries returns all providers in the order of their names.
func (tx *Tx) ProviderSummaries() ([]ProviderSummary, error) {
	var list []ProviderSummary
	err := tx.each(`SELECT p.id, p.name, p.type, p.workspace, p.description, p.api, p.version, p.created_at, p.updated_at, p.updated_by,
			(SELECT count(*) FROM credentials c WHERE c.provider_id = p.id), (SELECT count(*) FROM scopes s WHERE s.provider_id = p.id)
		FROM providers p ORDER BY p.name`, nil, func(rows *sql.Rows) error {
		var s ProviderSummary
		p := &s.Provider
		targets := append([]any{&p.ID, &p.Name, &p.Type, &p.Workspace, &p.Description, &p.API}, p.targets()...)
		err := rows.Scan(append(targets, &s.Credentials, &s.Scopes)...)
		list = append(list, s)
		return err
	})
	return list, wrap(err, "listing", providerKind, "")
}

// ScopePage returns a part of the scopes of the provider with this name, and
// whether there are more behind it.
func (tx *Tx) ScopePage(provider string, page Page) ([]Scope, bool, error) {
	var list []Scope
	err := tx.each(scopeQuery+` WHERE p.name = ? AND s.name > ? AND lower(s.name) LIKE ? ESCAPE '\' ORDER BY s.name LIMIT ?`,
		[]any{provider, page.After, like(page.Search), page.Limit + 1}, func(rows *sql.Rows) error {
			s, err := scanScope(rows)
			list = append(list, s)
			return err
		})
	list, more := cut(list, page.Limit)
	return list, more, wrap(err, "listing", scopeKind, "")
}

// ScopeNames returns the names of all scopes, in order.
func (tx *Tx) ScopeNames() ([]string, error) {
	names, err := tx.texts(`SELECT name FROM scopes ORDER BY name`)
	return names, wrap(err, "listing", scopeKind, "")
}

// ClientPage returns a part of the clients, and whether there are more behind
// it. Revoked ones are in it where revoked is true.
func (tx *Tx) ClientPage(page Page, revoked bool) ([]Client, bool, error) {
	var list []Client
	places := map[string]int{}
	query, args := clientQuery+` WHERE name > ? AND lower(name) LIKE ? ESCAPE '\'`, []any{page.After, like(page.Search)}
	if !revoked {
		query += ` AND revoked_at = 0`
	}
	err := tx.each(query+` ORDER BY name LIMIT ?`, append(args, page.Limit+1), func(rows *sql.Rows) error {
		c, err := scanClient(rows)
		places[c.ID] = len(list)
		list = append(list, c)
		return err
	})
	list, more := cut(list, page.Limit)
	if err != nil || len(list) == 0 {
		return list, more, wrap(err, "listing", clientKind, "")
	}
	ids := make([]any, len(list))
	for i, c := range list {
		ids[i] = c.ID
	}
	err = tx.each(holdings+` WHERE h.client_id IN (?`+strings.Repeat(`, ?`, len(ids)-1)+`) ORDER BY s.name`, ids, func(rows *sql.Rows) error {
		var id, scope string
		err := rows.Scan(&id, &scope)
		list[places[id]].Scopes = append(list[places[id]].Scopes, scope)
		return err
	})
	return list, more, wrap(err, "listing", clientKind, "")
}

// Counts say how much there is of each record. Revoked clients are not counted.
type Counts struct {
	Providers, Credentials, Scopes, Clients int

	Admins int // clients that are one and whose key is good
	Used   int // agents that were at work
}

// Counts counts the records, as they are at this time.
func (tx *Tx) Counts(now time.Time) (Counts, error) {
	var c Counts
	err := tx.row(`SELECT (SELECT count(*) FROM providers), (SELECT count(*) FROM credentials), (SELECT count(*) FROM scopes),
			count(*), count(CASE WHEN role = 'admin' AND key_prefix IS NOT NULL AND (expires_at = 0 OR expires_at > ?) THEN 1 END),
			count(CASE WHEN role = 'agent' AND last_used_at > 0 THEN 1 END)
		FROM clients WHERE revoked_at = 0`, micros(now)).Scan(&c.Providers, &c.Credentials, &c.Scopes, &c.Clients, &c.Admins, &c.Used)
	if err != nil {
		return Counts{}, fmt.Errorf("counting the records: %w", err)
	}
	return c, nil
}

// A User is a record that needs another one, which cannot be deleted
// therefore.
type User struct{ Kind, Name string }

// ProviderUsers returns at most limit records that need the provider with this
// ID.
func (tx *Tx) ProviderUsers(id string, limit int) ([]User, error) {
	return tx.users(providerKind, limit, providerUsers, id, id)
}

// CredentialUsers does the same for a credential.
func (tx *Tx) CredentialUsers(id string, limit int) ([]User, error) {
	return tx.users(credentialKind, limit, credentialUsers, id)
}

// ScopeUsers does the same for a scope. A revoked client needs nothing.
func (tx *Tx) ScopeUsers(id string, limit int) ([]User, error) {
	return tx.users(scopeKind, limit, scopeUsers, id)
}

func (tx *Tx) users(k kind, limit int, query string, args ...any) ([]User, error) {
	var list []User
	err := tx.each(query+` LIMIT ?`, append(slices.Clone(args), limit), func(rows *sql.Rows) error {
		var u User
		err := rows.Scan(&u.Kind, &u.Name)
		list = append(list, u)
		return err
	})
	return list, wrap(err, "looking for the users of", k, "")
}

// What needs a record: who deletes it is refused with these, and who looks is
// shown the same.
const (
	providerUsers = `
		SELECT 'credential', name FROM credentials WHERE provider_id = ? UNION ALL
		SELECT 'scope', name FROM scopes WHERE provider_id = ? ORDER BY 1, 2`
	credentialUsers = `SELECT 'scope', name FROM scopes WHERE credential_id = ? ORDER BY name`
	scopeUsers      = `SELECT 'client', c.name FROM client_scopes h JOIN clients c ON c.id = h.client_id WHERE h.scope_id = ? AND c.revoked_at = 0 ORDER BY c.name`
)
