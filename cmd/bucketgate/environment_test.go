package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Every mistake in the variables is one sentence that names the variable and
// says what to do. Nothing is sent, and nothing goes to stdout.
func TestMistakesInTheEnvironment(t *testing.T) {
	good := variables{varWorkspace: "acme", varUsername: testUsername, varToken: testToken}
	const (
		noScope  = "there is no scope to serve: set BITBUCKET_WORKSPACE and BITBUCKET_API_TOKEN for one scope from the environment (see bucketgate stdio --help), or store one with bucketgate provider create, credential create and scope create"
		setIt    = "set it to the slug of your Bitbucket workspace"
		forAll   = "for all names leave the variable out, or write .*"
		unfilled = "still reads ${…}: the client that started this program did not put the value in; set it there, or "
	)
	for _, tt := range []struct {
		name string
		env  variables
		want string // after "bucketgate: "
	}{
		{"nothing", variables{}, noScope},
		{"no workspace", good.without(varWorkspace), noScope},
		{"an empty workspace", good.with(varWorkspace, ""), "BITBUCKET_WORKSPACE is set but empty; " + setIt},
		{"a blank workspace", good.with(varWorkspace, " \t"), "BITBUCKET_WORKSPACE is set but empty; " + setIt},
		{"an unexpanded workspace", good.with(varWorkspace, "${BITBUCKET_WORKSPACE}"), "BITBUCKET_WORKSPACE " + unfilled + setIt},
		{"a workspace with a space", good.with(varWorkspace, "acme inc"), "BITBUCKET_WORKSPACE holds a space or a control character; set it to the bare value"},
		{"a workspace with a newline", good.with(varWorkspace, "acme\n"), "BITBUCKET_WORKSPACE holds a space or a control character; set it to the bare value"},
		{"no key", good.without(varToken), "BITBUCKET_API_TOKEN is not set; set it to an API token or an access token"},
		{"an empty key", good.with(varToken, ""), "BITBUCKET_API_TOKEN is set but empty; set it to an API token or an access token"},
		{"an unexpanded key", good.with(varToken, "${env:TOKEN}"), "BITBUCKET_API_TOKEN " + unfilled + "set it to an API token or an access token"},
		{"a key with a newline", good.with(varToken, testToken+"\n"), "BITBUCKET_API_TOKEN holds a space or a control character; set it to the bare value"},
		{"an app password", good.with(varToken, "ATBBsecret"), "BITBUCKET_API_TOKEN is an app password, which Bitbucket has not taken since 2026-07-28; create an API token instead and set BITBUCKET_USERNAME to the account's email"},
		{"an app password without a user name", good.with(varToken, "ATBBsecret").without(varUsername), "BITBUCKET_API_TOKEN is an app password, which Bitbucket has not taken since 2026-07-28; create an API token instead and set BITBUCKET_USERNAME to the account's email"},
		{"an API token without a user name", good.without(varUsername), "BITBUCKET_API_TOKEN is an API token, which needs BITBUCKET_USERNAME: the email of the Atlassian account"},
		{"an empty user name", good.with(varUsername, ""), "BITBUCKET_USERNAME is set but empty; set it to the Atlassian account's email, or leave the variable out for an access token"},
		{"an unexpanded user name", good.with(varUsername, "${USER:-}"), "BITBUCKET_USERNAME " + unfilled + "set it to the Atlassian account's email, or leave the variable out for an access token"},
		{"a user name with a colon", good.with(varUsername, "me:you"), "BITBUCKET_USERNAME holds a ':', which no email has"},
		{"an empty repository pattern", good.with(varRepoRegex, ""), "BITBUCKET_REPO_REGEX is set but empty; " + forAll},
		{"an unexpanded repository pattern", good.with(varRepoRegex, "${BITBUCKET_REPO_REGEX:-.*}"), "BITBUCKET_REPO_REGEX " + unfilled + forAll},
		{"an empty branch pattern", good.with(varBranchRegex, ""), "BITBUCKET_BRANCH_REGEX is set but empty; " + forAll},
		{"an unexpanded branch pattern", good.with(varBranchRegex, "^${BRANCH}$"), "BITBUCKET_BRANCH_REGEX " + unfilled + forAll},
		{"an empty address", good.with(varAPI, ""), "BITBUCKET_API_URL is set but empty; leave the variable out for https://api.bitbucket.org/2.0"},
		{"an unexpanded address", good.with(varAPI, "https://${HOST}/2.0"), "BITBUCKET_API_URL " + unfilled + "leave the variable out for https://api.bitbucket.org/2.0"},
		{"plain http", good.with(varAPI, "http://api.bitbucket.org/2.0"), "BITBUCKET_API_URL: it must be https; plain http is taken for this machine only"},
		{"another scheme", good.with(varAPI, "ftp://api.bitbucket.org"), "BITBUCKET_API_URL: it must begin with https://"},
		{"no address", good.with(varAPI, "bitbucket"), "BITBUCKET_API_URL: it must be an address such as https://api.bitbucket.org/2.0"},
		{"a key in the address", good.with(varAPI, "https://me:"+testToken+"@api.bitbucket.org/2.0"), "BITBUCKET_API_URL: it must not hold a user name or password; those go into their own settings"},
		{"a mistake of one that is not needed", variables{varRepoRegex: ""}, "BITBUCKET_REPO_REGEX is set but empty; " + forAll},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, args := range [][]string{{"stdio"}, {"check"}, {"call", "my_access"}, {}} {
				got := run(t, tt.env, "", args...)
				assert.Equal(t, outcome{code: exitFailed, stderr: "bucketgate: " + tt.want + "\n"}, got, "%v", args)
			}
		})
	}
}

