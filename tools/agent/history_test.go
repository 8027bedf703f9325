package agent_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/bitbuckettest"
	"bucketgate/bitbucket/sample"
	"bucketgate/policy"
	"bucketgate/tools"
)

// A history is a repository with files, for a scope that allows main and
// feature/.* of it.
type history struct {
	*bitbuckettest.Server
	first, second, feature, secret string
}

func newHistory(t *testing.T) *history {
	t.Helper()
	h := &history{Server: bitbuckettest.New(t)}
	h.MustAddRepository(sample.Repository{Workspace: "acme", Slug: "api", Private: true, DefaultBranch: "main"})
	h.first = h.commit(t, "main", "Begin\n\nWith a body.", map[string]sample.File{"README.md": {Content: []byte("# api\n\none\n")}, "docs/a.md": {Content: []byte("a\n")}})
	h.second = h.commit(t, "main", "Second", map[string]sample.File{"README.md": {Content: []byte("# api\n\ntwo\n")}})
	h.MustBranch("acme/api", "feature/x", h.first)
	h.feature = h.commit(t, "feature/x", "Feature", map[string]sample.File{"feature.go": {Content: []byte("package feature\n")}, "docs/a.md": {Content: []byte("a\nb\n")}})
	h.MustBranch("acme/api", "secret/y", h.first)
	h.secret = h.commit(t, "secret/y", "SECRETWORK", map[string]sample.File{"SECRETFILE": {Content: []byte("SECRETCONTENT\n")}})
	return h
}

func (h *history) commit(t *testing.T, branch, message string, files map[string]sample.File) string {
	t.Helper()
	c := sample.Commit{Message: message, Files: files}
	if head, err := h.Head("acme", "api", branch); err == nil {
		c.Parents = []string{head}
	}
	hash, err := h.AddCommit("acme", "api", c)
	require.NoError(t, err)
	h.MustBranch("acme/api", branch, hash)
	return hash
}

func team() policy.Definition {
	return policy.Definition{Repositories: []string{"api"}, Branches: []string{"main", "feature/.*"}}
}

func TestListCommits(t *testing.T) {
	h := newHistory(t)
	d := newDesk(t, h.Server, team())
	answer := d.answer("list_commits", `{"repository":"api"}`)
	assert.Equal(t, "2 commits of acme/api on main within scope team.", answer["summary"])
	assert.Equal(t, []string{"Second", "Begin"}, column(answer["commits"], "message"))
	assert.Equal(t, []string{h.second[:12], h.first[:12]}, column(answer["commits"], "commit"))
	assert.Equal(t, []string{
		"GET /2.0/repositories/acme/api", "GET /2.0/repositories/acme/api/refs/branches/main", "GET /2.0/repositories/acme/api/commits/" + h.second,
	}, h.Requests(), "the branch is asked for by name, its history by hash")

	answer = d.answer("list_commits", `{"repository":"api","branch":"feature/x","path":"docs/a.md","detail":"full"}`)
	assert.Equal(t, []string{h.feature, h.first}, column(answer["commits"], "commit"))
	assert.Equal(t, tools.NotFound, d.refused("list_commits", `{"repository":"api","branch":"secret/y"}`).Code)
	assert.Equal(t, tools.NotFound, d.refused("list_commits", `{"repository":"api","branch":"gone"}`).Code)
}

// A branch that moves between two pages does not shift the list: a cursor holds
// the commit that the list began at.
func TestListCommitsGoesOnFromWhereItBegan(t *testing.T) {
	h := newHistory(t)
	d := newDesk(t, h.Server, team())
	answer := d.answer("list_commits", `{"repository":"api","limit":1}`)
	assert.Equal(t, []string{"Second"}, column(answer["commits"], "message"))
	h.commit(t, "main", "Third", nil)
	d2 := newDesk(t, h.Server, team()) // another process: no head is remembered
	answer = d2.answer("list_commits", `{"repository":"api","limit":1,"cursor":"`+answer["next_cursor"].(string)+`"}`)
	assert.Equal(t, []string{"Begin"}, column(answer["commits"], "message"))
}

func TestGetCommit(t *testing.T) {
	h := newHistory(t)
	d := newDesk(t, h.Server, team())
	for _, hash := range []string{h.first, h.first[:7], strings.ToUpper(h.first)} {
		answer := d.answer("get_commit", `{"repository":"api","commit":"`+hash+`"}`)
		assert.Equal(t, h.first, answer["commit"])
		assert.Equal(t, "Begin\n\nWith a body.", answer["message"])
		assert.Equal(t, []string{"added README.md +3 -0", "added docs/a.md +1 -0"}, texts(answer["files"]))
		assert.Equal(t, "https://bitbucket.org/acme/api/commits/"+h.first, answer["url"])
	}
	missing := d.refused("get_commit", `{"repository":"api","commit":"`+strings.Repeat("0", 40)+`"}`)
	hidden := d.refused("get_commit", `{"repository":"api","commit":"`+h.secret+`"}`)
	assert.Equal(t, strings.ReplaceAll(missing.Message, strings.Repeat("0", 40), h.secret), hidden.Message, "hidden and missing read alike")
	assert.Equal(t, tools.NotFound, hidden.Code)
	for text, words := range map[string]string{
		"abcde": "at least 7", strings.Repeat("a", 41): "at most 40", "main": "at least 7", "feature/x": "only hex digits", h.first[:39] + "~": "only hex digits",
		"abcdef0~1": "only hex digits",
	} {
		refused := d.refused("get_commit", `{"repository":"api","commit":"`+text+`"}`)
		assert.Equal(t, tools.InvalidArgument, refused.Code)
		assert.Contains(t, refused.Message, words)
	}
}

