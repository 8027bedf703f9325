package sample

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// history is a server with this graph, where each commit changes the file of
// its name, and the merge takes over what the other side has:
//
//	a ── b ── c ─── m (of c and e)     main
//	 └── d ── e ───┘└── f              e: side, f: feature/x
//	                                   x: tag lone, no parent
func history(t *testing.T) (l library, hash map[string]string) {
	l = newLibrary(t, Options{})
	hash = map[string]string{}
	for i, line := range []string{"a", "ba", "cb", "da", "ed", "mce", "fm", "x"} {
		files := map[string]File{"dir/" + line[:1]: plain(line[:1])}
		if line == "mce" {
			files = map[string]File{"dir/d": plain("d"), "dir/e": plain("e")}
		}
		var parents []string
		for _, parent := range line[1:] {
			parents = append(parents, hash[string(parent)])
		}
		h, err := l.AddCommit("acme", "api", Commit{
			Message: line[:1], Parents: parents, Files: files, Date: firstDay.Add(time.Duration(i) * time.Hour),
		})
		require.NoError(t, err)
		hash[line[:1]] = h
	}
	l.branch("main", hash["m"])
	l.branch("side", hash["e"])
	l.branch("feature/x", hash["f"])
	l.tag("lone", hash["x"])
	return l, hash
}

// messages reads the rows of a history as one word, page by page.
func (c client) messages(path string, pairs ...string) string {
	c.t.Helper()
	word := ""
	answer := c.get(path, pairs...)
	for {
		require.Equal(c.t, http.StatusOK, answer.status, answer.text)
		for _, message := range answer.column("message") {
			word += message
		}
		next, more := answer.body["next"].(string)
		if !more {
			return word
		}
		answer = c.follow(next)
	}
}

func TestHistory(t *testing.T) {
	l, hash := history(t)
	c := serve(t, l.Server)
	tests := []struct {
		revision string
		pairs    []string
		want     string
	}{
		{"", nil, "xfmedcba"},
		{"/main", nil, "medcba"},
		{"/lone", nil, "x"},
		{"/" + hash["c"], nil, "cba"},
		{"/" + hash["c"][:9], nil, "cba"},
		{"/main", []string{"exclude", "side"}, "mcb"},
		{"/side", []string{"include", "lone"}, "xeda"},
		{"/side", []string{"include", "lone", "include", hash["c"], "exclude", hash["a"]}, "xedcb"},
		{"/main", []string{"exclude", hash["c"], "exclude", "side"}, "m"},
		{"/main", []string{"exclude", "main"}, ""},
		{"", []string{"exclude", "main"}, "xf"},
		{"", []string{"include", "side"}, "eda"},
		{"/main", []string{"path", "dir/b"}, "b"},
		{"/main", []string{"path", "dir/e"}, "e"}, // the merge only took it over
		{"/main", []string{"path", "dir"}, "medcba"},
		{"/main", []string{"path", "dir/"}, "medcba"},
		{"/main", []string{"path", "di"}, ""},
		{"/main", []string{"path", "none"}, ""},
	}
	for _, test := range tests {
		for _, pagelen := range []string{"1", "3", "100"} {
			got := c.messages(api+"/commits"+test.revision, append(test.pairs, "pagelen", pagelen)...)
			assert.Equal(t, test.want, got, "%s %v", test.revision, test.pairs)
		}
	}
}

func TestHistoryPages(t *testing.T) {
	l, hash := history(t)
	c := serve(t, l.Server)
	first := c.get(api+"/commits/main", "pagelen", "2", "fields", "values.hash,next")
	next := first.body["next"].(string)
	assert.Regexp(t, `[?&]ctx=[a-z0-9]+&.*page=2`, next)
	assert.Contains(t, next, "fields=values.hash%2Cnext")
	assert.Equal(t, []string{hash["m"], hash["e"]}, first.column("hash"))
	assert.Equal(t, []string{hash["d"], hash["c"]}, c.follow(next).column("hash"))

	whole := c.get(api + "/commits/main")
	assert.Equal(t, []string{"pagelen", "values"}, keys(whole.body), "no next on the last page, and no size at all")
	assert.EqualValues(t, 30, whole.body["pagelen"])
	for query, message := range map[string]string{
		"page=2&pagelen=2":               "Invalid page",
		"page=2&pagelen=2&ctx=c01234567": "Invalid page",
		"page=x":                         "Invalid page",
		"pagelen=101":                    "Invalid pagelen",
		"pagelen=0":                      "Invalid pagelen",
	} {
		answer := c.follow(c.base + api + "/commits/main?" + query)
		assert.Equal(t, http.StatusBadRequest, answer.status)
		assert.Equal(t, message, answer.message(), query)
	}
}

