package admin

import (
	"context"
	"fmt"
	"strings"

	"bucketgate/internal/manage"
	"bucketgate/internal/store"
	"bucketgate/policy"
	"bucketgate/tools"
)

const scopeHint = "{list_scopes} shows the names; {create_scope} adds one. Patterns are RE2 and match the whole name: ^duplocloud-.* and not duplocloud-*."

type scope struct {
	Name                string   `json:"name"`
	Provider            string   `json:"provider"`
	Credential          string   `json:"credential"`
	Description         string   `json:"description,omitempty"`
	Repositories        []string `json:"repositories" jsonschema:"description=Empty means all"`
	ExcludeRepositories []string `json:"exclude_repositories,omitempty"`
	Branches            []string `json:"branches" jsonschema:"description=Empty means all"`
	ExcludeBranches     []string `json:"exclude_branches,omitempty"`
	Actions             []string `json:"actions"`
	LeftOut             int      `json:"left_out,omitempty" jsonschema:"description=So many patterns are not shown; bucketgate scope show shows all"`
	change
}

func viewScope(r store.Scope) scope {
	v := scope{Name: r.Name, Provider: r.Provider, Credential: r.Credential, Description: r.Description, Actions: texts(r.Actions), change: changeOf(r.Meta)}
	for _, list := range []struct {
		to   *[]string
		from []string
	}{{&v.Repositories, r.Repositories}, {&v.ExcludeRepositories, r.ExcludeRepositories}, {&v.Branches, r.Branches}, {&v.ExcludeBranches, r.ExcludeBranches}} {
		shown, leftOut := some(list.from)
		*list.to = texts(shown)
		v.LeftOut += leftOut
	}
	return v
}

type listScopesOutput struct {
	Summary    string  `json:"summary"`
	Scopes     []scope `json:"scopes"`
	Total      int     `json:"total"`
	NextCursor string  `json:"next_cursor,omitempty"`
}

func (d desk) listScopes() tools.Tool {
	return tools.DefineAdmin(tools.Tool{
		Name:        "list_scopes",
		Title:       "List scopes",
		Description: "Lists scopes: which repositories and branches may be reached, with which credential, and what may be done there. Shows each one's version, which an update needs.",
		Effect:      tools.Reads,
	}, func(ctx context.Context, call *tools.AdminCall, in listing) (listScopesOutput, error) {
		records, err := d.Scopes(ctx)
		if err == nil && in.Name != "" {
			records, err = only(d.Scope(ctx, in.Name))
		}
		if err != nil {
			return listScopesOutput{}, inWords(call, err, scopeHint)
		}
		p, err := pageOf(call, in, records, func(r store.Scope) string { return r.Name }, viewScope)
		if err != nil {
			return listScopesOutput{}, err
		}
		return listScopesOutput{p.summary("scope"), p.rows, p.total, p.next}, nil
	})
}

// The lists of a scope's rules.
type rules struct {
	Repositories        []string `json:"repositories,omitempty" jsonschema:"description=RE2 patterns that a repository's whole slug must match; none is all"`
	ExcludeRepositories []string `json:"exclude_repositories,omitempty" jsonschema:"description=Win over repositories"`
	Branches            []string `json:"branches,omitempty" jsonschema:"description=RE2 patterns that a branch's whole name must match; none is all"`
	ExcludeBranches     []string `json:"exclude_branches,omitempty" jsonschema:"description=Win over branches"`
	Actions             []string `json:"actions,omitempty" jsonschema:"description=read is all there is now"`
}

func actionsOf(names []string) []policy.Action {
	var actions []policy.Action
	for _, name := range names {
		actions = append(actions, policy.Action(name))
	}
	return actions
}

type createScopeInput struct {
	named
	Provider    string `json:"provider" jsonschema:"minLength=1,maxLength=64"`
	Credential  string `json:"credential" jsonschema:"minLength=1,maxLength=64,description=Of that provider"`
	Description string `json:"description,omitempty" jsonschema:"maxLength=1000"`
	rules
}

type scopeOutput struct {
	Summary   string   `json:"summary"`
	Scope     scope    `json:"scope"`
	Warnings  []string `json:"warnings" jsonschema:"description=What the patterns may not mean"`
	NextSteps []string `json:"next_steps"`
}

func (d desk) createScope() tools.Tool {
	return tools.DefineAdmin(tools.Tool{
		Name:        "create_scope",
		Title:       "Add a scope",
		Description: "Adds a scope: which repositories and branches may be reached with a credential. Patterns match the whole name; an empty list means all; an exclude list wins. Read the warnings, and see with preview_scope what is matched. The name never changes.",
		Effect:      tools.Adds,
	}, func(ctx context.Context, call *tools.AdminCall, in createScopeInput) (scopeOutput, error) {
		created, warnings, err := d.CreateScope(ctx, actor(call), manage.Scope{
			Name: in.Name, Provider: in.Provider, Credential: in.Credential, Description: in.Description,
			Repositories: in.Repositories, ExcludeRepositories: in.ExcludeRepositories,
			Branches: in.Branches, ExcludeBranches: in.ExcludeBranches, Actions: actionsOf(in.Actions),
		})
		if err != nil {
			return scopeOutput{}, inWords(call, err, scopeHint)
		}
		out := scopeDone(created, warnings, "was created")
		out.NextSteps = []string{
			fmt.Sprintf("%s with name %q shows what it matches in the real workspace.", call.ToolName("preview_scope"), created.Name),
			fmt.Sprintf("%s with scopes [%q] adds an agent that may use it.", call.ToolName("create_client"), created.Name),
		}
		return out, nil
	})
}

