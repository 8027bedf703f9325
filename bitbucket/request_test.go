package bitbucket

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/bitbuckettest"
	"bucketgate/bitbucket/sample"
	"bucketgate/internal/secret"
	"bucketgate/policy"
	"bucketgate/policy/policytest"
)

func TestEachMethodSendsOneRequest(t *testing.T) {
	tests := map[string]struct {
		call func(*site) error
		want string
	}{
		"Repository": {func(s *site) error {
			_, err := s.client.Repository(t.Context(), s.repo(t, "API", policy.Definition{}))
			return err
		}, "GET /2.0/repositories/acme/api?fields=full_name%2Cname%2Cis_private%2Cdescription%2Clanguage%2Ccreated_on%2Cupdated_on%2Cmainbranch.name%2Cproject.key%2Cproject.name%2Cparent.full_name"},
		"Repositories": {func(s *site) error {
			_, err := s.client.Repositories(t.Context(), s.workspace(t, policy.Definition{}), ListOptions{Limit: 25, Budget: budget()})
			return err
		}, "GET /2.0/repositories/acme?fields=next%2Csize%2Cpagelen%2Cvalues.full_name&pagelen=25&sort=slug"},
		"Branches": {func(s *site) error {
			_, err := s.client.Branches(t.Context(), s.repo(t, "api", policy.Definition{}), ListOptions{Limit: 25, Budget: budget()})
			return err
		}, "GET /2.0/repositories/acme/api/refs/branches?fields=next%2Csize%2Cpagelen%2Cvalues.name%2Cvalues.target.repository.full_name&pagelen=25&sort=name"},
		"AllRepositories": {func(s *site) error {
			_, err := s.client.UnjudgedRepositories(t.Context(), policy.UnjudgedWorkspace(s.scope(t, policy.Definition{Repositories: []string{"web"}})), budget())
			return err
		}, "GET /2.0/repositories/acme?fields=next%2Csize%2Cpagelen%2Cvalues.full_name&pagelen=100&sort=slug"},
		"User": {func(s *site) error {
			_, err := s.client.User(t.Context(), policy.UnjudgedWorkspace(s.scope(t, policy.Definition{})))
			return err
		}, "GET /2.0/user?fields=display_name"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := on(t, bitbuckettest.NewNeighbours(t).Server)
			require.NoError(t, test.call(s))
			require.Equal(t, []string{test.want}, s.lines())
			header := s.Journal()[0].Header
			assert.Equal(t, []string{"application/json"}, header["Accept"])
			assert.Equal(t, []string{"bucketgate/test"}, header["User-Agent"])
		})
	}
}

func TestUncheckedValuesSendNothing(t *testing.T) {
	upstream := bitbuckettest.NewNeighbours(t)
	s := on(t, upstream.Server)
	o := ListOptions{Limit: 10, Budget: budget()}

	_, err := s.client.Repository(t.Context(), policy.Repo{})
	require.ErrorIs(t, err, ErrUnchecked)
	_, err = s.client.Repositories(t.Context(), policy.Workspace{}, o)
	require.ErrorIs(t, err, ErrUnchecked)
	_, err = s.client.Branches(t.Context(), policy.Repo{}, o)
	require.ErrorIs(t, err, ErrUnchecked)
	_, err = s.client.UnjudgedRepositories(t.Context(), policy.Unjudged{}, budget())
	require.ErrorIs(t, err, ErrUnchecked)
	_, err = s.client.User(t.Context(), policy.Unjudged{})
	require.ErrorIs(t, err, ErrUnchecked)

	upstream.AssertNothingSent(t)
}

