package manage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bucketgate/bitbucket"
	"bucketgate/internal/audit"
	"bucketgate/internal/store"
	"bucketgate/policy"
)

// A CredentialTest tells in words what a credential is good for. Of Bitbucket's
// text it holds the account's display name and names of permissions.
type CredentialTest struct {
	Works     bool // for reading, which is all that the tools do now
	Provider  string
	Name      string
	Who       string   // whom it belongs to, in words
	Workspace string   // whether it can be reached, in words
	Missing   []string // permissions that the actions in use need and it has not
	Beyond    []string // permissions that it has and no tool needs
	Unknown   int      // permissions that it has and this release does not know
	Told      bool     // Bitbucket said which permissions it has
	Closed    []string // what it cannot do for lack of them though it works, such as "pull requests"
	Unused    bool     // no scope uses it: what reading takes was looked for
}

// Summary returns the test in a sentence or two.
func (t CredentialTest) Summary() string {
	words := "The credential " + t.Name
	switch {
	case !t.Works && len(t.Missing) > 0 && len(t.Closed) == 0:
		return words + " does not work: it lacks " + strings.Join(t.Missing, ", ") + "."
	case !t.Works:
		return words + " does not work: " + t.Workspace + "."
	case len(t.Closed) > 0:
		words += " works for reading, but not for " + strings.Join(t.Closed, " and ") + ": it lacks " + strings.Join(t.Missing, ", ") + "."
	default:
		words += " works for reading."
	}
	if len(t.Beyond) > 0 {
		words += " It may do more than is needed: " + strings.Join(t.Beyond, ", ") + "."
	}
	if !t.Told {
		words += " Bitbucket did not say which permissions it has, so that pull requests and pipelines were not tested."
	}
	if t.Unused {
		words += " No scope uses it yet: it was tested for all that reading takes."
	}
	return words
}

// A need is a permission that an action takes, and what lies behind it.
type need struct {
	granular string   // what API tokens call it; none of these implies another
	classic  []string // what access tokens call it, then what implies it
	opens    string
}

// needs are what the tools of an action ask Bitbucket for. The first of an
// action is what nothing works without.
var needs = map[policy.Action][]need{
	policy.Read: {
		{"read:repository:bitbucket", []string{"repository", "repository:write", "pullrequest", "pullrequest:write"}, "repositories"},
		{"read:pullrequest:bitbucket", []string{"pullrequest", "pullrequest:write"}, "pull requests"},
		{"read:pipeline:bitbucket", []string{"pipeline", "pipeline:write"}, "pipelines"},
	},
}

// lackedBy returns what the need is called, unless one of the permissions
// meets it.
func (n need) lackedBy(c store.Credential, granted []string) (name string, lacked bool) {
	name, holders := n.granular, []string{n.granular}
	if c.Username == "" {
		name, holders = n.classic[0], n.classic
	}
	return name, !slices.ContainsFunc(granted, func(held string) bool { return slices.Contains(holders, held) })
}

// TestCredential asks Bitbucket what a credential is good for. provider may be
// empty where only one has a credential of the name. That it works for nothing
// is an answer and no error. It leaves one audit event.
func (s *Service) TestCredential(ctx context.Context, actor Actor, provider, name string) (CredentialTest, error) {
	a := credentialAction(actor, "test_credential", provider, name)
	return told(ctx, s, a, func() (CredentialTest, string, error) {
		test, err := s.testCredential(ctx, provider, name)
		return test, test.Summary(), err
	})
}

func (s *Service) testCredential(ctx context.Context, provider, name string) (CredentialTest, error) {
	credential, err := s.Credential(ctx, provider, name)
	if err != nil {
		return CredentialTest{}, err
	}
	of, err := s.Provider(ctx, credential.Provider)
	if err != nil {
		return CredentialTest{}, err
	}
	actions, err := s.actionsWith(ctx, credential)
	if err != nil {
		return CredentialTest{}, err
	}
	test := CredentialTest{Provider: of.Name, Name: credential.Name, Who: "unknown", Unused: len(actions) == 0}
	if !credential.KeySet {
		test.Workspace = "its key is not set, so that nothing was asked"
		return test, nil
	}
	scope, err := policy.Compile(policy.Definition{
		Name: "credential test", API: of.API, Workspace: of.Workspace, Credential: credential.ID, Actions: []policy.Action{policy.Read},
	})
	if err != nil {
		return CredentialTest{}, fmt.Errorf("compiling a scope for the test: %w", err)
	}
	probe, err := s.config.Client.Probe(ctx, policy.UnjudgedWorkspace(scope))
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return CredentialTest{}, fmt.Errorf("testing the credential: %w", err)
	}
	test.read(credential, of.Workspace, probe, needsOf(actions))
	return test, nil
}

// actionsWith returns the actions of the scopes that use a credential.
func (s *Service) actionsWith(ctx context.Context, c store.Credential) ([]policy.Action, error) {
	scopes, err := s.Scopes(ctx)
	if err != nil {
		return nil, err
	}
	var actions []policy.Action
	for _, scope := range scopes {
		if scope.CredentialID == c.ID {
			actions = append(actions, scope.Actions...)
		}
	}
	slices.Sort(actions)
	return slices.Compact(actions), nil
}

