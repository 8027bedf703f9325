package agent_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/bitbuckettest"
	"bucketgate/bitbucket/sample"
	"bucketgate/internal/audit"
	"bucketgate/policy"
	"bucketgate/tools"
)

func demoDesk(t *testing.T, scopes ...policy.Definition) *desk {
	t.Helper()
	return newDesk(t, bitbuckettest.Serve(t, sample.Demo(sample.Options{})), scopes...)
}

// The guide's question, in one call.
func TestGetRepoAnswersTheGuidesQuestion(t *testing.T) {
	d := demoDesk(t, policy.Definition{Repositories: []string{"duplocloud.*"}, Branches: []string{"main"}})
	for _, name := range []string{"duplocloud", "Duplocloud", "DUPLOCLOUD", "acme/duplocloud", "ACME/Duplocloud"} {
		answer := d.answer("get_repo", fmt.Sprintf(`{"repository":%q}`, name))
		assert.Equal(t, "Duplocloud", answer["name"], name)
		assert.Equal(t, "acme/duplocloud", answer["full_name"])
		assert.Equal(t, "private", answer["visibility"])
		assert.Equal(t, "https://bitbucket.org/acme/duplocloud", answer["url"])
		assert.Equal(t, "main", answer["default_branch"])
		assert.Contains(t, answer["summary"], "Yes, acme/duplocloud can be accessed through scope team.")
		assert.Equal(t, []string{"team"}, texts(answer["scopes"]))
		assert.Equal(t, []string{`list_branches with repository "acme/duplocloud" lists its branches.`}, texts(answer["next_steps"]))
		_, err := time.Parse(time.RFC3339, answer["updated_on"].(string))
		assert.NoError(t, err)
	}
}

func TestSummaryComesFirst(t *testing.T) {
	d := demoDesk(t, policy.Definition{})
	for tool, arguments := range map[string]string{
		"my_access": `{}`, "list_repos": `{}`, "get_repo": `{"repository":"duplocloud"}`, "list_branches": `{"repository":"duplocloud"}`,
	} {
		assert.True(t, strings.HasPrefix(string(d.run(tool, arguments).Text), `{"summary":"`), tool)
	}
}

// Out of scope and missing look the same but for the name, and for a name that
// the patterns refuse not one request leaves.
func TestOutOfScopeLooksLikeMissing(t *testing.T) {
	d := newDesk(t, bitbuckettest.NewNeighbours(t).Server, policy.Definition{Repositories: []string{"api|web|nowhere"}})
	for _, tool := range []string{"get_repo", "list_branches"} {
		missing := d.run(tool, `{"repository":"nowhere"}`)
		d.upstream.ResetJournal()
		for _, name := range []string{"api-secret", "mallory/api", "acme/api-secret", "other/api", "API-SECRET", "Api Secret"} {
			denied := d.run(tool, fmt.Sprintf(`{"repository":%q}`, name))
			require.NotNil(t, denied.Error, "%s %s", tool, name)
			assert.Equal(t, tools.NotFound, denied.Error.Code)
			assert.Equal(t, strings.ReplaceAll(string(missing.Text), "nowhere", name), string(denied.Text))
			event := d.events[len(d.events)-1]
			assert.Equal(t, audit.Denied, event.Decision)
			assert.Contains(t, event.Reason, "scope", "the audit log tells the two apart")
		}
		d.upstream.AssertNothingSent(t)
	}
}

func TestNamesThatAreNone(t *testing.T) {
	d := newDesk(t, bitbuckettest.NewNeighbours(t).Server, policy.Definition{})
	for _, name := range []string{
		"..", ".", "../web", "acme/..", "../acme/api", "acme/api/refs", "api%2Fsecret", "api%252f", "{1b2c}", "acme/{1b2c}", "{}/{1b2c}",
		"api\n", "api\x00", "api\u202e", "api\u200b", "", " ", "https://bitbucket.org/acme/api", "a/b/c", strings.Repeat("a", 300), "//", "/api", "api/",
	} {
		encoded, err := json.Marshal(map[string]string{"repository": name})
		require.NoError(t, err)
		assert.Equal(t, tools.InvalidArgument, d.refused("get_repo", string(encoded)).Code, "%q", name)
	}
	d.upstream.AssertNothingSent(t)
}

