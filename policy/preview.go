package policy

// Unjudged is the right to list a workspace without judging its rows. It is
// for the admin's preview ("7 of 61"), which must count what a scope hides;
// only the management service may name it (deps_test.go).
type Unjudged struct {
	unjudgedScope *scope
}

// UnjudgedWorkspace returns the workspace of a scope, to be listed whole.
func UnjudgedWorkspace(s Scope) Unjudged { return Unjudged{unjudgedScope: s.compiled} }

// Checked reports whether the value came from a compiled scope.
func (u Unjudged) Checked() bool { return u.unjudgedScope != nil }

// Account returns what the listing is made with.
func (u Unjudged) Account() Account {
	if !u.Checked() {
		return Account{}
	}
	return accountOf("preview", []*scope{u.unjudgedScope})
}

// AllowsRepository reports whether the scope allows the repository with this
// full_name, and by which pattern or why not, in words for an admin.
func (s Scope) AllowsRepository(fullName string) (allowed bool, why string) {
	workspace, slug, ok := splitFullName(fullName)
	switch {
	case s.compiled == nil:
		return false, "the scope is disabled"
	case !ok:
		return false, "the name is no slug"
	case !s.compiled.inWorkspace(workspace):
		return false, "it is in another workspace"
	}
	return s.compiled.repositories.allows(slug), s.compiled.repositories.verdict(slug)
}

// AllowsBranch reports whether the scope allows branches of this name, and by
// which pattern or why not, in words for an admin.
func (s Scope) AllowsBranch(name string) (allowed bool, why string) {
	if s.compiled == nil {
		return false, "the scope is disabled"
	}
	if reason := branchReason(name); reason != "" {
		return false, "the name is no branch name: " + reason
	}
	return s.compiled.branches.allows(name), s.compiled.branches.verdict(name)
}

// AllowsAction reports whether the scope allows the action.
func (s Scope) AllowsAction(a Action) bool { return s.compiled != nil && s.compiled.allowsAction(a) }

// RepositoryDecider returns the pattern that decides about a repository, and
// the list that it stands in; neither where no pattern does.
func (s Scope) RepositoryDecider(fullName string) (list, pattern string) {
	workspace, slug, ok := splitFullName(fullName)
	if s.compiled == nil || !ok || !s.compiled.inWorkspace(workspace) {
		return "", ""
	}
	return s.compiled.repositories.decider("repositories", slug)
}

// BranchDecider does the same for a branch.
func (s Scope) BranchDecider(name string) (list, pattern string) {
	if s.compiled == nil || branchReason(name) != "" {
		return "", ""
	}
	return s.compiled.branches.decider("branches", name)
}

func (r rule) decider(list, name string) (string, string) {
	if p := firstMatch(r.exclude, name); p != "" {
		return "exclude_" + list, p
	}
	if p := firstMatch(r.include, name); p != "" {
		return list, p
	}
	return "", ""
}
