package sample

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/internal/testneeds"
)

// recordedAnswers names a folder of answers that Bitbucket once gave. Its own
// description of the API is looked for beside it.
const recordedAnswers = "BUCKETGATE_TEST_RECORDED"

const describedIn = "../reference/bitbucket-swagger.json"

func readJSON(t *testing.T, name string) map[string]any {
	t.Helper()
	folder := os.Getenv(recordedAnswers)
	if folder == "" {
		t.Skipf("%s does not name a folder of recorded answers", recordedAnswers)
	}
	content, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		testneeds.Skip(t, fmt.Sprintf("%s: %v", recordedAnswers, err))
	}
	var body map[string]any
	require.NoError(t, json.Unmarshal(content, &body))
	return body
}

// spoken is the reviewed and piped server with something of everything, and the
// answers of each kind that it gives.
func spoken(t *testing.T) map[string][]any {
	t.Helper()
	s := piped(t, Options{})
	head, err := s.Head("acme", "api", "feature/x")
	require.NoError(t, err)
	first, err := s.AddComment("acme", "api", 1, Comment{Text: "a", Inline: &Inline{Path: "a.go", To: 2}})
	require.NoError(t, err)
	_, err = s.AddComment("acme", "api", 1, Comment{Text: "b", Parent: first, ResolvedBy: "Ben Example"})
	require.NoError(t, err)
	_, err = s.AddTask("acme", "api", 1, Task{Text: "c", Comment: first, ResolvedBy: "Ben Example"})
	require.NoError(t, err)
	require.NoError(t, s.AddStatus("acme", "api", BuildStatus{Hash: head, Key: "k", RefName: "feature/x"}))
	_, err = s.AddPipeline("acme", "api", Pipeline{Target: Target{RefName: "main"}, Result: "ERROR", Error: "no such image"})
	require.NoError(t, err)

	c := serve(t, s)
	pullRequests := c.get(pullRequestsOfAPI, "q", "id > 0", "state", "OPEN", "state", "MERGED", "state", "DECLINED").values()
	return map[string][]any{
		"pullrequest":              append(pullRequests, c.get(pullRequestsOfAPI+"/1").body, c.get(pullRequestsOfAPI+"/4").body),
		"pullrequest_comment":      c.get(pullRequestsOfAPI + "/1/comments").values(),
		"pullrequest_comment_task": c.get(pullRequestsOfAPI + "/1/tasks").values(),
		"commitstatus":             c.get(pullRequestsOfAPI + "/1/statuses").values(),
		"commit":                   c.get(pullRequestsOfAPI + "/1/commits").values(),
		"pipeline":                 c.get(pipelinesOfAPI).values(),
		"pipeline_step":            append(c.get(pipelinesOfAPI+"/1/steps").values(), c.get(pipelinesOfAPI+"/5/steps").values()...),
		"paginated_pullrequests":   {c.get(pullRequestsOfAPI).body},
		"paginated_pipelines":      {c.get(pipelinesOfAPI).body},
		"error":                    {c.get(pullRequestsOfAPI + "/9").body, c.get(pipelinesOfAPI + "/9").body},
	}
}

// TestReference holds the answers against the schemas: what is in both has the
// type and one of the words that the schema wants, and what must be there is.
func TestReference(t *testing.T) {
	document := readJSON(t, describedIn)
	r := reference{definitions: document["definitions"].(map[string]any)}
	for kind, answers := range spoken(t) {
		require.NotEmpty(t, answers, kind)
		for _, answer := range answers {
			for _, fault := range r.check(kind, map[string]any{"$ref": "#/definitions/" + kind}, answer) {
				assert.Fail(t, fault)
			}
		}
	}
}

// The test of the test: each of these is noticed.
func TestReferenceNotices(t *testing.T) {
	document := readJSON(t, describedIn)
	r := reference{definitions: document["definitions"].(map[string]any)}
	for name, edit := range map[string]func(map[string]any){
		"another type":      func(o map[string]any) { o["id"] = "1" },
		"half a number":     func(o map[string]any) { o["id"] = 1.5 },
		"no such word":      func(o map[string]any) { o["state"] = "open" },
		"no type":           func(o map[string]any) { delete(o, "type") },
		"deeper down":       func(o map[string]any) { o["author"].(map[string]any)["display_name"] = 1. },
		"in a list":         func(o map[string]any) { o["participants"].([]any)[0].(map[string]any)["role"] = "BOSS" },
		"no hash":           func(o map[string]any) { o["source"].(map[string]any)["commit"] = map[string]any{"hash": "?"} },
		"an unheard-of key": func(o map[string]any) { o["titel"] = "x" },
	} {
		answers := spoken(t)["pullrequest"]
		answer := answers[len(answers)-2].(map[string]any)
		edit(answer)
		assert.Len(t, r.check("pullrequest", map[string]any{"$ref": "#/definitions/pullrequest"}, answer), 1, name)
	}
}

// unwritten are keys that real answers have and the document lacks.
var unwritten = []string{
	"account_id", "account_status", "arguments", "build_seconds_used", "commandType", "commit", "context_lines",
	"data", "description", "destination", "destination_commit", "duration_in_seconds", "expired", "first_successful",
	"has_variables", "html", "key", "links", "log_byte_count", "maxTime", "name", "nickname", "outdated", "pipeline",
	"pullrequest", "rendered", "repository", "request-changes", "run_number", "selector", "self", "source", "statuses",
	"teardown_commands", "terminator", "trigger", "type",
}