func TestCompare(t *testing.T) {
	h := newHistory(t)
	d := newDesk(t, h.Server, team())
	answer := d.answer("compare", `{"repository":"api","from":"main","to":"feature/x"}`)
	assert.Equal(t, "feature/x has over main in acme/api: 2 files changed, 2 lines added, 0 removed within scope team.", answer["summary"])
	assert.Equal(t, []string{"modified docs/a.md +1 -0", "added feature.go +1 -0"}, texts(answer["files"]))
	assert.Contains(t, answer["diff"], "+package feature")
	assert.NotContains(t, answer["diff"], "two", "what main did since is not what the branch did")

	answer = d.answer("compare", `{"repository":"api","from":"`+h.first+`","to":"main","path":"README.md"}`)
	assert.Equal(t, []string{"modified README.md +1 -1"}, texts(answer["files"]))
	assert.Contains(t, answer["diff"], "-one\n+two")

	for _, arguments := range []string{
		`"from":"main","to":"secret/y"`, `"from":"secret/y","to":"main"`, `"from":"` + h.secret + `","to":"main"`, `"from":"main","to":"` + h.secret[:9] + `"`,
	} {
		assert.Equal(t, tools.NotFound, d.refused("compare", `{"repository":"api",`+arguments+`}`).Code)
	}
	for _, text := range []string{"main~1", "main..secret/y", "HEAD", "refs/heads/main", "@{1}"} {
		assert.Equal(t, tools.InvalidArgument, d.refused("compare", `{"repository":"api","from":"`+text+`","to":"main"}`).Code, text)
	}
}

// One scope allows main, another the feature branches: together they allow no
// comparison of the two.
func TestCompareNeedsOneScopeForBothEnds(t *testing.T) {
	h := newHistory(t)
	d := newDesk(t, h.Server, policy.Definition{Name: "a", Branches: []string{"main"}}, policy.Definition{Name: "b", Branches: []string{"feature/.*"}})
	assert.Equal(t, tools.NotFound, d.refused("compare", `{"repository":"api","from":"main","to":"feature/x"}`).Code)
	assert.Equal(t, "denied", string(d.events[len(d.events)-1].Decision))
	d.answer("compare", `{"repository":"api","from":"`+h.first+`","to":"main","scope":"a"}`)
}

func TestALongComparisonGoesOn(t *testing.T) {
	h := newHistory(t)
	files := map[string]sample.File{}
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		files["long/"+name+".txt"] = sample.File{Content: []byte(strings.Repeat("line of "+name+"\n", 600))}
	}
	h.commit(t, "feature/x", "Long", files)
	d := newDesk(t, h.Server, team())
	arguments := `{"repository":"api","from":"main","to":"feature/x"`
	var diff string
	cursor := ""
	for range 20 {
		result := d.run("compare", arguments+cursor+"}")
		require.False(t, result.IsError(), "%s", result.Text)
		assert.Less(t, len(result.Text), tools.MaxAnswer)
		answer := d.answer("compare", arguments+cursor+"}")
		diff += answer["diff"].(string)
		next, more := answer["next_cursor"].(string)
		if !more {
			break
		}
		cursor = `,"cursor":"` + next + `"`
	}
	for _, name := range []string{"a", "f"} {
		assert.Equal(t, 600, strings.Count(diff, "+line of "+name+"\n"), "every line came once")
	}
}

// With no branch patterns nothing is asked for the rule's sake.
func TestHistoryWithoutBranchPatternsCostsNoMore(t *testing.T) {
	h := newHistory(t)
	d := newDesk(t, h.Server, policy.Definition{})
	d.answer("get_commit", `{"repository":"api","commit":"`+h.secret+`"}`)
	assert.Equal(t, []string{
		"GET /2.0/repositories/acme/api", "GET /2.0/repositories/acme/api/commit/" + h.secret, "GET /2.0/repositories/acme/api/diffstat/" + h.secret,
	}, h.Requests())
	assert.Equal(t, tools.NotFound, d.refused("get_commit", `{"repository":"api","commit":"`+strings.Repeat("0", 40)+`"}`).Code)
}
