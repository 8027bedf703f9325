package agent_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/sample"
	"bucketgate/policy"
	"bucketgate/tools"
)

// newPullRequests adds to the history one pull request of each kind: by number
// 1 from an allowed branch, 2 from a hidden one, 3 into a hidden one, 4 from a
// fork, 5 a merged one.
func newPullRequests(t *testing.T) *history {
	t.Helper()
	h := newHistory(t)
	require.NoError(t, h.AddRepository(sample.Repository{Workspace: "mallory", Slug: "api", ParentFullName: "acme/api", DefaultBranch: "main"}))
	fork, err := h.AddCommit("mallory", "api", sample.Commit{Message: "FORKWORK", Parents: []string{h.first}, Files: map[string]sample.File{"FORKFILE": {Content: []byte("FORKCONTENT\n")}}})
	require.NoError(t, err)
	require.NoError(t, h.SetBranch("mallory", "api", "FORKBRANCH", fork))
	for i, p := range []sample.PullRequest{
		{Title: "Feature", Description: "What it does.\n\u202EAnd why.", SourceBranch: "feature/x", DestinationBranch: "main", Author: "Ann"},
		{Title: "From hidden", SourceBranch: "secret/y", DestinationBranch: "main", Author: "Bob"},
		{Title: "INTOHIDDEN", SourceBranch: "feature/x", DestinationBranch: "secret/y"},
		{Title: "From a fork", SourceRepository: "mallory/api", SourceBranch: "FORKBRANCH", DestinationBranch: "main"},
		{Title: "Merged", SourceBranch: "feature/x", DestinationBranch: "main", State: sample.Merged},
	} {
		id, err := h.AddPullRequest("acme", "api", p)
		require.NoError(t, err)
		require.Equal(t, i+1, id)
	}
	return h
}

func ids(rows any) []int {
	list := []int{}
	for _, row := range rows.([]any) {
		list = append(list, int(row.(map[string]any)["id"].(float64)))
	}
	return list
}

func TestListPullRequests(t *testing.T) {
	h := newPullRequests(t)
	d := newDesk(t, h.Server, team())
	for arguments, want := range map[string][]int{
		``:                         {1, 2, 4},
		`,"state":"all"`:           {1, 2, 4, 5},
		`,"state":"merged"`:        {5},
		`,"author":"ann"`:          {1},
		`,"query":"from"`:          {2, 4},
		`,"query":"intohidden"`:    {},
		`,"branch":"feature/x"`:    {1},
		`,"branch":"main"`:         {1, 2, 4},
		`,"query":"x","limit":1`:   {},
		`,"author":"SECRETWORK"`:   {},
		`,"branch":"feature/gone"`: {},
	} {
		answer := d.answer("list_pull_requests", `{"repository":"api"`+arguments+`}`)
		assert.ElementsMatch(t, want, ids(answer["pull_requests"]), arguments)
	}
	text := string(d.run("list_pull_requests", `{"repository":"api","state":"all"}`).Text)
	for _, hidden := range []string{"secret/y", "INTOHIDDEN", "mallory", "FORKBRANCH", h.secret[:12]} {
		assert.NotContains(t, text, hidden)
	}
	assert.Equal(t, tools.NotFound, d.refused("list_pull_requests", `{"repository":"api","branch":"secret/y"}`).Code)
	assert.Equal(t, tools.InvalidArgument, d.refused("list_pull_requests", `{"repository":"api","state":"OPEN"}`).Code)
}

// Page by page the rows are those of one long list, and the last page alone
// says that there are no more.
func TestListPullRequestsByPages(t *testing.T) {
	h := newPullRequests(t)
	d := newDesk(t, h.Server, team())
	var all []int
	cursor := ""
	for range 10 {
		answer := d.answer("list_pull_requests", `{"repository":"api","state":"all","limit":1`+cursor+`}`)
		all = append(all, ids(answer["pull_requests"])...)
		next, more := answer["next_cursor"].(string)
		if !more {
			break
		}
		cursor = `,"cursor":"` + next + `"`
	}
	assert.ElementsMatch(t, []int{1, 2, 4, 5}, all)
}

