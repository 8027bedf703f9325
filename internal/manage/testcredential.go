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
	Missing   []string // permissions that the tools need and it has not
	Beyond    []string // permissions that it has and no tool needs
	Unknown   int      // permissions that it has and this release does not know
	Told      bool     // Bitbucket said which permissions it has
}

// Summary returns the test in one sentence.
func (t CredentialTest) Summary() string {
	switch {
	case !t.Works && len(t.Missing) > 0:
		return "The credential " + t.Name + " does not work: it lacks " + strings.Join(t.Missing, ", ") + "."
	case !t.Works:
		return "The credential " + t.Name + " does not work: " + t.Workspace + "."
	case len(t.Beyond) > 0:
		return "The credential " + t.Name + " works for reading, and may do more than is needed: " + strings.Join(t.Beyond, ", ") + "."
	}
	return "The credential " + t.Name + " works for reading."
}

// What the tools need, as API tokens and as access tokens call it.
const (
	readGranular = "read:repository:bitbucket"
	readClassic  = "repository"
)

// impliesRead are the classic permissions that hold the one to read
// repositories. Of the granular ones none implies another.
var impliesRead = []string{readClassic, "repository:write", "pullrequest", "pullrequest:write"}

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
	test := CredentialTest{Provider: of.Name, Name: credential.Name, Who: "unknown"}
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
	test.read(credential, of.Workspace, probe)
	return test, nil
}

func (t *CredentialTest) read(c store.Credential, workspace string, p bitbucket.Probe) {
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
	t.Missing = missing(c, p)
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

// missing names what the tools need and the key has not. What a real answer
// showed counts more than the header: who could read may read.
func missing(c store.Credential, p bitbucket.Probe) []string {
	need, holders := readGranular, []string{readGranular}
	if c.Username == "" {
		need, holders = readClassic, impliesRead
	}
	names, refused := p.Lacks()
	switch {
	case p.List == nil:
		return nil
	case refused && len(names) > 0:
		return names
	case refused:
		return []string{need}
	case p.Told && !slices.ContainsFunc(p.Granted, func(name string) bool { return slices.Contains(holders, name) }):
		return []string{need}
	}
	return nil
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
