package agent_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/bitbuckettest"
	"bucketgate/bitbucket/sample"
	"bucketgate/policy"
	"bucketgate/tools"
)

// number is the column of a list of pull requests or pipelines.
func number(rows []any, field string) []int {
	list := []int{}
	for _, row := range rows {
		list = append(list, int(row.(map[string]any)[field].(float64)))
	}
	return list
}

// Two scopes of one repository, each with a credential of its own: the pull
// requests and pipelines of both are listed, each once, page by page too, and
// each by the rules of the scope that brought it.
func TestListsWalkEachCredential(t *testing.T) {
	for name, row := range map[string]struct {
		a, b        policy.Definition
		arguments   string
		pulls, runs []int
		scopes      []string
	}{
		"branches of their own": {
			a: policy.Definition{Branches: []string{"main"}}, b: policy.Definition{Branches: []string{"secret/y"}},
			pulls: []int{1, 2, 3, 4, 5}, runs: []int{1, 2, 3}, scopes: []string{"a", "b"},
		},
		"the same branches": {
			a: policy.Definition{Branches: []string{"main"}}, b: policy.Definition{Branches: []string{"main"}},
			pulls: []int{1, 2, 4, 5}, runs: []int{1, 3}, scopes: []string{"a", "b"},
		},
		"the second has no rule": {
			a: policy.Definition{Branches: []string{"main"}}, b: policy.Definition{},
			pulls: []int{1, 2, 3, 4, 5}, runs: []int{1, 2, 3, 4, 5, 6, 7}, scopes: []string{"a", "b"},
		},
		"both ends of a pull request need one scope": {
			a: policy.Definition{Branches: []string{"main"}}, b: policy.Definition{Branches: []string{"feature/x"}},
			pulls: []int{1, 2, 4, 5}, runs: []int{1, 3}, scopes: []string{"a", "b"},
		},
		"a branch that only the second allows": {
			a: policy.Definition{Branches: []string{"main"}}, b: policy.Definition{Branches: []string{"secret/y"}}, arguments: `,"branch":"secret/y"`,
			pulls: []int{3}, runs: []int{2}, scopes: []string{"b"},
		},
		"a source that only the second shows": {
			a: policy.Definition{Branches: []string{"main|feature/.*"}, ExcludeBranches: []string{"feature/x"}}, b: policy.Definition{Branches: []string{"main|secret/y"}},
			arguments: `,"branch":"secret/y"`, pulls: []int{2, 3}, runs: []int{2, 7}, scopes: []string{"b"},
		},
		"a repository that the second does not allow": {
			a: policy.Definition{Branches: []string{"main"}}, b: policy.Definition{Repositories: []string{"web"}},
			pulls: []int{1, 2, 4, 5}, runs: []int{1, 3}, scopes: []string{"a"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newPipelines(t)
			row.a.Name, row.a.Credential = "a", "one"
			row.b.Name, row.b.Credential = "b", "two"
			d := newDesk(t, h.Server, row.a, row.b)
			for _, limit := range []int{1, 2, 3, 25} {
				in := fmt.Sprintf(`{"repository":"api","limit":%d%s`, limit, row.arguments)
				pulls, _ := every(d, "list_pull_requests", in+`,"state":"all"}`, "pull_requests")
				assert.ElementsMatch(t, row.pulls, number(pulls, "id"), "limit %d", limit)
				runs, _ := every(d, "list_pipelines", in+`}`, "pipelines")
				assert.ElementsMatch(t, row.runs, number(runs, "number"), "limit %d", limit)
			}
			in := `{"repository":"api"` + row.arguments + `}`
			for _, tool := range []string{"list_pull_requests", "list_pipelines"} {
				assert.Equal(t, row.scopes, texts(d.answer(tool, in)["scopes"]), tool)
				assert.Subset(t, used(d), row.scopes, "the log names the scopes that brought something")
			}
		})
	}
}