type updateScopeInput struct {
	named
	versioned
	Provider    *string `json:"provider,omitempty" jsonschema:"maxLength=64"`
	Credential  *string `json:"credential,omitempty" jsonschema:"maxLength=64,description=Of that provider"`
	Description *string `json:"description,omitempty" jsonschema:"maxLength=1000"`
	rules
	AllRepositories bool `json:"all_repositories,omitempty" jsonschema:"description=Takes the repository patterns away: all may be reached"`
	AllBranches     bool `json:"all_branches,omitempty" jsonschema:"description=Takes the branch patterns away: all may be reached"`
}

func (d desk) updateScope() tools.Tool {
	return tools.DefineAdmin(tools.Tool{
		Name:        "update_scope",
		Title:       "Change a scope",
		Description: "Changes a scope but for its name; what is left out stays, and a list that is given replaces the whole list. To empty a list that is not empty say all_repositories or all_branches. Takes effect within a second.",
		Effect:      tools.Changes,
	}, func(ctx context.Context, call *tools.AdminCall, in updateScopeInput) (scopeOutput, error) {
		if in.AllRepositories && len(in.Repositories) > 0 || in.AllBranches && len(in.Branches) > 0 {
			return scopeOutput{}, tools.Invalid("Patterns and all of them cannot both be meant.", "Give the patterns, or say all_repositories or all_branches without them.")
		}
		current, err := d.Scope(ctx, in.Name)
		if err != nil {
			return scopeOutput{}, inWords(call, err, scopeHint)
		}
		updated, warnings, err := d.UpdateScope(ctx, actor(call), in.Version, in.merged(current))
		if err != nil {
			return scopeOutput{}, inWords(call, err, scopeHint)
		}
		out := scopeDone(updated, warnings, fmt.Sprintf("was changed, and is at version %d", updated.Version))
		out.NextSteps = []string{fmt.Sprintf("%s with name %q shows what it matches now.", call.ToolName("preview_scope"), updated.Name)}
		return out, nil
	})
}

// merged is the scope as it will be.
func (in updateScopeInput) merged(current store.Scope) manage.Scope {
	next := manage.Scope{
		Name: current.Name, Provider: given(in.Provider, current.Provider), Credential: given(in.Credential, current.Credential),
		Description:         given(in.Description, current.Description),
		Repositories:        givenList(in.Repositories, current.Repositories),
		ExcludeRepositories: givenList(in.ExcludeRepositories, current.ExcludeRepositories),
		Branches:            givenList(in.Branches, current.Branches),
		ExcludeBranches:     givenList(in.ExcludeBranches, current.ExcludeBranches),
		Actions:             givenList(actionsOf(in.Actions), current.Actions),
		AllRepositories:     in.AllRepositories, AllBranches: in.AllBranches,
	}
	if in.AllRepositories {
		next.Repositories = nil
	}
	if in.AllBranches {
		next.Branches = nil
	}
	return next
}

func scopeDone(s store.Scope, warnings []policy.Warning, what string) scopeOutput {
	words := fmt.Sprintf("Scope %s %s: %s on %s and %s.", s.Name, what, strings.Join(texts(s.Actions), ", "),
		reach("repositories", s.Repositories, s.ExcludeRepositories), reach("branches", s.Branches, s.ExcludeBranches))
	if len(warnings) > 0 {
		words += " On its patterns: " + counted(len(warnings), "warning") + "."
	}
	return scopeOutput{Summary: words, Scope: viewScope(s), Warnings: warningsOf(warnings)}
}

// reach says in words what a list allows.
func reach(what string, include, exclude []string) string {
	words := "all " + what
	if len(include) > 0 {
		words = what + " that match " + patterns(include)
	}
	if len(exclude) > 0 {
		words += " except " + patterns(exclude)
	}
	return words
}

const patternsInWords = 5

func patterns(list []string) string {
	if len(list) > patternsInWords {
		return counted(len(list), "pattern")
	}
	return shorten(strings.Join(list, " or "), 150)
}

// warningsOf writes the linter's words, the pattern first.
func warningsOf(warnings []policy.Warning) []string {
	lines := make([]string, 0, len(warnings))
	for _, w := range warnings {
		lines = append(lines, fmt.Sprintf("%s: %s %s", w.Field, w.Pattern, w.Words))
	}
	shown, leftOut := some(lines)
	if leftOut > 0 {
		shown = append(shown[:len(shown):len(shown)], fmt.Sprintf("and %d more", leftOut))
	}
	return shown
}

func (d desk) deleteScope() tools.Tool {
	return tools.DefineAdmin(tools.Tool{
		Name:        "delete_scope",
		Title:       "Remove a scope",
		Description: "Removes a scope that no client holds; otherwise it is refused with their names. An agent over stdio loses it within a second.",
		Effect:      tools.Changes,
	}, func(ctx context.Context, call *tools.AdminCall, in named) (deleted, error) {
		if err := d.DeleteScope(ctx, actor(call), in.Name); err != nil {
			return deleted{}, inWords(call, err, scopeHint)
		}
		return deleted{"Scope " + in.Name + " was removed."}, nil
	})
}
