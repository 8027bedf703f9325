package main

import (
	"encoding/json"
	"errors"
	"fmt"
)

// maxReadingTokens is the target for a typical answer of a reading tool.
const maxReadingTokens = 2000

// readings are typical calls, on the data that the demo has.
var readings = []struct {
	tool      string
	arguments params
}{
	{"list_commits", params{"repository": "duplocloud"}},
	{"get_commit", params{"repository": "duplocloud"}}, // its commit is the newest of the list
	{"list_files", params{"repository": "duplocloud", "depth": 3}},
	{"get_file", params{"repository": "duplocloud", "path": "README.md"}},
	{"compare", params{"repository": "duplocloud", "from": "main", "to": "develop"}},
	{"list_pull_requests", params{"repository": "duplocloud", "state": "all"}},
	{"get_pull_request", params{"repository": "duplocloud", "id": 2, "include": []string{"diffstat", "diff", "comments", "tasks", "statuses", "commits"}}},
	{"list_pipelines", params{"repository": "duplocloud"}},
	{"get_pipeline", params{"repository": "duplocloud", "include": []string{"steps", "log"}}}, // the newest that failed
}

// reading counts the tokens of a typical answer of each reading tool.
func (b *bench) reading() (found []finding, err error) {
	demo, err := b.open(legacy, nil, b.programs.bucketgate, "demo", "--stdio")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, demo.close()) }()
	for _, r := range readings {
		answer, err := demo.call(r.tool, b.completed(demo, r.tool, r.arguments))
		if err != nil {
			return nil, fmt.Errorf("calling %s: %w", r.tool, err)
		}
		counts, err := countTokens(answer.StructuredContent)
		if err != nil {
			return nil, err
		}
		found = append(found, judged(r.tool+" answer, a typical one", float64(counts[0]), maxReadingTokens, inCount("tokens"), ""))
	}
	return found, nil
}

// newest returns one field of the first row of a list, nil where there is none.
func newest(demo *session, list, rows, field string, filter params) any {
	filter["repository"] = "duplocloud"
	answer, err := demo.call(list, filter)
	if err != nil {
		return nil
	}
	var page map[string]json.RawMessage
	var found []map[string]any
	if json.Unmarshal(answer.StructuredContent, &page) != nil || json.Unmarshal(page[rows], &found) != nil || len(found) == 0 {
		return nil
	}
	return found[0][field]
}

// completed fills in what only a list knows: the newest of its kind.
func (b *bench) completed(demo *session, tool string, arguments params) params {
	full := params{}
	switch tool {
	case "get_commit":
		full["commit"] = newest(demo, "list_commits", "commits", "commit", params{})
	case "get_pipeline":
		full["number"] = newest(demo, "list_pipelines", "pipelines", "number", params{"status": "failed"})
	}
	for key, value := range arguments {
		full[key] = value
	}
	return full
}
