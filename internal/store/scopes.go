package store

import (
	"database/sql"
	"fmt"
	"strings"

	"bucketgate/policy"
)

// A Scope is a scope as it is stored, with its provider and its credential.
type Scope struct {
	Meta
	Name                string // never changes
	ProviderID          string
	Provider            string // its name; filled in by the store
	CredentialID        string
	Credential          string // its name; filled in by the store
	Description         string
	Repositories        []string
	ExcludeRepositories []string
	Branches            []string
	ExcludeBranches     []string
	Actions             []policy.Action
}

const (
	scopeColumns = `s.id, s.name, s.provider_id, p.name, s.credential_id, c.name, s.description,
		s.repositories, s.exclude_repositories, s.branches, s.exclude_branches, s.actions, s.version, s.created_at, s.updated_at, s.updated_by`
	scopeTables = ` FROM scopes s JOIN providers p ON p.id = s.provider_id JOIN credentials c ON c.id = s.credential_id`
	scopeQuery  = `SELECT ` + scopeColumns + scopeTables
)

// scanScope reads scopeColumns and then, into more, what stands behind them.
func scanScope(row scanner, more ...any) (Scope, error) {
	var s Scope
	var actions textList
	targets := []any{
		&s.ID, &s.Name, &s.ProviderID, &s.Provider, &s.CredentialID, &s.Credential, &s.Description,
		(*textList)(&s.Repositories), (*textList)(&s.ExcludeRepositories), (*textList)(&s.Branches), (*textList)(&s.ExcludeBranches), &actions,
	}
	err := row.Scan(append(append(targets, s.targets()...), more...)...)
	for _, a := range actions {
		s.Actions = append(s.Actions, policy.Action(a))
	}
	return s, err
}

// rules are the columns that an update may change.
func (s *Scope) rules() []any {
	var actions textList
	for _, a := range s.Actions {
		actions = append(actions, string(a))
	}
	return []any{s.ProviderID, s.CredentialID, s.Description, textList(s.Repositories).json(), textList(s.ExcludeRepositories).json(),
		textList(s.Branches).json(), textList(s.ExcludeBranches).json(), actions.json()}
}

// Scopes returns all scopes in the order of their names.
func (tx *Tx) Scopes() ([]Scope, error) {
	var list []Scope
	err := tx.each(scopeQuery+` ORDER BY s.name`, nil, func(rows *sql.Rows) error {
		s, err := scanScope(rows)
		list = append(list, s)
		return err
	})
	return list, wrap(err, "listing", scopeKind, "")
}

// Scope returns the scope of this name, or [ErrNotFound].
func (tx *Tx) Scope(name string) (Scope, error) {
	s, err := scanScope(tx.row(scopeQuery+` WHERE s.name = ?`, name))
	return s, found(err, scopeKind, name)
}

// ScopeByID returns the scope with this ID, or [ErrNotFound].
func (tx *Tx) ScopeByID(id string) (Scope, error) {
	s, err := scanScope(tx.row(scopeQuery+` WHERE s.id = ?`, id))
	return s, found(err, scopeKind, id)
}

// Definitions returns what [policy.Compile] makes scopes of, in the order of
// their names: of the scopes so named, or of all where no name is given. A name
// that no scope has is left out. Credential is the credential's ID.
func (tx *Tx) Definitions(names ...string) ([]policy.Definition, error) {
	query, args := `SELECT `+scopeColumns+`, p.api, p.workspace, c.version, c.updated_at`+scopeTables, []any{}
	if len(names) > 0 {
		query += ` WHERE s.name IN (?` + strings.Repeat(`, ?`, len(names)-1) + `)`
		for _, name := range names {
			args = append(args, name)
		}
	}
	var list []policy.Definition
	err := tx.each(query+` ORDER BY s.name`, args, func(rows *sql.Rows) error {
		var api, workspace string
		var version, updated int64
		s, err := scanScope(rows, &api, &workspace, &version, &updated)
		list = append(list, s.definition(api, workspace, fmt.Sprintf("%d.%d", version, updated)))
		return err
	})
	return list, wrap(err, "reading", scopeKind, "")
}

// definition takes the credential's version and the time of its last change
// together: after a restore a version may come a second time.
func (s Scope) definition(api, workspace, version string) policy.Definition {
	return policy.Definition{
		Name: s.Name, Description: s.Description, API: api, Workspace: workspace, Credential: s.CredentialID, Version: version,
		Repositories: s.Repositories, ExcludeRepositories: s.ExcludeRepositories, Branches: s.Branches, ExcludeBranches: s.ExcludeBranches, Actions: s.Actions,
	}
}

// CreateScope adds a scope with the credential and the provider of these IDs
// and returns it as it reads back. A credential of another provider is
// [ErrNotFound].
func (tx *Tx) CreateScope(s Scope) (_ Scope, err error) {
	defer tx.changing(&err)()
	if err := tx.checkCredential(s); err != nil {
		return Scope{}, err
	}
	s.Meta = tx.newMeta(s.UpdatedBy)
	values := append(append([]any{s.ID, s.Name}, s.rules()...), s.values()...)
	err = tx.insert(scopeKind, s.Name, `INSERT INTO scopes (id, name, provider_id, credential_id, description, repositories, exclude_repositories, branches, exclude_branches, actions, `+metaColumns+`)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, values...)
	if err != nil {
		return Scope{}, err
	}
	return tx.ScopeByID(s.ID)
}

// UpdateScope replaces a scope but for its name, which cannot change, and
// returns it as it reads back, or [ErrConflict].
func (tx *Tx) UpdateScope(s Scope) (_ Scope, err error) {
	defer tx.changing(&err)()
	name, err := tx.nameOf(scopeKind, s.ID)
	if err != nil {
		return Scope{}, err
	}
	if s.Name != name {
		return Scope{}, fmt.Errorf("the name of scope %q cannot change", name)
	}
	if err := tx.checkCredential(s); err != nil {
		return Scope{}, err
	}
	err = tx.update(scopeKind, s.Name, &s.Meta, `provider_id = ?, credential_id = ?, description = ?, repositories = ?, exclude_repositories = ?, branches = ?, exclude_branches = ?, actions = ?`, s.rules()...)
	if err != nil {
		return Scope{}, err
	}
	return tx.ScopeByID(s.ID)
}

func (tx *Tx) checkCredential(s Scope) error {
	provider, err := tx.nameOf(providerKind, s.ProviderID)
	if err != nil {
		return err
	}
	c, err := tx.CredentialByID(s.CredentialID)
	if err == nil && c.ProviderID != s.ProviderID {
		return say(ErrNotFound, "credential %q belongs to provider %q, and scope %q is of provider %q", c.Name, c.Provider, s.Name, provider)
	}
	return err
}

// DeleteScope removes a scope that no client holds; else the error is an
// [*InUse]. A revoked client holds nothing any more.
func (tx *Tx) DeleteScope(id string, version int64) (err error) {
	defer tx.changing(&err)()
	name, err := tx.nameOf(scopeKind, id)
	if err != nil {
		return err
	}
	err = tx.unused(scopeKind, name, scopeUsers, id)
	if err != nil {
		return err
	}
	if _, err := tx.exec(`DELETE FROM client_scopes WHERE scope_id = ?`, id); err != nil {
		return wrap(err, "deleting", scopeKind, name)
	}
	return tx.delete(scopeKind, name, id, version)
}