// Half-matching scopes of one credential do not show the source, so that the
// pull request is not among theirs when the source's branch is asked for; the
// other credential brings it.
func TestASourceThatTwoHalvesDoNotShow(t *testing.T) {
	d := newDesk(t, newPipelines(t).Server,
		policy.Definition{Name: "a", Credential: "one", Branches: []string{"main"}}, policy.Definition{Name: "b", Credential: "one", Branches: []string{"secret/y"}},
		policy.Definition{Name: "c", Credential: "two", Branches: []string{"main", "secret/y"}})
	pulls, _ := every(d, "list_pull_requests", `{"repository":"api","branch":"secret/y","state":"all"}`, "pull_requests")
	assert.ElementsMatch(t, []int{2, 3}, number(pulls, "id"))
}

// used are the scopes that the last event names.
func used(d *desk) []string {
	return strings.FieldsFunc(d.events[len(d.events)-1].Scope, func(r rune) bool { return r == ',' || r == ' ' })
}

// A branch that no scope allows is refused once for all, and nothing of it is
// asked for.
func TestABranchThatNoCredentialAllows(t *testing.T) {
	h := newPipelines(t)
	d := newDesk(t, h.Server,
		policy.Definition{Name: "a", Credential: "one", Branches: []string{"main"}}, policy.Definition{Name: "b", Credential: "two", Branches: []string{"feature/.*"}})
	for _, tool := range []string{"list_pull_requests", "list_pipelines"} {
		assert.Equal(t, tools.NotFound, d.refused(tool, `{"repository":"api","branch":"secret/y"}`).Code)
		assert.Equal(t, "denied", string(d.events[len(d.events)-1].Decision))
		assert.Equal(t, tools.InvalidArgument, d.refused(tool, `{"repository":"api","branch":"main~1"}`).Code)
	}
	for _, request := range h.Requests() {
		assert.NotContains(t, request, "pullrequests")
		assert.NotContains(t, request, "pipelines")
	}
}

// Of three credentials the second does not see the repository: it brings
// nothing, and what the third brings is not left out for its sake.
func TestACredentialThatDoesNotSeeTheRepositoryHidesNothing(t *testing.T) {
	account := func(name string, repositories ...string) sample.Account {
		return sample.Account{Name: name, Token: "token-of-" + name, Bearer: true, Repositories: repositories}
	}
	up := bitbuckettest.New(t, func(o *sample.Options) {
		o.Accounts = []sample.Account{account("one", "acme/api"), account("two", "acme/other"), account("three", "acme/api")}
	})
	up.Repository("acme/api", "main", "feature/x")
	for _, destination := range []string{"main", "feature/x"} {
		_, err := up.AddPullRequest("acme", "api", sample.PullRequest{Title: "Into " + destination, SourceBranch: "main", DestinationBranch: destination})
		require.NoError(t, err)
		_, err = up.AddPipeline("acme", "api", sample.Pipeline{Target: sample.Target{RefName: destination}})
		require.NoError(t, err)
	}
	d := newDesk(t, up,
		policy.Definition{Name: "a", Credential: "one", Branches: []string{"main"}},
		policy.Definition{Name: "b", Credential: "two", Branches: []string{"feature/.*"}},
		policy.Definition{Name: "c", Credential: "three", Branches: []string{"feature/x"}})
	for _, limit := range []int{1, 25} {
		in := fmt.Sprintf(`{"repository":"api","limit":%d}`, limit)
		branches, _ := every(d, "list_branches", in, "branches")
		assert.Equal(t, []string{"main", "feature/x"}, column(branches, "name"))
		pulls, _ := every(d, "list_pull_requests", in, "pull_requests")
		assert.Equal(t, []int{1, 2}, number(pulls, "id"))
		runs, _ := every(d, "list_pipelines", in, "pipelines")
		assert.Equal(t, []int{1, 2}, number(runs, "number"))
	}
	assert.Equal(t, []string{"a", "c"}, texts(d.answer("list_branches", `{"repository":"api"}`)["scopes"]))
}

