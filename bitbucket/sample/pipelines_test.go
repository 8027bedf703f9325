package sample

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const pipelinesOfAPI = "/repositories/acme/api/pipelines"

// piped is the reviewed server with these pipelines of api:
//
//	1 main, passed                      4 a bare commit, expired
//	2 feature/x, failed, by hand        5 the tag v9, running
//	3 pull request 1, stopped           6 main, pending, on schedule
func piped(t *testing.T, o Options) *Server {
	t.Helper()
	s := reviewed(t, o)
	head, err := s.Head("acme", "api", "feature/x")
	require.NoError(t, err)
	for i, p := range []Pipeline{
		{Target: Target{RefName: "main"}, Steps: []Step{{Name: "Build", Script: []string{"make"}, Log: []byte("abcdefghij")}, {Result: "NOT_RUN"}}},
		{
			Target: Target{RefName: "feature/x", Selector: Selector{"custom", "deploy"}}, Result: "FAILED", Trigger: "MANUAL", Creator: "Ada Example",
			Variables: []Variable{{"PLAIN", "open-value", false}, {"SECURED", "closed-value", true}},
		},
		{Target: Target{PullRequest: 1, Selector: Selector{"pull-requests", "**"}}, Result: "STOPPED"},
		{Target: Target{Hash: head}, Result: "EXPIRED"},
		{Target: Target{RefType: "tag", RefName: "v9", Hash: head}, State: "IN_PROGRESS", Steps: []Step{
			{State: "IN_PROGRESS", Log: []byte(strings.Repeat("abcdefghij", 100))}, {State: "PENDING"},
		}},
		{Target: Target{RefName: "main"}, State: "PENDING", Trigger: "SCHEDULED"},
	} {
		added, err := s.AddPipeline("acme", "api", p)
		require.NoError(t, err)
		require.Equal(t, i+1, added.Number)
	}
	return s
}

func numbers(r response) string {
	var numbers []string
	for _, row := range r.values() {
		numbers = append(numbers, strconv.Itoa(int(row.(map[string]any)["build_number"].(float64))))
	}
	return strings.Join(numbers, " ")
}

func TestPipelines(t *testing.T) {
	s := piped(t, Options{})
	c := serve(t, s)
	head, err := s.Head("acme", "api", "feature/x")
	require.NoError(t, err)
	tests := []struct {
		name  string
		pairs []string
		want  string
	}{
		{"the oldest first", nil, "1 2 3 4 5 6"},
		{"the newest first", []string{"sort", "-created_on"}, "6 5 4 3 2 1"},
		{"of a branch", []string{"target.branch", "main"}, "1 6"},
		{"of a branch, pull requests from it too", []string{"target.branch", "feature/x"}, "2 3"},
		{"of a ref", []string{"target.ref_name", "v9"}, "5"},
		{"of a kind of ref", []string{"target.ref_type", "TAG"}, "5"},
		{"of branches", []string{"target.ref_type", "BRANCH"}, "1 2 6"},
		{"of a commit", []string{"target.commit.hash", head}, "2 3 4 5"},
		{"by status", []string{"status", "PASSED"}, "1"},
		{"by statuses", []string{"status", "FAILED", "status", "STOPPED", "status", "BUILDING", "status", "PENDING"}, "2 3 5 6"},
		{"by trigger", []string{"trigger_type", "MANUAL"}, "2"},
		{"by creator", []string{"creator.uuid", uuid("user", "Ada Example")}, "2"},
		{"by selector", []string{"target.selector.type", "PULLREQUESTS", "target.selector.pattern", "**"}, "3"},
		{"by several", []string{"target.branch", "main", "status", "PENDING"}, "6"},
		{"by nothing there", []string{"target.branch", "none"}, ""},
		{"a query is ignored", []string{"q", `nonsense`}, "1 2 3 4 5 6"},
	}
	for _, test := range tests {
		for _, slash := range []string{"", "/"} {
			answer := c.get(pipelinesOfAPI+slash, test.pairs...)
			require.Equal(t, http.StatusOK, answer.status, answer.text)
			assert.Equal(t, test.want, numbers(answer), test.name)
		}
	}
	for pair, message := range map[[2]string]string{
		{"pagelen", "101"}:          "Invalid pagelen",
		{"page", "0"}:               "Invalid page",
		{"status", "SUCCESSFUL"}:    "Invalid status",
		{"trigger_type", "push"}:    "Invalid trigger_type",
		{"target.ref_type", "none"}: "Invalid target.ref_type",
		{"sort", "build_number"}:    "Invalid sort",
	} {
		for _, slug := range []string{"api", "web"} { // with pipelines and without
			answer := c.get("/repositories/acme/"+slug+"/pipelines", pair[0], pair[1])
			assert.Equal(t, http.StatusBadRequest, answer.status, pair)
			assert.Equal(t, message, answer.message(), pair)
		}
	}
}

