package sample

import (
	"cmp"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBranchKeys(t *testing.T) {
	c := serve(t, small(t, Options{}))
	branch := c.get("/repositories/acme/api/refs/branches/feature%2Fx").body
	assert.Equal(t, []string{
		"default_merge_strategy", "links", "merge_strategies", "name", "target", "type",
	}, keys(branch))
	target := branch["target"].(map[string]any)
	assert.Equal(t, []string{
		"author", "date", "hash", "links", "message", "parents", "repository", "type",
	}, keys(target))
	assert.Equal(t, "acme/api", target["repository"].(map[string]any)["full_name"])
	assert.Equal(t, []string{
		"approve", "comments", "diff", "html", "patch", "self", "statuses",
	}, keys(target["links"]))
	assert.Equal(t, []string{"raw", "type", "user"}, keys(target["author"]))
	assert.Equal(t, []string{"hash", "links", "type"}, keys(target["parents"].([]any)[0]))

	row := c.get("/repositories/acme/api/refs/branches").values()[1]
	assert.Equal(t, branch, row, "a row is the whole object")
}

func TestBranchNames(t *testing.T) {
	s := small(t, Options{})
	c := serve(t, s)
	head, err := s.Head("acme", "api", "main")
	require.NoError(t, err)
	for name, path := range map[string]string{
		"release/1.0 x": "release%2F1.0%20x",
		"per%cent":      "per%25cent",
		"plus+":         "plus+",
		"Main":          "Main",
	} {
		require.NoError(t, s.SetBranch("acme", "api", name, head))
		assert.Equal(t, name, c.get("/repositories/acme/api/refs/branches/" + path).body["name"])
	}
	require.NoError(t, s.DeleteBranch("acme", "api", "Main"))
	assert.Equal(t, http.StatusNotFound, c.get("/repositories/acme/api/refs/branches/Main").status)
}

func TestCommitKeys(t *testing.T) {
	s := small(t, Options{})
	c := serve(t, s)
	head, err := s.Head("acme", "api", "feature/x")
	require.NoError(t, err)
	whole := c.get("/repositories/acme/api/commit/" + head).body
	assert.Equal(t, []string{
		"author", "date", "hash", "links", "message", "parents", "participants", "rendered", "repository", "summary", "type",
	}, keys(whole))
	assert.Equal(t, "2021-03-01T10:00:00+00:00", whole["date"])
	assert.Equal(t, whole, c.get("/repositories/acme/api/commit/"+head[:7]).body)
}

func TestCommitMissing(t *testing.T) {
	c := serve(t, small(t, Options{}))
	for _, name := range []string{"0000000", "abc", "Main", "zzzzzzz"} {
		answer := c.get("/repositories/acme/api/commit/" + name)
		assert.Equal(t, http.StatusNotFound, answer.status)
		assert.Equal(t, "Commit not found", answer.message())
		assert.Equal(t, map[string]any{"shas": []any{name}}, answer.body["data"])
	}
}

func TestHashesAreTheSameInEveryRun(t *testing.T) {
	s := New(Options{})
	require.NoError(t, s.AddRepository(Repository{Workspace: "acme", Slug: "api"}))
	first := commitOn(t, s, "api", "First\n")
	assert.Equal(t, "860b9315fc12922a6aec6f16cb7b19e7e0111f56", first)
	assert.Equal(t, first, commitOn(t, s, "api", "First\n"))
	assert.NotEqual(t, first, commitOn(t, s, "api", "First\n", first))
}

// TestMergeBase runs on this graph, where x has no parent either:
//
//	a ── b ── c ── f (of c and d)
//	 └── d ── e ── g (of e and c)      x
func TestMergeBase(t *testing.T) {
	s := New(Options{})
	require.NoError(t, s.AddRepository(Repository{Workspace: "acme", Slug: "api"}))
	hash := map[string]string{}
	dates := map[string]time.Time{"a": firstDay.AddDate(1, 0, 0)} // clocks lie
	for i, line := range []string{"a", "ba", "cb", "da", "ed", "fcd", "gec", "x"} {
		var parents []string
		for _, parent := range line[1:] {
			parents = append(parents, hash[string(parent)])
		}
		h, err := s.AddCommit("acme", "api", Commit{
			Message: line, Parents: parents,
			Date: cmp.Or(dates[line], firstDay.Add(time.Duration(i)*time.Hour)),
		})
		require.NoError(t, err)
		hash[line[:1]] = h
	}
	c := serve(t, s)
	tests := []struct{ left, right, want string }{
		{"a", "a", "a"},
		{"a", "g", "a"},
		{"g", "a", "a"},
		{"b", "d", "a"},
		{"c", "e", "a"},
		{"c", "g", "c"},
		{"e", "g", "e"},
		{"b", "f", "b"},
		{"f", "e", "d"},
		{"f", "g", "d"}, // c and d are as good; the younger wins
		{"x", "g", ""},
	}
	for _, test := range tests {
		answer := c.get("/repositories/acme/api/merge-base/" + hash[test.left] + ".." + hash[test.right])
		if test.want == "" {
			assert.Equal(t, http.StatusNotFound, answer.status)
			continue
		}
		assert.Equal(t, hash[test.want], answer.body["hash"], "%s..%s", test.left, test.right)
	}
	assert.Equal(t, hash["b"], c.get("/repositories/acme/api/merge-base/" + hash["b"][:8] + ".." + hash["f"][:8]).body["hash"])
	assert.Equal(t, http.StatusBadRequest, c.get("/repositories/acme/api/merge-base/"+hash["b"]).status)
	assert.Equal(t, http.StatusNotFound, c.get("/repositories/acme/api/merge-base/0000000.."+hash["b"]).status)
}
