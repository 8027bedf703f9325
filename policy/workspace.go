package policy

import "slices"

// A Workspace is the right to list the repositories of one workspace with one
// credential; each row is judged by [Workspace.Sees]. The zero Workspace
// allows nothing.
type Workspace struct {
	workspaceCall   *Call
	workspaceScopes []*scope
}

// Checked reports whether the value came from a check. Nothing is sent for one
// that did not.
func (w Workspace) Checked() bool { return len(w.workspaceScopes) > 0 }

// Account returns what requests for this workspace are made with.
func (w Workspace) Account() Account {
	if !w.Checked() {
		return Account{}
	}
	return accountOf(w.workspaceCall.callCaller, w.workspaceScopes)
}

// Name returns the workspace's slug.
func (w Workspace) Name() string { return w.Account().Workspace }

// Scopes returns the names of the scopes behind the value.
func (w Workspace) Scopes() []string { return names(w.workspaceScopes) }

// Sees judges one row from Bitbucket by its full_name. It is the test of
// [Call.Repositories]; what it refuses is left out of an answer and never
// counted.
func (w Workspace) Sees(fullName string) (Repo, bool) {
	return judge(w.workspaceCall, w.workspaceScopes, fullName)
}

func judge(call *Call, scopes []*scope, fullName string) (Repo, bool) {
	workspace, slug, ok := splitFullName(fullName)
	if !ok {
		return Repo{}, false
	}
	var allowed []*scope
	for _, s := range scopes {
		if s.inWorkspace(workspace) && s.repositories.allows(slug) {
			allowed = append(allowed, s)
		}
	}
	if len(allowed) == 0 {
		return Repo{}, false
	}
	return Repo{repoCall: call, repoSlug: slug, repoScopes: allowed}, true
}

// Filter returns a Bitbucket q expression that every repository which the
// scopes allow satisfies, or "". It saves requests and decides nothing: rows
// are judged all the same.
func (w Workspace) Filter() string {
	return pushDown("slug", w.workspaceScopes, func(s *scope) rule { return s.repositories })
}

func pushDown(field string, scopes []*scope, of func(*scope) rule) string {
	var all demand
	for i, s := range scopes {
		for j, p := range of(s).include {
			if i == 0 && j == 0 {
				all = p.demand
				continue
			}
			all = all.or(p.demand)
		}
		if len(of(s).include) == 0 {
			return ""
		}
	}
	return all.query(field)
}

// Unrestricted reports whether one of the scopes has no patterns at all. Only
// then may a caller's text become part of a request: otherwise the answer's
// timing could tell of rows that are hidden.
func (w Workspace) Unrestricted() bool { return slices.ContainsFunc(w.workspaceScopes, unrestricted) }

func unrestricted(s *scope) bool { return s.repositories.allowsAll() && s.branches.allowsAll() }
