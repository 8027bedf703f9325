package agent_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/sample"
	"bucketgate/policy"
	"bucketgate/tools"
)

// hiddenWords stand nowhere but on what the scope team hides.
func hiddenWords(h *history) []string {
	return []string{"SECRETWORK", "SECRETFILE", "SECRETCONTENT", h.secret[:12], "FORKWORK", "FORKFILE", "FORKCONTENT", "FORKBRANCH", "INTOHIDDEN"}
}

func lacks(t *testing.T, h *history, result tools.Result, arguments string) {
	t.Helper()
	for _, word := range hiddenWords(h) {
		if !strings.Contains(strings.ToUpper(arguments), strings.ToUpper(word)) {
			assert.NotContains(t, string(result.Text), word, arguments)
		}
	}
}

// However a hidden commit is named, it is not found; what is no name of a
// commit, a branch or a path is refused before anything is asked for it.
func TestHiddenThingsByEveryName(t *testing.T) {
	h := newPipelines(t)
	fork := h.MustHead("mallory/api", "FORKBRANCH")
	require.NoError(t, h.SetTag("acme", "api", sample.Tag{Name: "feature/x", Hash: h.secret})) // like an allowed branch
	require.NoError(t, h.SetTag("acme", "api", sample.Tag{Name: "v9", Hash: h.secret}))
	require.NoError(t, h.SetTag("acme", "api", sample.Tag{Name: h.first[:12], Hash: h.secret})) // like an allowed commit
	h.MustBranch("acme/api", h.second[:9], h.secret)
	require.NoError(t, h.AddRepository(sample.Repository{Workspace: "acme", Slug: "web", Private: true, DefaultBranch: "main"}))
	elsewhere, err := h.AddCommit("acme", "web", sample.Commit{Message: "SECRETWORK of another"})
	require.NoError(t, err)
	h.MustBranch("acme/web", "main", elsewhere)
	d := newDesk(t, h.Server, team())

	names := []string{
		h.secret, h.secret[:7], h.secret[:12], strings.ToUpper(h.secret), fork, fork[:12], elsewhere, elsewhere[:12], h.first[:12], h.second[:9],
		"v9", "secret/y", "refs/tags/v9", "refs/heads/secret/y", "origin/secret/y", "tags/v9", "main^{commit}", "main~1", "main^2", "main@{1}", "@", "@{-1}", "HEAD",
		":/SECRET", "-p", "--all", "main..secret/y", "main...secret/y", "secret/y\r" + h.first, "mallory/api:FORKBRANCH", "acme/web:main", "main\nsecret/y", "main\x00",
		"abcde", strings.Repeat("a", 41), "../../web", "%2e%2e", "main%0Dsecret%2Fy", "ＭＡＩＮ", "ma\u200bin", " main", "main ", "MAIN", "main/", "/main", "",
	}
	for _, name := range names {
		quoted, err := json.Marshal(name)
		require.NoError(t, err)
		for _, call := range []struct{ tool, arguments string }{
			{"get_commit", `"commit":`}, {"list_commits", `"branch":`}, {"compare", `"from":"main","to":`}, {"compare", `"to":"main","from":`},
			{"list_pull_requests", `"state":"all","branch":`}, {"list_pipelines", `"branch":`}, {"list_pull_requests", `"state":"all","query":`},
			{"list_pull_requests", `"state":"all","author":`},
		} {
			arguments := `{"repository":"api",` + call.arguments + string(quoted) + `}`
			result := d.run(call.tool, arguments)
			lacks(t, h, result, arguments)
			if result.IsError() {
				assert.Contains(t, []tools.Code{tools.NotFound, tools.InvalidArgument}, result.Error.Code, "%s %s", call.tool, arguments)
			}
		}
	}
	// A tag that is called like an allowed branch is not taken for it.
	answer := d.answer("list_commits", `{"repository":"api","branch":"feature/x"}`)
	assert.Equal(t, []string{"Feature", "Begin"}, column(answer["commits"], "message"))
	h.AssertNoneNamed(t, "secret", "FORKBRANCH", "v9", "acme/web", "mallory")
}