// The pages of the second credential's list have one length, however much of
// the answer the first one's filled.
func TestPagesOfTheSecondCredentialGiveEveryRowOnce(t *testing.T) {
	up := bitbuckettest.New(t)
	branches := []string{"main", "m1", "m2"}
	for i := range 40 {
		branches = append(branches, fmt.Sprintf("z%02d", i))
	}
	up.Repository("acme/api", branches...)
	for i := range 60 {
		_, err := up.AddPullRequest("acme", "api", sample.PullRequest{Title: "One", SourceBranch: "m1", DestinationBranch: branches[i%len(branches)]})
		require.NoError(t, err)
		_, err = up.AddPipeline("acme", "api", sample.Pipeline{Target: sample.Target{RefName: branches[i%len(branches)]}})
		require.NoError(t, err)
	}
	d := newDesk(t, up,
		policy.Definition{Name: "a", Credential: "one", Branches: []string{"main|m."}}, policy.Definition{Name: "b", Credential: "two"})
	for _, limit := range []int{2, 7, 25} {
		in := fmt.Sprintf(`{"repository":"api","limit":%d}`, limit)
		rows, _ := every(d, "list_branches", in, "branches")
		assert.ElementsMatch(t, branches, column(rows, "name"), "limit %d", limit)
		pulls, _ := every(d, "list_pull_requests", in, "pull_requests")
		assert.ElementsMatch(t, upTo(60), number(pulls, "id"), "limit %d", limit)
		runs, _ := every(d, "list_pipelines", in, "pipelines")
		assert.ElementsMatch(t, upTo(60), number(runs, "number"), "limit %d", limit)
	}
}

func upTo(n int) []int {
	return slices.Collect(func(yield func(int) bool) {
		for i := range n {
			if !yield(i + 1) {
				return
			}
		}
	})
}

// The cursor of a joined list opens for the call that it was made for alone.
func TestCursorsOfJoinedListsAreBound(t *testing.T) {
	h := newPipelines(t)
	a := policy.Definition{Name: "a", Credential: "one", Branches: []string{"main"}}
	b := policy.Definition{Name: "b", Credential: "two", Branches: []string{"secret/y"}}
	d := newDesk(t, h.Server, a, b)
	cursor := d.answer("list_pull_requests", `{"repository":"api","limit":4,"state":"all"}`)["next_cursor"].(string)
	with := fmt.Sprintf(`,"cursor":%q}`, cursor)
	assert.NotNil(t, d.answer("list_pull_requests", `{"repository":"api","limit":4,"state":"all"`+with))
	assert.Equal(t, tools.InvalidArgument, d.refused("list_pull_requests", `{"repository":"api","limit":4`+with).Code)
	assert.Equal(t, tools.InvalidArgument, d.refused("list_pipelines", `{"repository":"api","limit":4`+with).Code)
	d.grantScopes(a)
	assert.Equal(t, tools.InvalidArgument, d.refused("list_pull_requests", `{"repository":"api","limit":4,"state":"all"`+with).Code)
}

// A list of pipelines that would have to ask about too many commits ends its
// page there and says that there may be more; none is lost.
func TestPipelinesOnManyCommits(t *testing.T) {
	h := newHistory(t)
	for i := range 50 {
		_, err := h.AddPipeline("acme", "api", sample.Pipeline{Target: sample.Target{Hash: []string{h.first, h.secret}[i%2]}})
		require.NoError(t, err)
	}
	d := newDesk(t, h.Server, team())
	first := d.answer("list_pipelines", `{"repository":"api","limit":100}`)
	assert.Equal(t, tools.MoreNotice, first["notice"])
	rows, calls := every(d, "list_pipelines", `{"repository":"api","limit":100}`, "pipelines")
	assert.Len(t, rows, 25)
	assert.Equal(t, 3, calls)
}