func TestHistoryMissing(t *testing.T) {
	l, hash := history(t)
	c := serve(t, l.Server)
	for path, sha := range map[string]string{
		"/none":                 "none",
		"/feature%2Fx":          "feature/x",
		"/Main":                 "Main",
		"/main?exclude=none":    "none",
		"/main?include=0000000": "0000000",
	} {
		answer := c.follow(c.base + api + "/commits" + path)
		assert.Equal(t, http.StatusNotFound, answer.status, path)
		assert.Equal(t, map[string]any{"shas": []any{sha}}, answer.body["data"])
	}
	assert.Equal(t, http.StatusNotFound, c.get(api+"/commits/feature/x").status)
	assert.Equal(t, http.StatusOK, c.get(api+"/commits/"+hash["f"]).status)
}

func TestHistoryRows(t *testing.T) {
	l, hash := history(t)
	c := serve(t, l.Server)
	row := c.get(api + "/commits/main").values()[0].(map[string]any)
	assert.Equal(t, []string{
		"author", "date", "hash", "links", "message", "parents", "rendered", "repository", "summary", "type",
	}, keys(row))
	assert.Equal(t, "acme/api", row["repository"].(map[string]any)["full_name"])
	var parents []any
	for _, parent := range row["parents"].([]any) {
		parents = append(parents, parent.(map[string]any)["hash"])
	}
	assert.Equal(t, []any{hash["c"], hash["e"]}, parents)
	assert.Equal(t, []string{"raw", "type", "user"}, keys(row["author"]))

	_, err := l.AddCommit("acme", "api", Commit{Author: "somebody"})
	require.NoError(t, err)
	commits, err := l.Commits("acme", "api")
	require.NoError(t, err)
	for hash, commit := range commits {
		if commit.Author == "somebody" {
			author := c.get(api + "/commit/" + hash).body["author"]
			assert.Equal(t, map[string]any{"type": "author", "raw": "somebody"}, author, "no address, no user")
		}
	}
}

// A name that is a tag and a branch is the tag, as for git; one that looks like
// the beginning of a hash is the ref; only the full hash stands above both.
func TestWhatANameStandsFor(t *testing.T) {
	l, hash := history(t)
	l.tag("main", hash["x"])
	short := hash["a"][:8]
	l.branch(short, hash["b"])
	l.branch(hash["a"], hash["b"])
	c := serve(t, l.Server)
	for name, want := range map[string]string{
		"main": "x", "side": "e", "lone": "x", short: "b", hash["a"]: "a", hash["a"][:9]: "a",
	} {
		assert.Equal(t, hash[want], c.get(api + "/commit/" + name).body["hash"], name)
		assert.Equal(t, hash[want], c.get(api+"/commits/"+name, "pagelen", "1").column("hash")[0], name)
		assert.Equal(t, hash[want], c.get(api+"/src/"+name+"/", "format", "meta").body["commit"].(map[string]any)["hash"], name)
		assert.Equal(t, hash[want], c.get(api + "/merge-base/" + name + ".." + name).body["hash"], name)
	}
	assert.Equal(t, hash["m"], c.get(api + "/refs/branches/main").body["target"].(map[string]any)["hash"])
	assert.Equal(t, hash["x"], c.get(api + "/refs/tags/main").body["target"].(map[string]any)["hash"])
}

func TestMergeBaseOfNamesAndStrangers(t *testing.T) {
	l, hash := history(t)
	c := serve(t, l.Server)
	assert.Equal(t, hash["a"], c.get(api + "/merge-base/" + hash["c"][:7] + ".." + hash["e"][:7]).body["hash"])
	assert.Equal(t, hash["e"], c.get(api + "/merge-base/side..main").body["hash"])
	stranger := c.get(api + "/merge-base/" + hash["x"] + ".." + hash["m"])
	assert.Equal(t, http.StatusNotFound, stranger.status)
	assert.Equal(t, "Commit not found", stranger.message())
}