func TestGetPullRequest(t *testing.T) {
	h := newPullRequests(t)
	_, err := h.AddComment("acme", "api", 1, sample.Comment{Text: "Looks good", Author: "Bob", Inline: &sample.Inline{Path: "feature.go", To: 1}})
	require.NoError(t, err)
	_, err = h.AddTask("acme", "api", 1, sample.Task{Text: "Write a test"})
	require.NoError(t, err)
	d := newDesk(t, h.Server, team())
	answer := d.answer("get_pull_request", `{"repository":"api","id":1,"include":["diffstat","diff","comments","tasks","statuses","commits"]}`)
	assert.Equal(t, "Feature", answer["title"])
	assert.Equal(t, "What it does.\nAnd why.", answer["description"], "what cannot be seen is left out")
	assert.Equal(t, "feature/x", answer["source"])
	assert.Equal(t, "https://bitbucket.org/acme/api/pull-requests/1", answer["url"])
	assert.Equal(t, []string{"modified docs/a.md +1 -0", "added feature.go +1 -0"}, texts(answer["files"]))
	assert.Contains(t, answer["diff"], "+package feature")
	assert.Equal(t, []string{"Looks good"}, column(answer["comments"], "text"))
	assert.Equal(t, []string{"feature.go"}, column(answer["comments"], "file"))
	assert.Equal(t, []string{"open: Write a test (Ann)"}, texts(answer["tasks"]))
	assert.Equal(t, []string{h.feature[:12] + " Feature (Sample Author)"}, texts(answer["commits"]))
	assert.NotContains(t, answer, "notices")
}

// Of a source outside the scope nothing is told: no branch, no hash, no file,
// no commit, and no request asks for any of it.
func TestTheSourceOfAPullRequestIsWithheld(t *testing.T) {
	h := newPullRequests(t)
	for _, id := range []int{2, 4} {
		_, err := h.AddComment("acme", "api", id, sample.Comment{Text: "A remark", Inline: &sample.Inline{Path: "SECRETFILE", To: 1}})
		require.NoError(t, err)
		h.ResetJournal()
		d := newDesk(t, h.Server, team())
		result := d.run("get_pull_request", `{"repository":"api","id":`+strconv.Itoa(id)+`,"include":["diffstat","diff","comments","tasks","statuses","commits"]}`)
		require.False(t, result.IsError(), "%s", result.Text)
		for _, hidden := range []string{"secret/y", "SECRETFILE", "SECRETCONTENT", "SECRETWORK", h.secret[:7], "mallory", "FORKBRANCH", "FORKFILE", "FORKWORK"} {
			assert.NotContains(t, string(result.Text), hidden)
		}
		var answer map[string]any
		require.NoError(t, json.Unmarshal(result.Text, &answer))
		assert.Equal(t, []string{"A remark"}, column(answer["comments"], "text"))
		assert.Len(t, answer["notices"], 4, "diffstat, statuses, commits and diff")
		for _, request := range h.Requests() {
			assert.NotContains(t, request, "diff")
			assert.NotContains(t, request, "/commits")
			assert.NotContains(t, request, "/statuses")
		}
	}
}

func TestPullRequestsThatAreHiddenOrMissingLookTheSame(t *testing.T) {
	h := newPullRequests(t)
	d := newDesk(t, h.Server, team())
	hidden := d.refused("get_pull_request", `{"repository":"api","id":3}`)
	missing := d.refused("get_pull_request", `{"repository":"api","id":99}`)
	assert.Equal(t, strings.ReplaceAll(missing.Message, "99", "3"), hidden.Message)
	assert.Equal(t, missing.Hint, hidden.Hint)
	assert.Equal(t, tools.NotFound, hidden.Code)
	for _, id := range []string{"0", "-1", "1e30", "1000000000000000000000000000000", "1.5", `"1"`} {
		assert.Equal(t, tools.InvalidArgument, d.refused("get_pull_request", `{"repository":"api","id":`+id+`}`).Code, id)
	}
}

func TestALongPullRequestStaysUnderTheLimit(t *testing.T) {
	h := newHistory(t)
	files := map[string]sample.File{}
	for i := range 300 {
		files["long/"+strings.Repeat("<", 40)+strconv.Itoa(i)+".txt"] = sample.File{Content: []byte(strings.Repeat("<é\n", 300))}
	}
	h.commit(t, "feature/x", "Long", files)
	id, err := h.AddPullRequest("acme", "api", sample.PullRequest{Title: strings.Repeat("<", 250), Description: strings.Repeat("<\n", 9000), SourceBranch: "feature/x", DestinationBranch: "main"})
	require.NoError(t, err)
	for range 60 {
		_, err := h.AddComment("acme", "api", id, sample.Comment{Text: strings.Repeat("<&>", 900)})
		require.NoError(t, err)
	}
	d := newDesk(t, h.Server, team())
	result := d.run("get_pull_request", `{"repository":"api","id":1,"include":["diffstat","diff","comments","tasks","statuses","commits"]}`)
	require.False(t, result.IsError(), "%s", result.Text)
	assert.Less(t, len(result.Text), tools.MaxAnswer)
	assert.Contains(t, string(result.Text), "The diff is cut; compare from")
}

func TestPullRequestsWithoutBranchPatternsCostNoMore(t *testing.T) {
	h := newPullRequests(t)
	d := newDesk(t, h.Server, policy.Definition{})
	d.answer("get_pull_request", `{"repository":"api","id":3,"include":["diff"]}`)
	assert.Len(t, h.Requests(), 3)
	assert.Contains(t, h.Requests()[2], "/diff/acme/api:")
}
