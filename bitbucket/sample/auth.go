package sample

import (
	"cmp"
	"crypto/subtle"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Account is a credential the server knows, and what it may do.
type Account struct {
	Name     string // of the person or bot; Username or "account 1" when empty
	Username string // Atlassian account email of an API token
	Token    string

	// Bearer makes it an access token, which has no user name and classic
	// scopes. Otherwise it is an API token, sent as HTTP Basic.
	Bearer bool

	// Scopes are the granted ones, such as read:repository:bitbucket, or
	// repository for an access token. Nil grants all that this server asks for.
	Scopes []string

	// Workspaces and Repositories (full names) narrow down which private
	// repositories it sees; an empty list narrows nothing.
	Workspaces   []string
	Repositories []string
}

// named returns the accounts, each with a name to be known by.
func named(accounts []Account) []Account {
	accounts = slices.Clone(accounts)
	for i := range accounts {
		a := &accounts[i]
		a.Name = cmp.Or(a.Name, a.Username, fmt.Sprintf("account %d", i+1))
	}
	return accounts
}

// caller is the account behind a request. Without an account it is a stranger,
// whom only an open server lets in.
type caller struct {
	account *Account
	open    bool
	bearer  bool // how the credential was sent
}

// identify finds the account of a request and the scheme it used.
func (s *Server) identify(r *http.Request) (who caller, scheme string) {
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	who = caller{open: len(s.options.Accounts) == 0, bearer: strings.EqualFold(scheme, "Bearer")}
	username, password, basic := r.BasicAuth()
	for i := range s.options.Accounts {
		a := &s.options.Accounts[i]
		switch {
		case a.Bearer && who.bearer && same(a.Token, secret),
			!a.Bearer && basic && same(a.Username, username) && same(a.Token, password):
			who.account = a
		}
	}
	return who, knownScheme(scheme)
}

// knownScheme keeps a secret that was sent without a scheme out of the journal.
func knownScheme(scheme string) string {
	for _, known := range []string{"Basic", "Bearer"} {
		if strings.EqualFold(scheme, known) {
			return known
		}
	}
	if scheme != "" {
		return "other"
	}
	return ""
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func (c caller) name() string {
	if c.account == nil {
		return ""
	}
	return c.account.Name
}

// check refuses a stranger, and an account without the scope of the route.
func (c caller) check(r *route) error {
	if c.open {
		return nil
	}
	if c.account == nil {
		return &failure{
			status:  http.StatusUnauthorized,
			message: "Token is invalid, expired, or not supported for this endpoint.",
		}
	}
	if r == nil {
		return nil
	}
	need := r.scope(c.bearer)
	if need == "" || c.has(need) {
		return nil
	}
	return &failure{
		status:  http.StatusForbidden,
		message: "Your credentials lack one or more required privilege scopes.",
		detail:  object{"required": []string{need}, "granted": c.granted()},
	}
}

func (r *route) scope(bearer bool) string {
	if bearer {
		return r.classic
	}
	return r.granular
}

// implied says which classic scope holds which others. Of the granular ones
// none implies another: write is not read.
var implied = map[string][]string{
	"repository:write":  {"repository"},
	"pullrequest":       {"repository"},
	"pullrequest:write": {"repository", "pullrequest"},
	"pipeline:write":    {"pipeline"},
}

func (c caller) has(scope string) bool {
	for _, granted := range c.granted() {
		if granted == scope || c.bearer && slices.Contains(implied[granted], scope) {
			return true
		}
	}
	return false
}

// granted lists the scopes of the caller; never nil, as it goes out as JSON.
func (c caller) granted() []string {
	granted := []string{}
	switch {
	case c.account != nil && c.account.Scopes != nil:
		return c.account.Scopes
	case c.account == nil && !c.open:
		return granted
	}
	for i := range routes {
		if scope := routes[i].scope(c.bearer); scope != "" && !slices.Contains(granted, scope) {
			granted = append(granted, scope)
		}
	}
	return granted
}

// setScopeHeaders sets the two headers that every reply carries.
func (c *call) setScopeHeaders(h http.Header) {
	accepted := ""
	if c.route != nil {
		accepted = c.route.classic
	}
	h.Set("X-OAuth-Scopes", strings.Join(c.caller.granted(), ", "))
	h.Set("X-Accepted-OAuth-Scopes", accepted)
}

// belongs says whether the caller has explicit access to the repository.
func (c caller) belongs(r *repository) bool {
	if c.account == nil {
		return c.open
	}
	return listed(c.account.Workspaces, r.workspace.slug) && listed(c.account.Repositories, r.fullName())
}

// sees says whether the caller may read the repository at all.
func (c caller) sees(r *repository) bool { return !r.Private || c.belongs(r) }

func listed(list []string, name string) bool {
	return len(list) == 0 || slices.Contains(list, name)
}