func TestDisplayNames(t *testing.T) {
	up := bitbuckettest.New(t)
	up.MustAddRepository(sample.Repository{Workspace: "acme", Slug: "dc-main", Name: "Duplo Cloud"}, "main")
	up.MustAddRepository(sample.Repository{Workspace: "acme", Slug: "cafe", Name: "Café (old)"}, "main")
	up.MustAddRepository(sample.Repository{Workspace: "acme", Slug: "twin-a", Name: "Twin"}, "main")
	up.MustAddRepository(sample.Repository{Workspace: "acme", Slug: "twin-b", Name: "Twin"}, "main")
	up.MustAddRepository(sample.Repository{Workspace: "acme", Slug: "vault", Name: "Secret Plans"}, "main")
	d := newDesk(t, up, policy.Definition{ExcludeRepositories: []string{"vault", "secret-.*"}})

	t.Run("found in the scope's own listing, case ignored", func(t *testing.T) {
		assert.Equal(t, "acme/dc-main", d.answer("get_repo", `{"repository":"duplo CLOUD"}`)["full_name"])
		assert.Equal(t, "acme/cafe", d.answer("get_repo", `{"repository":"café (OLD)"}`)["full_name"])
		assert.Equal(t, "acme/dc-main", d.answer("list_branches", `{"repository":"acme/Duplo Cloud"}`)["full_name"])
	})
	t.Run("the text is never sent", func(t *testing.T) { up.AssertNoneNamed(t, "café", "(old)", "duplo cloud") })
	t.Run("two of one name are ambiguous and named", func(t *testing.T) {
		refused := d.refused("get_repo", `{"repository":"Twin"}`)
		assert.Equal(t, tools.ScopeAmbiguous, refused.Code)
		assert.Contains(t, refused.Message, "acme/twin-a through scope team; acme/twin-b through scope team")
	})
	t.Run("text that is a slug as written is not looked up", func(t *testing.T) {
		up.ResetJournal()
		assert.Equal(t, tools.NotFound, d.refused("get_repo", `{"repository":"twin"}`).Code)
		assert.Equal(t, []string{"GET /2.0/repositories/acme/twin"}, up.Requests())
	})
	t.Run("a slug that is refused never falls back", func(t *testing.T) {
		up.ResetJournal()
		assert.Equal(t, tools.NotFound, d.refused("get_repo", `{"repository":"Secret Plans"}`).Code)
		up.AssertNothingSent(t)
	})
	t.Run("the name of a hidden row is not found", func(t *testing.T) {
		d.grantScopes(policy.Definition{ExcludeRepositories: []string{"vault"}})
		assert.Equal(t, tools.NotFound, d.refused("get_repo", `{"repository":"Secret Plans"}`).Code)
	})
}

func TestRenamed(t *testing.T) {
	up := bitbuckettest.NewNeighbours(t)
	d := newDesk(t, up.Server, policy.Definition{Repositories: []string{"web", "site"}})
	t.Run("with a redirect", func(t *testing.T) {
		require.NoError(t, up.RenameRepository("acme", "web", "intranet"))
		assert.Equal(t, tools.NotFound, d.refused("get_repo", `{"repository":"web"}`).Code)
		up.AssertNoneNamed(t, "intranet")
	})
	t.Run("in place, to a name out of scope", func(t *testing.T) {
		up.Repository("acme/site", "main")
		up.Fail(sample.Edited(func(body map[string]any) { body["full_name"] = "acme/api-secret" }).On("/repositories/acme/site"))
		refused := d.run("get_repo", `{"repository":"site"}`)
		assert.Equal(t, tools.NotFound, refused.Error.Code)
		assert.NotContains(t, string(refused.Text), "api-secret")
		assert.Equal(t, tools.NotFound, d.refused("list_branches", `{"repository":"site"}`).Code)
	})
}

func TestWhatAScopeHidesOfARepository(t *testing.T) {
	up := bitbuckettest.NewNeighbours(t)
	d := newDesk(t, up.Server, policy.Definition{Workspace: "mallory", Branches: []string{"feature/.*"}})
	text := string(d.run("get_repo", `{"repository":"mallory/api","detail":"full"}`).Text)
	assert.NotContains(t, text, "api-secret", "the parent is in another workspace")
	assert.NotContains(t, text, "default_branch", "the default branch does not match")

	up.MustAddRepository(sample.Repository{Workspace: "acme", Slug: "fork", ParentFullName: "acme/api"}, "main")
	d.grantScopes(policy.Definition{Repositories: []string{"fork", "api"}})
	assert.Equal(t, "acme/api", d.answer("get_repo", `{"repository":"fork","detail":"full"}`)["parent"])
	d.grantScopes(policy.Definition{Repositories: []string{"fork"}})
	assert.NotContains(t, d.answer("get_repo", `{"repository":"fork","detail":"full"}`), "parent")
}