// A mistake in a pattern names the variable, and the place in the pattern or
// what to write instead.
func TestMistakesInPatterns(t *testing.T) {
	good := variables{varWorkspace: "acme", varUsername: testUsername, varToken: testToken}
	for _, name := range []string{varRepoRegex, varBranchRegex} {
		for pattern, words := range map[string][]string{
			`duplo(cloud`:             {`"duplo(cloud"`},
			`^(?!secret).*$`:          {`(?!`, `exclude`},
			`(?=api).*`:               {`(?=`},
			`(a)\1`:                   {`\1`},
			`api\`:                    {`"api\\"`},
			`(?m)^api$`:               {`m`},
			`*api`:                    {`"*api"`},
			`a[`:                      {`"a["`},
			strings.Repeat("a", 513):  {"512"},
			"api\xff":                 {`UTF-8`},
			strings.Repeat("(", 3000): {"512"},
		} {
			got := run(t, good.with(name, pattern), "", "stdio")
			assert.Equal(t, exitFailed, got.code, pattern)
			assert.Empty(t, got.stdout)
			assert.True(t, strings.HasPrefix(got.stderr, "bucketgate: "+name+": "), got.stderr)
			assert.Equal(t, 1, strings.Count(got.stderr, "\n"), "one line: %s", got.stderr)
			for _, word := range words {
				assert.Contains(t, got.stderr, word)
			}
		}
	}
	for _, workspace := range []string{"../x", "a/b", "{uuid}", "a%2fb", "."} {
		got := run(t, good.with(varWorkspace, workspace), "", "stdio")
		assert.Equal(t, exitFailed, got.code, workspace)
		assert.Empty(t, got.stdout)
		assert.True(t, strings.HasPrefix(got.stderr, "bucketgate: BITBUCKET_WORKSPACE: "), got.stderr)
	}
}

// The linter speaks to stderr, once for each pattern, and the server starts.
func TestWarnings(t *testing.T) {
	env := environmentOf(newBitbucket(t)).with(varRepoRegex, "api-*", varBranchRegex, "^feature/")
	got := run(t, env, `{"jsonrpc":"2.0","id":1,"method":"ping"}`, "stdio")
	assert.Equal(t, exitDone, got.code)
	assert.Equal(t, `{"jsonrpc":"2.0","id":1,"result":{}}`+"\n", got.stdout)
	assert.Contains(t, got.stderr, "bucketgate: BITBUCKET_REPO_REGEX: api-* ")
	assert.Contains(t, got.stderr, "bucketgate: BITBUCKET_BRANCH_REGEX: ^feature/ ")
	assert.Contains(t, got.stderr, "^feature/.*")
}

// One scope is in the variables: what asks for another is refused, by flag or
// by variable.
func TestAScopeBesideTheEnvironment(t *testing.T) {
	good := variables{varWorkspace: "acme", varUsername: testUsername, varToken: testToken}
	for _, tt := range []struct {
		env   variables
		args  []string
		given string
	}{
		{good, []string{"stdio", "--scope", "x"}, "--scope"},
		{good, []string{"stdio", "--admin"}, "--admin"},
		{good, []string{"stdio", "--database", "x.db"}, "BUCKETGATE_DATABASE"},
		{good.with("BUCKETGATE_DATABASE", "x.db"), []string{"stdio"}, "BUCKETGATE_DATABASE"},
		{good.with("BUCKETGATE_DATABASE", "x.db"), []string{"call", "my_access"}, "BUCKETGATE_DATABASE"},
		{good.with("BUCKETGATE_DATABASE", "x.db"), []string{"check"}, "BUCKETGATE_DATABASE"},
		{good.with("BUCKETGATE_SCOPE", "x"), []string{"stdio"}, "--scope"},
		{good.with("BUCKETGATE_ADMIN", "true"), []string{"stdio"}, "--admin"},
		{good, []string{"call", "my_access", "--scope", "x"}, "--scope"},
		{good, []string{"check", "--admin"}, "--admin"},
	} {
		want := "bucketgate: BITBUCKET_WORKSPACE is set, and so is " + tt.given + ": the first is a scope of its own, the second asks for stored ones; unset one of them\n"
		assert.Equal(t, outcome{code: exitFailed, stderr: want}, run(t, tt.env, "", tt.args...), "%v", tt.args)
	}
}

// A token without a user name is an access token, sent as Bearer; the value of
// a variable is taken as it is.
func TestWhatIsTaken(t *testing.T) {
	s := newBitbucket(t)
	env := environmentOf(s)
	for _, tt := range []struct {
		name string
		env  variables
		code int
	}{
		{"all six", env, exitDone},
		{"no patterns", env.without(varRepoRegex).without(varBranchRegex), exitDone},
		{"a pattern with $ and {}", env.with(varRepoRegex, `^a.{2,8}$`), exitDone},
		{"the workspace in capitals", env.with(varWorkspace, "ACME"), exitDone},
		{"an access token", env.with(varToken, "ATCTT-unknown").without(varUsername), exitFailed}, // 401: the test's Bitbucket knows none
		{"a trailing slash", env.with(varAPI, s.URL()+"/"), exitDone},
	} {
		s.ResetJournal()
		got := run(t, tt.env, "", "call", "get_repo", "repository=api")
		assert.Equal(t, tt.code, got.code, "%s: %s", tt.name, got.stdout)
		scheme := "Basic"
		if _, ok := tt.env[varUsername]; !ok {
			scheme = "Bearer"
		}
		if assert.Len(t, s.Journal(), 1, tt.name) {
			assert.Equal(t, scheme, s.Journal()[0].Scheme)
		}
	}
}