// Clients that wait for a next link would miss all but the first page.
func TestPipelinesHaveNoNext(t *testing.T) {
	for _, opaque := range []bool{false, true} {
		c := serve(t, piped(t, Options{OpaqueNext: opaque}))
		first := c.get(pipelinesOfAPI+"/", "pagelen", "4", "sort", "-created_on")
		assert.Equal(t, []string{"page", "pagelen", "size", "values"}, keys(first.body))
		assert.EqualValues(t, 6, first.body["size"])
		assert.Equal(t, "6 5 4 3", numbers(first))
		second := c.get(pipelinesOfAPI+"/", "pagelen", "4", "sort", "-created_on", "page", "2")
		assert.Equal(t, "2 1", numbers(second))
		assert.Empty(t, c.get(pipelinesOfAPI+"/", "page", "9").values())
	}
}

func TestPipelineKeys(t *testing.T) {
	s := piped(t, Options{})
	c := serve(t, s)
	for i, p := range s.Pipelines("acme", "api") {
		byNumber := c.get(pipelinesOfAPI + "/" + strconv.Itoa(i+1))
		assert.Equal(t, p.UUID, byNumber.body["uuid"])
		byUUID := c.get(pipelinesOfAPI + "/" + url.PathEscape(p.UUID))
		assert.Equal(t, byNumber.body, byUUID.body)
		assert.Equal(t, byNumber.body, c.get(pipelinesOfAPI).values()[i], "a row is the whole object")
	}
	one := c.get(pipelinesOfAPI + "/1").body
	assert.Equal(t, []string{
		"build_number", "build_seconds_used", "completed_on", "configuration_sources", "created_on", "creator",
		"duration_in_seconds", "expired", "first_successful", "has_variables", "links", "repository", "run_number",
		"state", "target", "trigger", "type", "uuid", "variables",
	}, keys(one))
	assert.Equal(t, "2021-05-02T09:00:00.000Z", one["created_on"])
	assert.Equal(t, "2021-05-02T09:01:30.000Z", one["completed_on"])
	assert.EqualValues(t, 90, one["build_seconds_used"])
	assert.NotContains(t, c.get(pipelinesOfAPI+"/6").body, "completed_on")

	for _, name := range []string{"0", "7", "-1", "+1", "01", "%7Bnone%7D", "one"} {
		answer := c.get(pipelinesOfAPI + "/" + name)
		assert.Equal(t, http.StatusNotFound, answer.status, name)
		assert.Equal(t, "Not found", answer.message())
		assert.Equal(t, http.StatusNotFound, c.get(pipelinesOfAPI+"/"+name+"/steps/").status, name)
	}
}

func TestPipelineStatesAndTargets(t *testing.T) {
	s := piped(t, Options{})
	c := serve(t, s)
	part := func(number int, name string) map[string]any {
		return c.get(pipelinesOfAPI + "/" + strconv.Itoa(number)).body[name].(map[string]any)
	}
	result := func(number int) any { return part(number, "state")["result"].(map[string]any)["name"] }
	assert.Equal(t, "SUCCESSFUL", result(1))
	assert.Equal(t, "FAILED", result(2))
	assert.Equal(t, "STOPPED", result(3))
	assert.Equal(t, "EXPIRED", result(4))
	assert.Equal(t, map[string]any{
		"type": "pipeline_state_in_progress", "name": "IN_PROGRESS",
		"stage": map[string]any{"type": "pipeline_state_in_progress_running", "name": "RUNNING"},
	}, part(5, "state"))
	assert.Equal(t, map[string]any{"type": "pipeline_state_pending", "name": "PENDING"}, part(6, "state"))

	branch := part(2, "target")
	assert.Equal(t, []string{"commit", "ref_name", "ref_type", "selector", "type"}, keys(branch))
	assert.Equal(t, "pipeline_ref_target", branch["type"])
	assert.Equal(t, "feature/x", branch["ref_name"])
	assert.Equal(t, map[string]any{"type": "custom", "pattern": "deploy"}, branch["selector"])
	assert.Equal(t, "tag", part(5, "target")["ref_type"])
	assert.Equal(t, []string{"commit", "selector", "type"}, keys(part(4, "target")))
	assert.Equal(t, "pipeline_commit_target", part(4, "target")["type"])

	review := part(3, "target")
	assert.Equal(t, []string{
		"commit", "destination", "destination_commit", "pullrequest", "selector", "source", "type",
	}, keys(review))
	assert.Equal(t, "pipeline_pullrequest_target", review["type"])
	assert.Equal(t, "feature/x", review["source"])
	assert.Equal(t, "main", review["destination"])
	assert.EqualValues(t, 1, review["pullrequest"].(map[string]any)["id"])
	assert.Len(t, review["destination_commit"].(map[string]any)["hash"], 12)
	assert.Len(t, review["commit"].(map[string]any)["hash"], 40)
}