// A Repo that a check refused is a zero Repo too.
func TestRefusedValuesSendNothing(t *testing.T) {
	upstream := bitbuckettest.NewNeighbours(t)
	s := on(t, upstream.Server)
	repo := s.repo(t, "api", policy.Definition{Repositories: []string{"api"}})
	for _, name := range []string{"acme/api-secret", "mallory/api", "acme/..", "api", "acme/{api}", ""} {
		refused, ok := repo.SeesRepository(name)
		require.False(t, ok, name)
		_, err := s.client.Repository(t.Context(), refused)
		require.ErrorIs(t, err, ErrUnchecked, name)
	}
	upstream.AssertNothingSent(t)
}

func TestCancelledContextSendsNothing(t *testing.T) {
	upstream := bitbuckettest.NewNeighbours(t)
	s := on(t, upstream.Server)
	s.client.config.Credential = func(context.Context, string) (Credential, error) {
		t.Error("a request is being built")
		return keyFor(s.api)(t.Context(), "")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.client.Repository(ctx, s.repo(t, "api", policy.Definition{}))
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.client.Repositories(ctx, s.workspace(t, policy.Definition{}), ListOptions{Limit: 10, Budget: budget()})
	require.ErrorIs(t, err, context.Canceled)
	time.Sleep(10 * time.Millisecond) // for what was begun nevertheless
	upstream.AssertNothingSent(t)
}

func TestCredentialIsSentAsBitbucketWantsIt(t *testing.T) {
	upstream := bitbuckettest.NewNeighbours(t, func(o *sample.Options) {
		o.Accounts = []sample.Account{
			{Name: "person", Username: "a@example.com", Token: "token-of-person"},
			{Name: "bot", Bearer: true, Token: "token-of-bot"},
		}
	})
	tests := map[string]struct {
		credential      Credential
		scheme, account string
	}{
		"with a user name: Basic":     {Credential{Username: "a@example.com", APIKey: secret.NewText("token-of-person")}, "Basic", "person"},
		"without a user name: Bearer": {Credential{APIKey: secret.NewText("token-of-bot")}, "Bearer", "bot"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := on(t, upstream.Server)
			s.ResetJournal()
			test.credential.API = s.api
			s.client.config.Credential = func(context.Context, string) (Credential, error) { return test.credential, nil }
			_, err := s.client.Repository(t.Context(), s.repo(t, "api", policy.Definition{}))
			require.NoError(t, err)
			require.Len(t, s.Journal(), 1)
			assert.Equal(t, test.scheme, s.Journal()[0].Scheme)
			assert.Equal(t, test.account, s.Journal()[0].Account)
			assert.NotContains(t, strings.Join(s.lines(), "\n"), "token")
		})
	}
}

// Two scopes with overlapping patterns and a credential each: what one allows
// is never asked for with the key of the other.
func TestCredentialOfOneScopeNeverServesAnother(t *testing.T) {
	upstream := bitbuckettest.NewNeighbours(t, func(o *sample.Options) {
		o.Accounts = []sample.Account{
			{Name: "a", Bearer: true, Token: "key of a"},
			{Name: "b", Bearer: true, Token: "key of b"},
		}
	})
	s := on(t, upstream.Server)
	s.client.config.Credential = func(_ context.Context, name string) (Credential, error) {
		return Credential{API: s.api, APIKey: secret.NewText("key of " + name)}, nil
	}
	call := policytest.Call(t,
		s.scope(t, policy.Definition{Name: "team-a", Credential: "a", Repositories: []string{"api", "web"}}),
		s.scope(t, policy.Definition{Name: "team-b", Credential: "b", Repositories: []string{"api-.*", "web"}}),
	)
	want := map[string][]string{"api": {"a"}, "api-secret": {"b"}, "web": {"a", "b"}}
	for slug, accounts := range want {
		ref, err := policy.ParseReference(slug)
		require.NoError(t, err)
		repos, err := call.Repositories(ref)
		require.NoError(t, err)
		require.Len(t, repos, len(accounts))
		for i, repo := range repos {
			s.ResetJournal()
			_, err := s.client.Repository(t.Context(), repo)
			require.NoError(t, err)
			_, err = s.client.Branches(t.Context(), repo, ListOptions{Limit: 10, Budget: budget()})
			require.NoError(t, err)
			for _, r := range s.Journal() {
				assert.Equal(t, accounts[i], r.Account, slug)
			}
		}
	}
	workspaces := call.Workspaces()
	require.Len(t, workspaces, 2)
	for i, account := range []string{"a", "b"} {
		s.ResetJournal()
		page, err := s.client.Repositories(t.Context(), workspaces[i], ListOptions{Limit: 10, Budget: budget()})
		require.NoError(t, err)
		assert.Equal(t, account, s.Journal()[0].Account)
		for _, row := range page.Rows {
			assert.Contains(t, want[row.Repo.Slug()], account)
			assert.Equal(t, account, row.Repo.Account().Credential, "a row keeps the credential that it was listed with")
		}
	}
}

