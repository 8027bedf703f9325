package policy

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// A Call is one tool call of one caller: the scopes that it may use, and what
// it came to. Only [Grant.Begin] makes one.
type Call struct {
	callCaller string
	callHeld   []*scope // what the caller holds, narrowed by the scope it named
	callScopes []*scope // those of them that allow the action, in name order

	mu      sync.Mutex
	target  string
	refusal string
	used    []string
}

// Denied reports a name that no scope of the caller allows. To an agent it
// reads like a name that does not exist; Reason is for the audit log.
type Denied struct {
	Reason string
}

func (e *Denied) Error() string { return "out of scope: " + e.Reason }

// Access returns the rules of the scopes that the caller holds, in name order.
func (c *Call) Access() []Access {
	list := make([]Access, len(c.callHeld))
	for i, s := range c.callHeld {
		list[i] = s.access()
	}
	return list
}

// An Account is what a request is made with. All scopes of one checked value
// share one account, so that a repository of one scope is never fetched with
// the credential of another.
type Account struct {
	API        string // base address of the API
	Workspace  string
	Credential string // the client looks the key up by it
	Version    string // of the credential and the scopes: part of every cache key
	Caller     string // whose turn it is when requests are scarce
}

func accountOf(caller string, scopes []*scope) Account {
	d := scopes[0].definition
	version := make([]string, len(scopes))
	for i, s := range scopes {
		version[i] = s.digest
	}
	return Account{API: d.API, Workspace: d.Workspace, Credential: d.Credential, Version: strings.Join(version, ","), Caller: caller}
}

func sameAccount(a, b *scope) bool {
	x, y := a.definition, b.definition
	return x.API == y.API && sameName(x.Workspace, y.Workspace) && x.Credential == y.Credential
}

// group gathers scopes by account, in the order of their first member.
func group(scopes []*scope) [][]*scope {
	var groups [][]*scope
	for _, s := range scopes {
		i := slices.IndexFunc(groups, func(g []*scope) bool { return sameAccount(g[0], s) })
		if i < 0 {
			groups = append(groups, nil)
			i = len(groups) - 1
		}
		groups[i] = append(groups[i], s)
	}
	return groups
}

// Workspaces returns what the call may list: one entry for each workspace and
// credential, in name order of their scopes.
func (c *Call) Workspaces() []Workspace {
	var list []Workspace
	for _, scopes := range group(c.callScopes) {
		list = append(list, Workspace{workspaceCall: c, workspaceScopes: scopes})
	}
	return list
}

// WorkspacesFor returns the entries of [Call.Workspaces] that ref may lie in:
// all, or those of the workspace that it names. None is a [*Denied].
func (c *Call) WorkspacesFor(ref Reference) ([]Workspace, error) {
	list := c.Workspaces()
	if ref.workspace != "" {
		list = slices.DeleteFunc(list, func(w Workspace) bool { return !sameName(w.Name(), ref.workspace) })
	}
	if len(list) == 0 {
		return nil, c.refuse(ref, "no scope for that workspace")
	}
	return list, nil
}

// Repositories is the check of a repository name that came from a caller. It
// returns what the name could be, one value for each workspace and credential
// whose scopes allow it, in name order of those scopes; a [*Denied] when none
// does. For a display name that cannot be a slug it returns nothing: see
// [Reference.MayBeDisplayName].
func (c *Call) Repositories(ref Reference) ([]Repo, error) {
	workspaces, err := c.WorkspacesFor(ref)
	if err != nil {
		return nil, err
	}
	c.aim(ref)
	if ref.slug == "" {
		return nil, nil
	}
	var allowed []*scope
	for _, w := range workspaces {
		for _, s := range w.workspaceScopes {
			if s.repositories.allows(ref.slug) {
				allowed = append(allowed, s)
			}
		}
	}
	if len(allowed) == 0 {
		return nil, c.refuse(ref, fmt.Sprintf("repository %q is allowed by none of the scopes %s", ref.slug, quoted(names(c.callScopes))))
	}
	slices.SortFunc(allowed, byName)
	var repos []Repo
	for _, scopes := range group(allowed) {
		repos = append(repos, Repo{repoCall: c, repoSlug: ref.slug, repoScopes: scopes})
	}
	return repos, nil
}

// aim notes what the call is about, for the audit log.
func (c *Call) aim(ref Reference) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.target = ref.text
	if ref.workspace != "" {
		c.target = ref.workspace + "/" + ref.text
	}
}

// refuse notes the refusal where it is decided, so that no tool can forget it.
func (c *Call) refuse(ref Reference, reason string) error {
	c.aim(ref)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refusal = reason
	return &Denied{Reason: reason}
}

// allow takes a refusal back, where another scope allows the same thing.
func (c *Call) allow() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refusal = ""
}

// use notes the scopes that an answer rests on.
func (c *Call) use(scopes []*scope) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range scopes {
		if !slices.Contains(c.used, s.definition.Name) {
			c.used = append(c.used, s.definition.Name)
		}
	}
}

// A Trail is what the audit log needs to know of a call.
type Trail struct {
	Target  string   // as the caller named it, "" when the call named nothing
	Scopes  []string // that the call used, or could have used when it was refused
	Refusal string   // why the policy refused, "" when it did not
}

// Trail returns what the call came to so far.
func (c *Call) Trail() Trail {
	c.mu.Lock()
	defer c.mu.Unlock()
	trail := Trail{Target: c.target, Scopes: slices.Sorted(slices.Values(c.used)), Refusal: c.refusal}
	if len(trail.Scopes) == 0 {
		trail.Scopes = names(c.callHeld)
	}
	return trail
}
