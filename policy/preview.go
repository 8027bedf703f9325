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