// A path is data: what could lead out of the repository's tree is refused, and
// the rest is sent as a parameter that it cannot leave.
func TestPathsThatCouldLeadOut(t *testing.T) {
	h := newHistory(t)
	d := newDesk(t, h.Server, team())
	h.ResetJournal()
	for _, path := range []string{"..", ".", "../x", "docs/../..", "docs/./a.md", "/etc/passwd", "//", "docs//a.md", "docs\n", "a\r\nb", "docs\x00", "docs/\u202e", "a\u200bb", strings.Repeat("a", 4097)} {
		quoted, err := json.Marshal(path)
		require.NoError(t, err)
		assert.Equal(t, tools.InvalidArgument, d.refused("list_commits", `{"repository":"api","path":`+string(quoted)+`}`).Code, "%q", path)
		assert.Equal(t, tools.InvalidArgument, d.refused("compare", `{"repository":"api","from":"main","to":"feature/x","path":`+string(quoted)+`}`).Code, "%q", path)
	}
	for _, path := range []string{"docs&include=" + h.secret, "docs?include=" + h.secret, "docs#x", "%2e%2e/x", "docs;x", `..\x`} {
		quoted, err := json.Marshal(path)
		require.NoError(t, err)
		result := d.run("list_commits", `{"repository":"api","path":`+string(quoted)+`}`)
		lacks(t, h, result, path)
	}
	for _, r := range h.Journal() {
		assert.NotContains(t, r.Query, "include")
		assert.NotContains(t, r.Path, "..")
	}
}

// A list that goes on is of the commit that it began at, as long as an allowed
// branch reaches that. Once none does, it ends.
func TestACursorDoesNotOutliveTheBranch(t *testing.T) {
	h := newHistory(t)
	again := func() *desk { return newDesk(t, h.Server, team()) } // no head is remembered
	first := again().answer("list_commits", `{"repository":"api","limit":1}`)
	goOn := `{"repository":"api","limit":1,"cursor":"` + first["next_cursor"].(string) + `"}`
	h.MustBranch("acme/api", "secret/y", h.second)
	h.MustBranch("acme/api", "main", h.first)
	refused := again().refused("list_commits", goOn)
	assert.Equal(t, "The branch has moved since the cursor was made, and does not hold any more what it was reading.", refused.Message)

	h.MustBranch("acme/api", "feature/x", h.second) // another branch of the scope reaches it
	assert.Equal(t, []string{"Begin"}, column(again().answer("list_commits", goOn)["commits"], "message"))

	comparison := `{"repository":"api","from":"main","to":"feature/x"`
	h.commit(t, "feature/x", "Long", map[string]sample.File{"a": {Content: []byte(strings.Repeat("line\n", 9000))}, "b": {Content: []byte(strings.Repeat("line\n", 9000))}})
	next := again().answer("compare", comparison+"}")["next_cursor"].(string)
	h.commit(t, "feature/x", "Longer", map[string]sample.File{"c": {Content: []byte("SECRETCONTENT\n")}})
	refused = again().refused("compare", comparison+`,"cursor":"`+next+`"}`)
	assert.Equal(t, "One of the two has moved on since the comparison began.", refused.Message)
}

// A pull request that is moved to a hidden branch is gone, with all below it.
func TestAPullRequestThatMovesOutOfTheScope(t *testing.T) {
	h := newPullRequests(t)
	d := newDesk(t, h.Server, team())
	const all = `{"repository":"api","id":1,"include":["diffstat","diff","comments","tasks","statuses","commits"]}`
	d.answer("get_pull_request", all)
	require.NoError(t, h.EditPullRequest("acme", "api", 1, func(p *sample.PullRequest) { p.DestinationBranch = "secret/y" }))
	assert.Equal(t, tools.NotFound, d.refused("get_pull_request", all).Code)
	assert.NotContains(t, ids(d.answer("list_pull_requests", `{"repository":"api","state":"all"}`)["pull_requests"]), 1)
}