func TestCredentialGoesToItsOwnAddressOnly(t *testing.T) {
	owner, other := bitbuckettest.NewNeighbours(t), bitbuckettest.NewNeighbours(t)
	for name, api := range map[string]string{
		"another host":    other.URL(),
		"another path":    owner.URL() + "/x",
		"without a path":  strings.TrimSuffix(owner.URL(), "/2.0"),
		"no address":      "",
		"another scheme":  strings.Replace(owner.URL(), "http:", "https:", 1),
		"trailing slash":  owner.URL() + "/",
		"DefaultAPI":      DefaultAPI,
		"with a user":     strings.Replace(owner.URL(), "://", "://x@", 1),
		"in another case": strings.ToUpper(owner.URL()),
	} {
		t.Run(name, func(t *testing.T) {
			s := on(t, owner.Server)
			s.client.config.Credential = keyFor(api)
			s.client.config.AllowAddress = func(string) bool { return true }
			_, err := s.client.Repository(t.Context(), s.repo(t, "api", policy.Definition{}))
			require.Error(t, err)
			assertDiscreet(t, err)
		})
	}
	owner.AssertNothingSent(t)
	other.AssertNothingSent(t)
}

func TestCredentialThatCannotBeUsedSendsNothing(t *testing.T) {
	upstream := bitbuckettest.NewNeighbours(t)
	lost := errors.New("the store is gone")
	tests := map[string]struct {
		credential Credential
		err, want  error
	}{
		"no key":             {Credential{}, nil, ErrCredentialRejected},
		"empty key":          {Credential{APIKey: secret.NewText("")}, nil, ErrCredentialRejected},
		"user name, no key":  {Credential{Username: username}, nil, ErrCredentialRejected},
		"a line break":       {Credential{APIKey: secret.NewText(canary + "\r\nX-Evil: 1")}, nil, ErrUnavailable},
		"cannot be read":     {Credential{}, lost, lost},
		"read was cancelled": {Credential{}, context.DeadlineExceeded, context.DeadlineExceeded},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := on(t, upstream.Server)
			test.credential.API = s.api
			reads := 0
			s.client.config.Credential = func(context.Context, string) (Credential, error) {
				reads++
				return test.credential, test.err
			}
			_, err := s.client.Repository(t.Context(), s.repo(t, "api", policy.Definition{}))
			require.ErrorIs(t, err, test.want)
			assert.Equal(t, 1, reads, "asked again and again")
			assertDiscreet(t, err)
		})
	}
	upstream.AssertNothingSent(t)
}

