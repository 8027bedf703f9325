package policy

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// A Definition is a scope as it is written down, before its patterns are
// compiled.
type Definition struct {
	Name        string // unique among all scopes
	Description string
	API         string // base address of the provider's API
	Workspace   string // slug of the provider's workspace
	Credential  string // names the credential that the Bitbucket client uses; opaque here
	Version     string // changes with the credential, so that nothing cached outlives it

	Repositories        []string // empty: all
	ExcludeRepositories []string
	Branches            []string // empty: all
	ExcludeBranches     []string
	Actions             []Action
}

// A Scope is a compiled [Definition]: a conjunction of workspace, repository,
// branch, action and credential. The zero Scope allows nothing.
type Scope struct{ compiled *scope }

type scope struct {
	definition   Definition
	repositories rule
	branches     rule
	digest       string
}

// Compile makes a scope of its definition, or says what is wrong with it: an
// [*InvalidPattern], an [*InvalidName], or another error in words for an
// admin.
func Compile(d Definition) (Scope, error) {
	if d.Name == "" {
		return Scope{}, fmt.Errorf("a scope needs a name")
	}
	if d.API == "" || d.Credential == "" {
		return Scope{}, fmt.Errorf("scope %q needs a provider and a credential", d.Name)
	}
	if reason := slugReason(lowerASCII(d.Workspace)); reason != "" {
		return Scope{}, invalid(WorkspaceName, "%s", reason)
	}
	if err := checkActions(d.Actions); err != nil {
		return Scope{}, err
	}
	repositories, err := compileRule("repositories", d.Repositories, d.ExcludeRepositories)
	if err != nil {
		return Scope{}, err
	}
	branches, err := compileRule("branches", d.Branches, d.ExcludeBranches)
	if err != nil {
		return Scope{}, err
	}
	d = clone(d)
	return Scope{&scope{definition: d, repositories: repositories, branches: branches, digest: digest(d)}}, nil
}

func checkActions(actions []Action) error {
	if len(actions) == 0 {
		return fmt.Errorf("a scope needs at least one action: %s", Read)
	}
	for _, a := range actions {
		switch {
		case a == Read:
		case comingActions[a]:
			return fmt.Errorf("the action %q has no tool yet; this release knows only %q", a, Read)
		default:
			return fmt.Errorf("there is no action %q; this release knows only %q", a, Read)
		}
	}
	return nil
}

func compileRule(field string, include, exclude []string) (rule, error) {
	in, err := compilePatterns(field, include)
	if err != nil {
		return rule{}, err
	}
	ex, err := compilePatterns("exclude_"+field, exclude)
	if err != nil {
		return rule{}, err
	}
	return rule{include: in, exclude: ex, compiled: true}, nil
}

// clone makes sure that nobody changes a scope's rules through a slice that
// they still hold.
func clone(d Definition) Definition {
	d.Repositories, d.ExcludeRepositories = slices.Clone(d.Repositories), slices.Clone(d.ExcludeRepositories)
	d.Branches, d.ExcludeBranches = slices.Clone(d.Branches), slices.Clone(d.ExcludeBranches)
	d.Actions = slices.Clone(d.Actions)
	return d
}

// digest is a fingerprint of everything that a scope decides by. Every string
// is quoted, so that no two definitions read alike.
func digest(d Definition) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", d))
	return hex.EncodeToString(sum[:])
}

func (s *scope) allowsAction(a Action) bool {
	return a != NoAction && slices.Contains(s.definition.Actions, a)
}

func (s *scope) inWorkspace(name string) bool { return sameName(s.definition.Workspace, name) }

// A Warning is the linter's word on one pattern of a scope.
type Warning struct {
	Field   string
	Pattern string
	Words   string
}

// Warnings returns what the linter has to say about the scope's patterns.
func (s Scope) Warnings() []Warning {
	if s.compiled == nil {
		return nil
	}
	d := s.compiled.definition
	return slices.Concat(
		lintList("repositories", RepositoryPattern, d.Repositories),
		lintList("exclude_repositories", RepositoryPattern, d.ExcludeRepositories),
		lintList("branches", BranchPattern, d.Branches),
		lintList("exclude_branches", BranchPattern, d.ExcludeBranches),
	)
}

func lintList(field string, kind Kind, texts []string) []Warning {
	var warnings []Warning
	for _, text := range texts {
		for _, words := range Lint(kind, text) {
			warnings = append(warnings, Warning{Field: field, Pattern: text, Words: words})
		}
	}
	return warnings
}

// Access is a scope in plain words, for its holder.
type Access struct {
	Scope        string
	Workspace    string
	Repositories string // such as "repositories whose whole slug matches ^web-.*"
	Branches     string
	Actions      []Action
}

func (s *scope) access() Access {
	d := s.definition
	return Access{
		Scope:        d.Name,
		Workspace:    d.Workspace,
		Repositories: ruleInWords("repositories", "slug", d.Repositories, d.ExcludeRepositories),
		Branches:     ruleInWords("branches", "name", d.Branches, d.ExcludeBranches),
		Actions:      slices.Clone(d.Actions),
	}
}

func ruleInWords(things, name string, include, exclude []string) string {
	words := "all " + things
	if len(include) > 0 {
		words = things + " whose whole " + name + " matches " + strings.Join(include, " or ")
	}
	if len(exclude) > 0 {
		words += ", except those that match " + strings.Join(exclude, " or ")
	}
	return words
}

func byName(a, b *scope) int { return cmp.Compare(a.definition.Name, b.definition.Name) }