func TestPipelineVariables(t *testing.T) {
	c := serve(t, piped(t, Options{}))
	answer := c.get(pipelinesOfAPI + "/2")
	assert.Contains(t, answer.text, "open-value", "the sample sends what clients must not pass on")
	assert.NotContains(t, answer.text, "closed-value")
	assert.Equal(t, true, answer.body["has_variables"])
	assert.Len(t, answer.body["variables"], 2)
}

func TestSteps(t *testing.T) {
	s := piped(t, Options{})
	c := serve(t, s)
	for _, slash := range []string{"", "/"} {
		steps := c.get(pipelinesOfAPI + "/1/steps" + slash)
		assert.Equal(t, []string{"page", "pagelen", "size", "values"}, keys(steps.body))
		require.Len(t, steps.values(), 2)
		assert.Equal(t, []string{"Build", "Step 2"}, steps.column("name"))
		step := steps.values()[0].(map[string]any)
		assert.Equal(t, []string{
			"build_seconds_used", "completed_on", "duration_in_seconds", "image", "log_byte_count", "maxTime", "name", "pipeline",
			"run_number", "script_commands", "setup_commands", "started_on", "state", "teardown_commands", "trigger", "type", "uuid",
		}, keys(step))
		assert.Equal(t, "make", step["script_commands"].([]any)[0].(map[string]any)["command"])
		id := s.Pipelines("acme", "api")[0].Steps[0].UUID
		assert.Equal(t, step, c.get(pipelinesOfAPI+"/1/steps/"+url.PathEscape(id)).body)
		assert.Equal(t, http.StatusNotFound, c.get(pipelinesOfAPI+"/2/steps/"+url.PathEscape(id)).status, "of another pipeline")
	}
	skipped := c.get(pipelinesOfAPI + "/1/steps").values()[1].(map[string]any)
	assert.NotContains(t, skipped, "started_on")
	waiting := c.get(pipelinesOfAPI + "/5/steps").values()[1].(map[string]any)
	assert.Equal(t, map[string]any{"type": "pipeline_step_state_pending", "name": "PENDING"}, waiting["state"])
}

func TestAddPipelineRefuses(t *testing.T) {
	s := piped(t, Options{})
	for name, p := range map[string]Pipeline{
		"no target":           {},
		"no such branch":      {Target: Target{RefName: "none"}},
		"no tag's hash":       {Target: Target{RefType: "tag", RefName: "main"}},
		"no such request":     {Target: Target{PullRequest: 9}},
		"no such state":       {Target: Target{RefName: "main"}, State: "DONE"},
		"no such result":      {Target: Target{RefName: "main"}, Result: "PASSED"},
		"no such stage":       {Target: Target{RefName: "main"}, State: "IN_PROGRESS", Stage: "X"},
		"no such trigger":     {Target: Target{RefName: "main"}, Trigger: "push"},
		"no such step state":  {Target: Target{RefName: "main"}, Steps: []Step{{State: "DONE"}}},
		"no such step result": {Target: Target{RefName: "main"}, Steps: []Step{{Result: "PASSED"}}},
	} {
		_, err := s.AddPipeline("acme", "api", p)
		require.Error(t, err, name)
	}
	_, err := s.AddPipeline("acme", "none", Pipeline{})
	require.Error(t, err)
	assert.Len(t, s.Pipelines("acme", "api"), 6)
	assert.Empty(t, s.Pipelines("acme", "none"))
}

func TestPipelinesOfTheDemo(t *testing.T) {
	s := Demo(Options{})
	c := serve(t, s)
	text := c.get("/repositories/acme/duplocloud/pipelines/", "sort", "-created_on")
	assert.Equal(t, "6 5 4 3 2 1", numbers(text))
	assert.Equal(t, "6 4 3 2", ids(c.get("/repositories/acme/duplocloud/pullrequests")))
	failed := s.Pipelines("acme", "duplocloud")[2]
	assert.Equal(t, "FAILED", failed.Result)
	log := string(failed.Steps[1].Log)
	assert.Greater(t, strings.Count(log, "\n"), 200)
	assert.Contains(t, log, demoSecret)
	assert.Contains(t, demoSecret, "sample-data")
}