// The path refuses what could change it, although policy has judged the names:
// one mistake there must not be enough.
func TestPathRefusesSegmentsThatChangeIt(t *testing.T) {
	for _, segment := range []string{"", ".", "..", "a/b", "../x", `a\b`, "%2e%2e", "a%2Fb", "{1}", "{", "}"} {
		for _, e := range []endpoint{
			{route: routeBranches, account: policy.Account{Workspace: "acme"}, segments: segments{slug: segment}},
			{route: routeRepository, account: policy.Account{Workspace: segment}, segments: segments{slug: "api"}},
		} {
			path, err := e.path()
			assert.Error(t, err, "%q became %s", segment, path)
		}
	}
	acme := policy.Account{Workspace: "acme"}
	for _, e := range []endpoint{
		{route: routeBranch, account: acme, segments: segments{slug: "api", branch: "../x"}},
		{route: routeBranch, account: acme, segments: segments{slug: "api", branch: "."}},
		{route: routeBranch, account: acme, segments: segments{slug: "api"}},
		{route: routeCommit, account: acme, segments: segments{slug: "api", commit: "main"}},
		{route: routeCommit, account: acme, segments: segments{slug: "api", commit: "abcdef"}},
		{route: routeCommit, account: acme, segments: segments{slug: "api", commit: ""}},
		{route: routeMergeBase, account: acme, segments: segments{slug: "api", revspec: "main..develop"}},
		{route: routeMergeBase, account: acme, segments: segments{slug: "api", revspec: strings.Repeat("a", 40)}},
	} {
		path, err := e.path()
		assert.Error(t, err, "%+v became %s", e.segments, path)
	}
	for want, e := range map[string]endpoint{
		"/user": {route: routeUser},
		"/repositories/acme/api/refs/branches/feature%2Fx%23": {route: routeBranch, account: acme, segments: segments{slug: "api", branch: "feature/x#"}},
		"/repositories/acme/api/commit/abcdef0":               {route: routeCommit, account: acme, segments: segments{slug: "api", commit: "abcdef0"}},
	} {
		path, err := e.path()
		require.NoError(t, err)
		assert.Equal(t, want, path)
	}
}

// Any name that a scope allows gives exactly one URL: the API's address, the
// route, the workspace and the slug, each of them one segment, and nothing
// else.
func FuzzAllowedNameIsOneURL(f *testing.F) {
	for _, name := range []string{
		"api", "acme/api", "Duplocloud", "my repo", "..", "acme/..", "a..b", "...", "api/../../user", "api?q=1", "api#x", "api;x",
		"api%2e%2e", "{uuid}", "acme/api/refs", "ſecret", "api\r\nX: y", "a:b@c", "-", "_", ".git", "acme\\api", "api ", " api",
	} {
		f.Add("acme", name)
		f.Add(name, "api")
	}
	f.Fuzz(func(t *testing.T, workspace, name string) {
		scope, err := policy.Compile(policy.Definition{Name: "s", API: DefaultAPI, Workspace: workspace, Credential: "c", Actions: []policy.Action{policy.Read}})
		if err != nil {
			return
		}
		ref, err := policy.ParseReference(name)
		if err != nil {
			return
		}
		repos, err := policytest.Call(t, scope).Repositories(ref)
		if err != nil || len(repos) == 0 {
			return
		}
		require.Len(t, repos, 1)
		c := New(Config{Credential: keyFor(DefaultAPI)})
		for r, suffix := range map[route]string{routeRepository: "", routeBranches: "/refs/branches"} {
			e, err := at(r, repos[0])
			require.NoError(t, err)
			req, err := c.newRequest(t.Context(), e, "")
			require.NoError(t, err)

			want := DefaultAPI + "/repositories/" + repos[0].Account().Workspace + "/" + repos[0].Slug() + suffix
			assert.Equal(t, want, req.URL.String(), "names need no escaping, so that nothing is lost in it")
			again, err := url.Parse(req.URL.String())
			require.NoError(t, err)
			assert.Equal(t, *again, *again.JoinPath(), "no dot segment: cleaning changes nothing")
			assert.Equal(t, "api.bitbucket.org", again.Host)
			assert.Equal(t, again.Path, again.EscapedPath())
			assert.Equal(t, strings.Count(want, "/"), strings.Count(again.String(), "/"))
			assert.Empty(t, again.RawQuery+again.Fragment)
			assert.Nil(t, again.User)
			assert.Equal(t, http.MethodGet, req.Method)
			assert.Equal(t, "api.bitbucket.org", req.Host)
		}
	})
}
