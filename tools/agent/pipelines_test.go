package agent_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/sample"
	"bucketgate/policy"
	"bucketgate/tools"
)

// newPipelines adds to the pull requests one pipeline of each kind: by number
// 1 on main, 2 on secret/y, 3 on a commit that main reaches, 4 on one that only
// secret/y reaches, 5 on a tag of that, 6 of pull request 1, 7 of pull request
// 2, whose source is hidden.
func newPipelines(t *testing.T) *history {
	t.Helper()
	h := newPullRequests(t)
	require.NoError(t, h.SetTag("acme", "api", sample.Tag{Name: "main", Hash: h.secret}))
	for i, target := range []sample.Target{
		{RefName: "main"}, {RefName: "secret/y"}, {Hash: h.first}, {Hash: h.secret}, {RefType: "tag", RefName: "main", Hash: h.secret},
		{PullRequest: 1}, {PullRequest: 2},
	} {
		p, err := h.AddPipeline("acme", "api", sample.Pipeline{
			Target: target, Result: "FAILED", Variables: []sample.Variable{{Key: "VARIABLEKEY", Value: "VARIABLEVALUE"}},
			Steps: []sample.Step{
				{Name: "Build", Log: []byte("compiling\n")},
				{Name: "Test", Result: "FAILED", Log: []byte("\x1b[31mFAIL\x1b[0m TestX\npassword=hunter22\nexport T=ghp_abcdefghijklmnopqrst0123456789\ndone\n")},
				{Name: "Deploy", Result: "NOT_RUN"},
			},
		})
		require.NoError(t, err)
		require.Equal(t, i+1, p.Number)
	}
	return h
}

func numbers(rows any) []int {
	list := []int{}
	for _, row := range rows.([]any) {
		list = append(list, int(row.(map[string]any)["number"].(float64)))
	}
	return list
}

func TestListPipelines(t *testing.T) {
	h := newPipelines(t)
	d := newDesk(t, h.Server, team())
	answer := d.answer("list_pipelines", `{"repository":"api"}`)
	assert.Equal(t, []int{6, 3, 1}, numbers(answer["pipelines"]))
	assert.Equal(t, []int{1}, numbers(d.answer("list_pipelines", `{"repository":"api","branch":"main"}`)["pipelines"]))
	assert.Equal(t, []int{}, numbers(d.answer("list_pipelines", `{"repository":"api","status":"passed"}`)["pipelines"]))
	text := string(d.run("list_pipelines", `{"repository":"api"}`).Text)
	for _, hidden := range []string{"secret/y", h.secret[:12], "VARIABLE", "tag main"} {
		assert.NotContains(t, text, hidden)
	}
	assert.Equal(t, tools.NotFound, d.refused("list_pipelines", `{"repository":"api","branch":"secret/y"}`).Code)

	all := newDesk(t, h.Server, policy.Definition{})
	h.ResetJournal()
	assert.Equal(t, []int{7, 6, 5, 4, 3, 2, 1}, numbers(all.answer("list_pipelines", `{"repository":"api"}`)["pipelines"]))
	assert.Len(t, h.Requests(), 2, "without branch patterns nothing is asked for the rule's sake")
}

// The list has no links: its pages are counted.
func TestListPipelinesByPages(t *testing.T) {
	h := newPipelines(t)
	d := newDesk(t, h.Server, policy.Definition{})
	var all []int
	cursor := ""
	for range 10 {
		answer := d.answer("list_pipelines", `{"repository":"api","limit":3`+cursor+`}`)
		all = append(all, numbers(answer["pipelines"])...)
		next, more := answer["next_cursor"].(string)
		if !more {
			break
		}
		cursor = `,"cursor":"` + next + `"`
	}
	assert.Equal(t, []int{7, 6, 5, 4, 3, 2, 1}, all)
}

func TestGetPipeline(t *testing.T) {
	h := newPipelines(t)
	d := newDesk(t, h.Server, team())
	for _, number := range []string{"1", "3", "6"} {
		answer := d.answer("get_pipeline", `{"repository":"api","number":`+number+`,"include":["steps","log"]}`)
		assert.Equal(t, "FAILED", answer["state"])
		assert.Equal(t, []string{"Build", "Test", "Deploy"}, column(answer["steps"], "name"))
		assert.Equal(t, "FAIL TestX\npassword=[masked]\nexport T=[masked]\ndone\n", answer["log"], "the step that failed, without colours and secrets")
		assert.NotContains(t, answer, "variables")
	}
	assert.Equal(t, "compiling\n", d.answer("get_pipeline", `{"repository":"api","number":1,"step":1}`)["log"])
	assert.Equal(t, "Step 3 has no log.", d.answer("get_pipeline", `{"repository":"api","number":1,"step":3}`)["notice"])
	assert.Equal(t, tools.InvalidArgument, d.refused("get_pipeline", `{"repository":"api","number":1,"step":4}`).Code)
	for _, request := range h.LogJournal() {
		assert.Empty(t, request.Scheme, "the store of logs got a credential")
	}

	missing := d.refused("get_pipeline", `{"repository":"api","number":99}`)
	for _, number := range []string{"2", "4", "5", "7"} {
		hidden := d.refused("get_pipeline", `{"repository":"api","number":`+number+`,"include":["log"]}`)
		assert.Equal(t, strings.ReplaceAll(missing.Message, "99", number), hidden.Message)
		assert.Equal(t, tools.NotFound, hidden.Code)
		assert.Equal(t, "denied", string(d.events[len(d.events)-1].Decision), "the log tells them apart")
	}
	for _, request := range h.Requests() {
		for _, hidden := range []string{"pipelines/2/steps", "pipelines/4/steps", "pipelines/5/steps", "pipelines/7/steps"} {
			assert.NotContains(t, request, hidden)
		}
	}
	for _, number := range []string{"0", "-1", "1e30", `"{uuid}"`} {
		assert.Equal(t, tools.InvalidArgument, d.refused("get_pipeline", `{"repository":"api","number":`+number+`}`).Code, number)
	}
}