func TestListReposShowsWhatTheScopeAllows(t *testing.T) {
	d := demoDesk(t, policy.Definition{Repositories: []string{"^duplocloud-.*"}, ExcludeRepositories: []string{".*-(docs|sdk)"}})
	names := []string{"duplocloud-agent", "duplocloud-api", "duplocloud-helm", "duplocloud-portal", "duplocloud-terraform"}
	answer := d.answer("list_repos", `{"detail":"names"}`)
	assert.Equal(t, names, texts(answer["names"]))
	assert.NotContains(t, answer, "repositories")
	assert.NotContains(t, answer, "next_cursor")
	assert.Equal(t, "acme", answer["workspace"])
	assert.Equal(t, "5 repositories of workspace acme within scope team.", answer["summary"])
	assert.Equal(t, []string{"GET /2.0/repositories/acme"}, d.upstream.Requests(), "one request, thanks to the pushed down filter")

	concise := d.answer("list_repos", `{}`)
	assert.Len(t, concise["repositories"].([]any)[0], 4)
	assert.NotContains(t, concise, "names")
	full := d.answer("list_repos", `{"detail":"full"}`)["repositories"].([]any)[0].(map[string]any)
	for _, field := range []string{"name", "full_name", "visibility", "url", "description", "default_branch", "updated_on"} {
		assert.Contains(t, full, field)
	}
}

func TestAnEmptyListExplainsItself(t *testing.T) {
	d := demoDesk(t, policy.Definition{Repositories: []string{"^duplocloud-"}})
	answer := d.answer("list_repos", `{}`)
	assert.Equal(t, []any{}, answer["repositories"], "the list is there, and empty")
	assert.Contains(t, answer["notice"], "repositories whose whole slug matches ^duplocloud-")
	assert.Contains(t, answer["notice"], "matches only the name 'duplocloud-'")
}

// every walks a list to its end.
func every(d *desk, tool, arguments, key string) (rows []any, calls int) {
	cursor := ""
	for {
		calls++
		with := strings.TrimSuffix(arguments, "}") + cursor + "}"
		answer := d.answer(tool, with)
		rows = append(rows, answer[key].([]any)...)
		next, ok := answer["next_cursor"]
		if !ok {
			return rows, calls
		}
		assert.Equal(d.t, tools.MoreNotice, answer["notice"])
		cursor = fmt.Sprintf(`,"cursor":%q`, next)
	}
}

func TestPagesGiveEveryRowOnce(t *testing.T) {
	for _, opaque := range []bool{false, true} {
		for name, scope := range map[string]policy.Definition{
			"all": {}, "a suffix": {Repositories: []string{".*-api"}}, "no literal": {Repositories: []string{"[a-m].*"}},
		} {
			t.Run(fmt.Sprintf("%s, opaque %v", name, opaque), func(t *testing.T) {
				d := newDesk(t, bitbuckettest.Serve(t, sample.Large(sample.Options{OpaqueNext: opaque}, 230)), scope)
				want := texts(d.answer("list_repos", `{"detail":"names","limit":1000}`)["names"])
				require.NotEmpty(t, want)
				for _, limit := range []int{1, 7, 100} {
					rows, calls := every(d, "list_repos", fmt.Sprintf(`{"limit":%d}`, limit), "repositories")
					assert.Equal(t, want, trimmed(column(rows, "full_name")))
					assert.LessOrEqual(t, calls, len(want)/limit+2)
				}
			})
		}
	}
}

func trimmed(fullNames []string) []string {
	for i, name := range fullNames {
		fullNames[i] = strings.TrimPrefix(name, "acme/")
	}
	return fullNames
}

func TestAnswersStayUnderTheirSize(t *testing.T) {
	up := bitbuckettest.New(t)
	for i := range 120 {
		up.MustAddRepository(sample.Repository{
			Workspace: "acme", Slug: fmt.Sprintf("repo-%03d-%s", i, strings.Repeat("x", 100)), Name: strings.Repeat("ä", 300), Description: strings.Repeat("d", 5000),
		}, "main")
	}
	d := newDesk(t, up, policy.Definition{})
	rows, _ := every(d, "list_repos", `{"limit":100,"detail":"full"}`, "repositories")
	assert.Len(t, rows, 120, "cut at whole rows, and gone on from there")
	assert.Less(t, len(d.run("list_repos", `{"limit":100,"detail":"full"}`).Text), tools.MaxAnswer)
	assert.Less(t, len(d.run("list_repos", `{"limit":1000,"detail":"names"}`).Text), tools.MaxNamesAnswer)
	assert.Less(t, len(d.run("get_repo", fmt.Sprintf(`{"repository":"repo-000-%s","detail":"full"}`, strings.Repeat("x", 100))).Text), tools.MaxAnswer)
}