// untyped are where real answers lack the type that the document demands.
var untyped = regexp.MustCompile(`links(\.\w+)?$|\.parent$|task\.comment$`)

type reference struct{ definitions map[string]any }

// check returns what is wrong with a value.
func (r reference) check(at string, schema map[string]any, value any) (faults []string) {
	parts, required := r.parts(schema)
	if o, ok := value.(map[string]any); ok {
		// Of what the document calls by its type only the base is named.
		if kind, _ := o["type"].(string); r.definitions[kind] != nil && strings.HasPrefix(kind, "pipeline_") {
			parts, required = r.parts(r.definitions[kind].(map[string]any))
		}
		properties := map[string]any{}
		for _, part := range parts {
			for name, property := range objectOf(part["properties"]) {
				properties[name] = property
			}
		}
		for name, inner := range o {
			property := objectOf(properties[name])
			if property == nil && !slices.Contains(unwritten, name) {
				faults = append(faults, fmt.Sprintf("%s: nobody has heard of %q", at, name))
			}
			if property != nil && inner != nil {
				faults = append(faults, r.check(at+"."+name, property, inner)...)
			}
		}
		for _, name := range required {
			if _, have := o[name]; !have && !(name == "type" && untyped.MatchString(at)) {
				faults = append(faults, fmt.Sprintf("%s: %q is missing", at, name))
			}
		}
	}
	for _, part := range parts {
		faults = append(faults, r.checkPart(at, part, value)...)
	}
	return faults
}

func (r reference) checkPart(at string, part map[string]any, value any) (faults []string) {
	if kind, _ := part["type"].(string); kind != "" && !isOf(kind, value) {
		faults = append(faults, fmt.Sprintf("%s: %v is no %s", at, value, kind))
	}
	if words, ok := part["enum"].([]any); ok && !slices.Contains(words, value) {
		faults = append(faults, fmt.Sprintf("%s: %v is none of %v", at, value, words))
	}
	if pattern, ok := part["pattern"].(string); ok && !regexp.MustCompile(pattern).MatchString(fmt.Sprint(value)) {
		faults = append(faults, fmt.Sprintf("%s: %v does not match %s", at, value, pattern))
	}
	if items := objectOf(part["items"]); items != nil {
		list, _ := value.([]any)
		for _, item := range list {
			faults = append(faults, r.check(at+"[]", items, item)...)
		}
	}
	return faults
}

// parts are the schemas that hold at once: what is referred to, all of allOf,
// and the schema itself.
func (r reference) parts(schema map[string]any) (parts []map[string]any, required []string) {
	if name, ok := schema["$ref"].(string); ok {
		return r.parts(objectOf(r.definitions[strings.TrimPrefix(name, "#/definitions/")]))
	}
	if all, ok := schema["allOf"].([]any); ok {
		for _, one := range all {
			p, q := r.parts(objectOf(one))
			parts, required = append(parts, p...), append(required, q...)
		}
		return parts, required
	}
	for _, name := range listOf(schema["required"]) {
		required = append(required, name.(string))
	}
	return []map[string]any{schema}, required
}

func objectOf(v any) map[string]any { o, _ := v.(map[string]any); return o }

func listOf(v any) []any { l, _ := v.([]any); return l }

func isOf(kind string, value any) bool {
	switch v := value.(type) {
	case string:
		return kind == "string"
	case bool:
		return kind == "boolean"
	case float64:
		return kind == "number" || kind == "integer" && v == math.Trunc(v)
	case []any:
		return kind == "array"
	}
	return kind == "object"
}

// TestRecorded finds every key of the recorded answers in those of this
// package, at the same place: what real ones are noisy with, these are too.
func TestRecorded(t *testing.T) {
	ours := spoken(t)
	for _, test := range []struct {
		file, kind string
		lacking    []string
	}{
		{"go-scm/pr.json", "pullrequest", nil},
		{"go-scm/prs.json", "paginated_pullrequests", []string{"next"}},
		{"go-scm/prcomments.json", "pullrequest_comment", nil},
		{"go-scm/statuses.json", "commitstatus", nil},
		{"python-api/pipeline_GET.json", "pipeline", nil},
		{"python-api/pipelines_GET.json", "paginated_pipelines", nil},
		{"python-api/pipeline_steps_GET.json", "pipeline_step", []string{"teardown_commands.action"}},
	} {
		recorded := map[string]bool{}
		body := any(readJSON(t, test.file))
		if strings.HasPrefix(test.file, "python-api") { // answers by query
			for _, one := range objectOf(body) {
				if len(objectOf(one)) > 0 {
					body = one
				}
			}
		}
		if !strings.HasPrefix(test.kind, "paginated") && objectOf(body)["values"] != nil {
			body = objectOf(body)["values"]
		}
		paths("", body, recorded)
		require.NotEmpty(t, recorded)
		have := map[string]bool{}
		for _, answer := range ours[test.kind] {
			paths("", answer, have)
		}
		for path := range recorded {
			if !slices.Contains(test.lacking, strings.TrimPrefix(path, ".")) {
				assert.Contains(t, have, path, test.file)
			}
		}
	}
}

// paths notes the dotted names of all keys.
func paths(at string, value any, into map[string]bool) {
	for _, item := range listOf(value) {
		paths(at, item, into)
	}
	for name, inner := range objectOf(value) {
		into[at+"."+name] = true
		paths(at+"."+name, inner, into)
	}
}