// needsOf returns what actions take. Of a credential that no scope uses yet,
// an admin wants to know whether it is good for what a scope would have.
func needsOf(actions []policy.Action) []need {
	if len(actions) == 0 {
		return needs[policy.Read]
	}
	var list []need
	for _, action := range actions {
		list = append(list, needs[action]...)
	}
	return list
}

func (t *CredentialTest) read(c store.Credential, workspace string, p bitbucket.Probe, needs []need) {
	t.Told, t.Unknown = p.Told, p.Unknown
	t.Works = p.List == nil && p.Sees
	t.Who = whose(c, p)
	var refused *Refused
	switch {
	case p.List == nil && p.Sees:
		t.Workspace = workspace + " can be reached"
	case p.List == nil:
		t.Workspace = workspace + " can be reached, but the key sees no repository in it: give its account or token access to some"
	case errors.As(unreached(workspace, p.List), &refused):
		t.Workspace = refused.Words
	default:
		t.Workspace = "it could not be asked"
	}
	t.Missing, t.Closed = missing(c, p, needs)
	for _, name := range p.Granted {
		if beyond(name) {
			t.Beyond = append(t.Beyond, name)
		}
	}
}

// whose says whom the key belongs to.
func whose(c store.Credential, p bitbucket.Probe) string {
	switch {
	case p.User != "":
		return p.User
	case c.Username == "":
		return "an access token has no user"
	case p.UserErr != nil && errors.Is(p.UserErr, bitbucket.ErrCredentialRejected):
		return "unknown: only with read:user:bitbucket may the key ask, and no tool needs that"
	}
	return "unknown"
}

// missing names what the tools need and the key has not, and, where it works at
// all, what is closed for that. What a real answer showed counts more than the
// header: who could read may read. Where Bitbucket names what a refused request
// takes, that is named too.
func missing(c store.Credential, p bitbucket.Probe, needs []need) (names, closed []string) {
	named, refused := p.Lacks()
	if refused && len(named) > 0 {
		names = append(names, named...)
	}
	for i, n := range needs {
		name, lacked := n.lackedBy(c, p.Granted)
		switch {
		case i == 0 && (p.List == nil || len(names) > 0):
			continue // it was tried
		case i == 0 && refused, p.Told && lacked:
			if !slices.Contains(names, name) {
				names, closed = append(names, name), append(closed, n.opens)
			}
		}
	}
	if p.List != nil {
		closed = nil
	}
	return names, closed
}

// beyond reports whether a permission lets its holder change something. The
// classic webhook does too: it is the one that makes them.
func beyond(name string) bool {
	verb, _, granular := strings.Cut(strings.TrimSuffix(name, ":bitbucket"), ":")
	if strings.HasSuffix(name, ":bitbucket") {
		return verb != "read"
	}
	return granular || name == "webhook"
}

// unreached words an error of the client for an admin. What is none of the
// client's stays as it is.
func unreached(workspace string, err error) error {
	words := ""
	var limited *bitbucket.RateLimited
	var lacks *bitbucket.MissingPrivileges
	var refused *Refused
	switch {
	case errors.As(err, &refused):
		return refused // a key that is not set or does not open: nothing was asked
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		words = "Bitbucket gave no answer in time; try again in a minute"
	case errors.As(err, &limited):
		words = "Bitbucket takes no more requests of this account for now; try again later"
		if limited.After > 0 {
			words = "Bitbucket takes no more requests of this account for now; try again in " + limited.After.Round(time.Second).String()
		}
	case errors.As(err, &lacks):
		words = "the key may not list the repositories of " + workspace + ": it lacks a permission"
	case errors.Is(err, bitbucket.ErrCredentialRejected):
		words = "Bitbucket rejected the key: it is wrong, expired, or not of this user name"
	case errors.Is(err, bitbucket.ErrNotFound):
		words = "there is no workspace " + workspace + ", or the key may not see it"
	case errors.Is(err, bitbucket.ErrTooLarge):
		words = "Bitbucket's answer is too large"
	case errors.Is(err, bitbucket.ErrUnavailable):
		_, reason, _ := strings.Cut(err.Error(), bitbucket.ErrUnavailable.Error()+": ")
		words = "Bitbucket gave no usable answer: " + reason
	default:
		return err
	}
	return &Refused{Words: words, Err: err}
}

// told runs what only looks, and writes one event of it before the answer: what
// it came to, or why it was refused. One that was interrupted leaves it too.
func told[R any](ctx context.Context, s *Service, a action, look func() (answer R, outcome string, err error)) (R, error) {
	var none R
	answer, outcome, err := look()
	event := a.event(audit.Allowed, outcome)
	if err != nil {
		err = inWords(err)
		event = a.event(audit.Denied, err.Error())
	}
	if auditErr := s.config.Audit.Commit(context.WithoutCancel(ctx), event); auditErr != nil {
		return none, auditErr
	}
	if err != nil {
		return none, err
	}
	return answer, nil
}