// What a fork alone has is found through its parent, by hash: one store of
// objects, as on the real service. Its branches are not.
func TestForksShareCommits(t *testing.T) {
	l, hash := history(t)
	require.NoError(t, l.AddRepository(Repository{Workspace: "mallory", Slug: "api", ParentFullName: "acme/api"}))
	require.NoError(t, l.AddRepository(Repository{Workspace: "acme", Slug: "other"}))
	fork, err := l.AddCommit("mallory", "api", Commit{
		Message: "z", Parents: []string{hash["m"]}, Files: map[string]File{"evil": plain("evil")},
	})
	require.NoError(t, err)
	require.NoError(t, l.SetBranch("mallory", "api", "evil", fork))
	c := serve(t, l.Server)
	for _, path := range []string{"/commit/" + fork, "/commit/" + fork[:8], "/src/" + fork + "/evil", "/diff/" + fork, "/commits/" + fork} {
		assert.Equal(t, http.StatusOK, c.get(api+path).status, path)
		assert.Equal(t, http.StatusOK, c.get("/repositories/mallory/api"+path).status, path)
		assert.Equal(t, http.StatusNotFound, c.get("/repositories/acme/other"+path).status, path)
	}
	assert.Equal(t, "acme/api", c.get(api + "/commit/" + fork).body["repository"].(map[string]any)["full_name"])
	assert.Equal(t, http.StatusNotFound, c.get(api+"/commit/evil").status)
	assert.Equal(t, "xfmedcba", c.messages(api+"/commits"), "not among its branches")
	assert.Equal(t, "zmedcba", c.messages("/repositories/mallory/api/commits"))

	reached, err := l.Reachable("acme", "api", "main")
	require.NoError(t, err)
	assert.NotContains(t, reached, fork)
	assert.Len(t, reached, 6)
}

func TestTags(t *testing.T) {
	l, hash := history(t)
	require.NoError(t, l.SetTag("acme", "api", Tag{
		Name: "v1.0/final", Hash: hash["c"], Message: "Release\n", Tagger: "Rel <rel@acme.example>", Date: firstDay,
	}))
	l.tag("a", hash["a"])
	c := serve(t, l.Server)
	list := c.get(api + "/refs/tags")
	assert.Equal(t, []string{"a", "lone", "v1.0/final"}, list.column("name"))
	annotated := list.values()[2].(map[string]any)
	assert.Equal(t, []string{"date", "links", "message", "name", "tagger", "target", "type"}, keys(annotated))
	assert.Equal(t, "Release\n", annotated["message"])
	assert.Equal(t, "2021-03-01T09:00:00+00:00", annotated["date"])
	assert.Equal(t, annotated, c.get(api+"/refs/tags/v1.0%2Ffinal").body)
	assert.Nil(t, list.values()[0].(map[string]any)["tagger"], "a mere name")
	assert.Equal(t, []string{"lone"}, c.get(api+"/refs/tags", "q", `name ~ "ON"`).column("name"))

	l.tag("a", hash["b"])
	assert.Equal(t, hash["b"], c.get(api + "/refs/tags/a").body["target"].(map[string]any)["hash"])
	require.NoError(t, l.DeleteTag("acme", "api", "a"))
	missing := c.get(api + "/refs/tags/a")
	assert.Equal(t, http.StatusNotFound, missing.status)
	assert.Equal(t, `No tag named "a"`, missing.message())
	for what, err := range map[string]error{
		"no name":   l.SetTag("acme", "api", Tag{Hash: hash["a"]}),
		"no commit": l.SetTag("acme", "api", Tag{Name: "t", Hash: "0000000"}),
		"no tag":    l.DeleteTag("acme", "api", "a"),
	} {
		require.Error(t, err, what)
	}
}

// TestHistoryOfAnyGraph holds the endpoint against the definition: all that is
// reachable and not excluded, once, and no commit before one of its children.
func TestHistoryOfAnyGraph(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		l := newLibrary(t, Options{})
		var all []string
		for i := range 2 + random.IntN(40) {
			var parents []string
			for range random.IntN(3) {
				if i > 0 {
					parents = append(parents, all[random.IntN(i)])
				}
			}
			hash, err := l.AddCommit("acme", "api", Commit{
				Message: fmt.Sprint(i, "\n"), Parents: parents,
				Date: firstDay.Add(time.Duration(random.IntN(50)) * time.Hour), // clocks lie
			})
			require.NoError(t, err)
			all = append(all, hash)
		}
		in, out := all[random.IntN(len(all))], all[random.IntN(len(all))]
		l.branch("in", in)
		l.branch("out", out)
		wanted, err := l.Reachable("acme", "api", "in")
		require.NoError(t, err)
		excluded, err := l.Reachable("acme", "api", "out")
		require.NoError(t, err)
		for hash := range excluded {
			delete(wanted, hash)
		}
		commits, err := l.Commits("acme", "api")
		require.NoError(t, err)

		c := serve(t, l.Server)
		got := c.get(api+"/commits/in", "exclude", "out", "pagelen", "100").column("hash")
		assert.Len(t, got, len(wanted))
		place := map[string]int{}
		for i, hash := range got {
			place[hash] = i
			assert.Contains(t, wanted, hash)
		}
		for hash, at := range place {
			for _, parent := range commits[hash].Parents {
				if below, shown := place[parent]; shown {
					assert.Less(t, at, below)
				}
			}
		}
	}
}
