package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/tiktoken-go/tokenizer"
)

// The targets of tokens.
const (
	maxRepoTokens = 250
	maxListTokens = 1500
	maxToolTokens = 1500 // of the first four

	maxAllToolTokens = 4000
)

// firstTools are those whose definitions have a target of their own.
var firstTools = []string{"my_access", "list_repos", "get_repo", "list_branches"}

var o200k = sync.OnceValues(func() (tokenizer.Codec, error) { return tokenizer.Get(tokenizer.O200kBase) })

// countTokens counts the o200k tokens of values as compact JSON.
func countTokens(values ...any) ([]int, error) {
	codec, err := o200k()
	if err != nil {
		return nil, fmt.Errorf("loading the tokens: %w", err)
	}
	counts := make([]int, len(values))
	for i, value := range values {
		compact, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("encoding: %w", err)
		}
		if counts[i], err = codec.Count(string(compact)); err != nil {
			return nil, fmt.Errorf("counting tokens: %w", err)
		}
	}
	return counts, nil
}

// tokens counts what an agent pays.
func (b *bench) tokens() (found []finding, err error) {
	gate, err := b.gate(legacy, "")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, gate.close()) }()
	for _, measure := range []func(*session) (finding, error){b.repoTokens, b.listTokens} {
		f, err := measure(gate)
		if err != nil {
			return nil, err
		}
		found = append(found, f)
	}
	definitions, err := toolTokens(gate)
	return append(found, definitions...), err
}

// repoTokens counts the longest of many answers.
func (b *bench) repoTokens(gate *session) (finding, error) {
	names, err := b.readList(params{"detail": "names", "limit": repositories}, gate.listRepos)
	if err != nil {
		return finding{}, err
	}
	var answers []any
	for i := 0; i < len(names.slugs); i += 10 {
		answer, err := gate.call("get_repo", params{"repository": names.slugs[i]})
		if err != nil {
			return finding{}, err
		}
		answers = append(answers, answer.StructuredContent)
	}
	most, median, err := spread(answers)
	return judged("get_repo answer, the longest of 100", float64(most), maxRepoTokens, inCount("tokens"), fmt.Sprintf("median %d", median)), err
}

// listTokens counts the longest of some pages of 25 rows.
func (b *bench) listTokens(gate *session) (finding, error) {
	pages, err := b.readList(params{"limit": 25}, gate.listRepos)
	if err != nil {
		return finding{}, err
	}
	answers := make([]any, len(pages.answers))
	for i, page := range pages.answers {
		answers[i] = page
	}
	most, median, err := spread(answers)
	return judged("list_repos answer of 25 rows, the longest of 40", float64(most), maxListTokens, inCount("tokens"), fmt.Sprintf("median %d", median)), err
}

func toolTokens(gate *session) ([]finding, error) {
	result, _, err := gate.ask("tools/list", params{})
	if err != nil {
		return nil, err
	}
	var listed struct{ Tools []json.RawMessage }
	if err := json.Unmarshal(result, &listed); err != nil {
		return nil, fmt.Errorf("reading tools/list: %w", err)
	}
	first, err := definitionsOf(listed.Tools, firstTools)
	if err != nil {
		return nil, err
	}
	counts, err := countTokens(first, listed.Tools)
	if err != nil {
		return nil, err
	}
	return []finding{
		judged("definitions of the first four tools", float64(counts[0]), maxToolTokens, inCount("tokens"), ""),
		judged(fmt.Sprintf("definitions of all %d tools", len(listed.Tools)), float64(counts[1]), maxAllToolTokens, inCount("tokens"), ""),
	}, nil
}

// definitionsOf picks tools by name, as the bytes that were sent.
func definitionsOf(all []json.RawMessage, names []string) ([]json.RawMessage, error) {
	byName := map[string]json.RawMessage{}
	for _, raw := range all {
		var tool struct{ Name string }
		if err := json.Unmarshal(raw, &tool); err != nil {
			return nil, fmt.Errorf("reading a tool: %w", err)
		}
		byName[tool.Name] = raw
	}
	picked := make([]json.RawMessage, len(names))
	for i, name := range names {
		if picked[i] = byName[name]; picked[i] == nil {
			return nil, fmt.Errorf("there is no tool %q", name)
		}
	}
	return picked, nil
}
