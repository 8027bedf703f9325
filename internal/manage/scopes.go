package manage

import (
	"cmp"
	"context"
	"errors"

	"bucketgate/internal/store"
	"bucketgate/policy"
)

// A Scope is a scope as it is written down.
type Scope struct {
	Name                string // never changes
	Provider            string
	Credential          string // of that provider
	Description         string
	Repositories        []string
	ExcludeRepositories []string
	Branches            []string
	ExcludeBranches     []string
	Actions             []policy.Action // read where it is empty

	// An update that empties a list which was not empty must say so: an empty
	// list means all, and must not come of a forgotten field.
	AllRepositories bool
	AllBranches     bool
}

// CreateScope adds a scope and returns the linter's words on its patterns.
func (s *Service) CreateScope(ctx context.Context, actor Actor, scope Scope) (store.Scope, []policy.Warning, error) {
	var created store.Scope
	var warnings []policy.Warning
	a := action{actor: actor, tool: "create_scope", target: scope.Name, scope: scope.Name}
	err := s.change(ctx, a, func(tx *store.Tx) error {
		record, compiled, err := scopeRecord(tx, actor, scope)
		if err != nil {
			return err
		}
		warnings = compiled.Warnings()
		created, err = tx.CreateScope(record)
		return err
	})
	return created, warnings, err
}

// UpdateScope replaces a scope but for its name, and returns the linter's
// words on its patterns.
func (s *Service) UpdateScope(ctx context.Context, actor Actor, version int64, scope Scope) (store.Scope, []policy.Warning, error) {
	var updated store.Scope
	var warnings []policy.Warning
	a := action{actor: actor, tool: "update_scope", target: scope.Name, scope: scope.Name}
	err := s.change(ctx, a, func(tx *store.Tx) error {
		current, err := findScope(tx, scope.Name)
		if err != nil {
			return err
		}
		if err := checkEmptied(current, scope); err != nil {
			return err
		}
		record, compiled, err := scopeRecord(tx, actor, scope)
		if err != nil {
			return err
		}
		record.Meta = current.Meta
		record.UpdatedBy = actor.Name
		if version != 0 {
			record.Version = version
		}
		warnings = compiled.Warnings()
		updated, err = tx.UpdateScope(record)
		return err
	})
	return updated, warnings, err
}

func checkEmptied(current store.Scope, scope Scope) error {
	if len(current.Repositories) > 0 && len(scope.Repositories) == 0 && !scope.AllRepositories {
		return refuseAt("repositories", "an empty list of repositories means all of them: say all_repositories if that is meant, or give the patterns")
	}
	if len(current.Branches) > 0 && len(scope.Branches) == 0 && !scope.AllBranches {
		return refuseAt("branches", "an empty list of branches means all of them: say all_branches if that is meant, or give the patterns")
	}
	return nil
}

// DeleteScope removes a scope that no client holds.
func (s *Service) DeleteScope(ctx context.Context, actor Actor, name string) error {
	return s.change(ctx, action{actor: actor, tool: "delete_scope", target: name, scope: name}, func(tx *store.Tx) error {
		scope, err := findScope(tx, name)
		if err != nil {
			return err
		}
		return tx.DeleteScope(scope.ID, scope.Version)
	})
}

// Scopes returns all scopes in the order of their names.
func (s *Service) Scopes(ctx context.Context) ([]store.Scope, error) {
	var list []store.Scope
	err := s.config.Store.View(ctx, func(tx *store.Tx) (err error) {
		list, err = tx.Scopes()
		return err
	})
	return list, err
}

// scopeRecord judges what is written down of a scope: it must compile with
// the provider and the credential that it names.
func scopeRecord(tx *store.Tx, actor Actor, scope Scope) (store.Scope, policy.Scope, error) {
	provider, err := findProvider(tx, scope.Provider)
	if err != nil {
		return store.Scope{}, policy.Scope{}, at("provider", err)
	}
	credential, noCredential := findCredential(tx, scope.Provider, scope.Credential)
	if len(scope.Actions) == 0 {
		scope.Actions = []policy.Action{policy.Read}
	}
	// The patterns are judged even where the name or the credential is wrong,
	// so that all of it is told at once; then nothing is returned.
	compiled, uncompilable := policy.Compile(policy.Definition{
		Name: cmp.Or(scope.Name, "unnamed"), Description: scope.Description, API: provider.API, Workspace: provider.Workspace, Credential: cmp.Or(credential.ID, "none"),
		Repositories: scope.Repositories, ExcludeRepositories: scope.ExcludeRepositories,
		Branches: scope.Branches, ExcludeBranches: scope.ExcludeBranches, Actions: scope.Actions,
	})
	err = together(checkName("scope", scope.Name), checkDescription(scope.Description), at("credential", noCredential), uncompiled(uncompilable))
	if err != nil {
		return store.Scope{}, policy.Scope{}, err
	}
	return store.Scope{
		Meta: store.Meta{UpdatedBy: actor.Name}, Name: scope.Name, ProviderID: provider.ID, CredentialID: credential.ID,
		Description:  scope.Description,
		Repositories: scope.Repositories, ExcludeRepositories: scope.ExcludeRepositories,
		Branches: scope.Branches, ExcludeBranches: scope.ExcludeBranches, Actions: scope.Actions,
	}, compiled, nil
}

// uncompiled says which field of a scope does not compile.
func uncompiled(err error) error {
	if err == nil {
		return nil
	}
	field := ""
	if pattern, ok := errors.AsType[*policy.InvalidPattern](err); ok {
		field = pattern.Field
	}
	return &Refused{Words: err.Error(), Field: field, Err: err}
}

func findScope(tx *store.Tx, name string) (store.Scope, error) {
	scope, err := tx.Scope(name)
	if !errors.Is(err, store.ErrNotFound) {
		return scope, err
	}
	all, err := tx.Scopes()
	if err != nil {
		return store.Scope{}, err
	}
	var known []string
	for _, s := range all {
		known = append(known, s.Name)
	}
	return store.Scope{}, unknown("scope", name, known)
}