// The commits of a fork that was deleted may be gone: the rest of the pull
// request is shown all the same.
func TestAPullRequestWhoseCommitsAreGone(t *testing.T) {
	h := newPullRequests(t)
	d := newDesk(t, h.Server, team())
	h.Fail(sample.Status(http.StatusNotFound, "Commit not found").When(func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/diff") }))
	answer := d.answer("get_pull_request", `{"repository":"api","id":1,"include":["diffstat","diff","commits"]}`)
	assert.Equal(t, []string{"diffstat is not there: Bitbucket does not find it.", "diff is not there: Bitbucket does not find it."}, texts(answer["notices"]))
	assert.NotContains(t, answer, "diff")
	assert.Len(t, answer["commits"], 1)

	require.NoError(t, h.DeleteRepository("mallory", "api"))
	answer = d.answer("get_pull_request", `{"repository":"api","id":4,"include":["diff","comments"]}`)
	assert.Equal(t, []string{"diff is withheld: your scope does not include the source."}, texts(answer["notices"]))
}

// What Bitbucket cannot answer in time is no answer, and no reason for words of
// its own.
func TestWhatTakesBitbucketTooLong(t *testing.T) {
	h := newPullRequests(t)
	d := newDesk(t, h.Server, team())
	h.Fail(sample.TimedOut().When(func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/diff/") }))
	for _, call := range []struct{ tool, arguments string }{
		{"compare", `{"repository":"api","from":"main","to":"feature/x"}`},
		{"get_pull_request", `{"repository":"api","id":1,"include":["diff"]}`},
	} {
		refused := d.refused(call.tool, call.arguments)
		assert.Equal(t, tools.UpstreamUnavailable, refused.Code)
		assert.NotContains(t, refused.Message, "too long to complete")
	}
}

// Paths of four thousand characters, each of which takes six in an answer.
func TestLongPathsStayUnderTheLimit(t *testing.T) {
	h := newHistory(t)
	content := sample.File{Content: []byte(strings.Repeat("line\n", 20))}
	long := strings.Repeat(strings.Repeat("<", 199)+"/", 19)
	h.commit(t, "feature/x", "Long", map[string]sample.File{long + "a": content, long + "b": content})
	moved := h.commit(t, "feature/x", "Moved", map[string]sample.File{long + "a": {Deleted: true}, long + "c": content})
	_, err := h.AddPullRequest("acme", "api", sample.PullRequest{SourceBranch: "feature/x", DestinationBranch: "main"})
	require.NoError(t, err)
	d := newDesk(t, h.Server, team())
	for _, call := range []struct{ tool, arguments string }{
		{"get_commit", `"commit":"` + moved + `"`},
		{"get_pull_request", `"id":1,"include":["diffstat"]`},
	} {
		result := d.run(call.tool, `{"repository":"api",`+call.arguments+`}`)
		require.False(t, result.IsError(), "%s: %s", call.tool, result.Text)
		assert.Less(t, len(result.Text), tools.MaxAnswer)
	}
}

// What others wrote is shown as text that hides nothing.
func TestTextThatHides(t *testing.T) {
	h := newHistory(t)
	const hides = "a\u202eb\u200bc\x1b[31md\u2066e\ufeff\U000e0041"
	hash := h.commit(t, "feature/x", hides+"\n\n"+hides, map[string]sample.File{"x": {Content: []byte(hides + "\n")}})
	id, err := h.AddPullRequest("acme", "api", sample.PullRequest{Title: hides, Description: hides, Author: hides, SourceBranch: "feature/x", DestinationBranch: "main",
		Participants: []sample.Participant{{Name: hides, Reviewer: true}}})
	require.NoError(t, err)
	_, err = h.AddComment("acme", "api", id, sample.Comment{Text: hides, Author: hides, Inline: &sample.Inline{Path: hides}})
	require.NoError(t, err)
	_, err = h.AddTask("acme", "api", id, sample.Task{Text: hides, Creator: hides})
	require.NoError(t, err)
	require.NoError(t, h.AddStatus("acme", "api", sample.BuildStatus{Hash: hash, Key: hides, Name: hides, Description: hides}))
	_, err = h.AddPipeline("acme", "api", sample.Pipeline{Target: sample.Target{RefName: "feature/x"}, Creator: hides, Steps: []sample.Step{{Name: hides, Log: []byte(hides)}}})
	require.NoError(t, err)
	d := newDesk(t, h.Server, team())
	for _, call := range []struct{ tool, arguments string }{
		{"list_commits", `"branch":"feature/x"`}, {"get_commit", `"commit":"` + hash + `"`}, {"compare", `"from":"main","to":"feature/x"`},
		{"list_pull_requests", `"state":"all"`}, {"get_pull_request", `"id":1,"include":["diffstat","diff","comments","tasks","statuses","commits"]`},
		{"list_pipelines", `"branch":"feature/x"`}, {"get_pipeline", `"number":1,"include":["steps","log"]`},
	} {
		var text strings.Builder
		collectText(d.answer(call.tool, `{"repository":"api",`+call.arguments+`}`), &text)
		for _, hidden := range []string{"\u202e", "\u200b", "\x1b", "\u2066", "\ufeff", "\U000e0041"} {
			assert.NotContains(t, text.String(), hidden, "%q in %s", hidden, call.tool)
		}
	}
}

// collectText writes all texts of an answer, as a client reads them.
func collectText(value any, to *strings.Builder) {
	switch value := value.(type) {
	case string:
		to.WriteString(value)
	case []any:
		for _, element := range value {
			collectText(element, to)
		}
	case map[string]any:
		for _, element := range value {
			collectText(element, to)
		}
	}
}

// Variables of a pipeline are asked for by nobody, and are no part of any
// answer.
func TestVariablesStayAway(t *testing.T) {
	h := newPipelines(t)
	d := newDesk(t, h.Server, policy.Definition{})
	for _, call := range []struct{ tool, arguments string }{{"list_pipelines", ``}, {"get_pipeline", `,"number":1,"include":["steps","log"]`}} {
		assert.NotContains(t, string(d.run(call.tool, `{"repository":"api"`+call.arguments+`}`).Text), "VARIABLE")
	}
	for _, r := range h.Journal() {
		assert.NotContains(t, strings.ToLower(r.Path+r.Query.Encode()), "variable")
	}
}