// In a scope with patterns nothing that leaves depends on what the caller
// looks for: a search that reached Bitbucket would tell of hidden rows.
func TestAQueryTellsNothingOfHiddenRows(t *testing.T) {
	for name, scope := range map[string]policy.Definition{
		"repository patterns": {Repositories: []string{"[a-m].*"}}, "exclusion only": {ExcludeRepositories: []string{"a.*"}}, "branch patterns only": {Branches: []string{"main"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, bitbuckettest.Serve(t, sample.Large(sample.Options{}, 350)), scope)
			var before []string
			for i, arguments := range []string{`{"query":"zzz"}`, `{"query":"api"}`, `{"query":"a","limit":1}`, `{"query":"\"","visibility":"public"}`} {
				d.upstream.ResetJournal()
				d.answer("list_repos", arguments)
				sent := journal(d.upstream)
				if i > 0 {
					assert.ElementsMatch(t, before, sent, arguments)
				}
				before = sent
			}
		})
	}
}

func journal(up *bitbuckettest.Server) []string {
	var list []string
	for _, r := range up.Journal() {
		query := r.Query
		query.Del("fields") // which columns are asked for says nothing of rows
		list = append(list, r.Path+"?"+query.Encode())
	}
	return list
}

func TestQueryAndVisibility(t *testing.T) {
	for name, scope := range map[string]policy.Definition{"all": {}, "with a pattern": {Repositories: []string{"duplocloud.*"}}} {
		t.Run(name, func(t *testing.T) {
			d := demoDesk(t, scope)
			assert.Contains(t, texts(d.answer("list_repos", `{"query":"CLOUD-API","detail":"names"}`)["names"]), "duplocloud-api")
			assert.Empty(t, d.answer("list_repos", `{"query":"no such \" text","detail":"names"}`)["names"])
			for _, v := range []string{"private", "public"} {
				for _, got := range column(d.answer("list_repos", fmt.Sprintf(`{"visibility":%q}`, v))["repositories"], "visibility") {
					assert.Equal(t, v, got)
				}
			}
		})
	}
}

func TestWhatBitbucketAnswers(t *testing.T) {
	header := func(status int, body string) sample.Fault { return sample.Body(status, "application/json", body) }
	for name, row := range map[string]struct {
		fault sample.Fault
		code  tools.Code
		words string
	}{
		"401":               {sample.Status(http.StatusUnauthorized, "Token is invalid"), tools.CredentialRejected, "rejected the credential"},
		"403 privileges":    {header(403, `{"type":"error","error":{"message":"x","detail":{"required":["read:repository:bitbucket","<b>"],"granted":[]}}}`), tools.CredentialRejected, "lacks a permission: read:repository:bitbucket."},
		"403":               {sample.Status(http.StatusForbidden, "no"), tools.NotFound, "no repository"},
		"404":               {sample.Status(http.StatusNotFound, "no"), tools.NotFound, "no repository"},
		"410":               {sample.Status(http.StatusGone, "no"), tools.NotFound, "no repository"},
		"429 for an hour":   {sample.RateLimited("3600"), tools.RateLimited, "no more requests"},
		"HTML":              {sample.HTML(200, "<html>"), tools.UpstreamUnavailable, "no usable answer"},
		"nothing":           {sample.Empty(), tools.UpstreamUnavailable, "no usable answer"},
		"half an answer":    {sample.ShortBody(), tools.UpstreamUnavailable, "the connection failed"},
		"half a JSON":       {sample.CutJSON(), tools.UpstreamUnavailable, "no repository"},
		"200 MB":            {sample.Big(200 << 20), tools.ResultTooLarge, "too large"},
		"a redirect":        {sample.RedirectTo(302, "https://evil.example/"), tools.NotFound, "no repository"},
		"another workspace": {sample.Edited(func(b map[string]any) { b["full_name"] = "evil/duplocloud" }), tools.NotFound, "no repository"},
	} {
		t.Run(name, func(t *testing.T) {
			d := demoDesk(t, policy.Definition{})
			d.upstream.Fail(row.fault)
			refused := d.refused("get_repo", `{"repository":"duplocloud"}`)
			assert.Equal(t, row.code, refused.Code)
			assert.Contains(t, refused.Message, row.words)
			assert.NotEmpty(t, refused.Hint)
			assert.NotContains(t, refused.Message+refused.Hint, "<b>")
			assert.Len(t, d.events, 1)
		})
	}
}
