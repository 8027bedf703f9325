package main

import (
	"encoding/json"
	"errors"
	"fmt"
)

// The targets of lists.
const (
	maxFindTokens  = 620
	maxPagesAsked  = repositories / 100
	maxNamesBytes  = 60_000
	maxFieldsBytes = 150_000
	duplocloud     = 57 // repositories of the sample with that prefix
)

// A listing is what it took to read a list to its end.
type listing struct {
	calls   int
	slugs   []string
	answers []json.RawMessage
	asked   report
}

type listAnswer struct {
	Names        []string
	Repositories []struct {
		FullName string `json:"full_name"`
	}
	NextCursor string `json:"next_cursor"`
}

// readList calls list_repos until there is no more. call is how.
func (b *bench) readList(arguments params, call func(params) (json.RawMessage, error)) (listing, error) {
	var l listing
	if err := b.upstream.reset(0); err != nil {
		return l, err
	}
	for {
		raw, err := call(arguments)
		if err != nil {
			return l, err
		}
		var answer listAnswer
		if err := json.Unmarshal(raw, &answer); err != nil {
			return l, fmt.Errorf("reading a list: %w", err)
		}
		l.calls++
		l.answers = append(l.answers, raw)
		l.slugs = append(l.slugs, answer.Names...)
		for _, r := range answer.Repositories {
			l.slugs = append(l.slugs, r.FullName)
		}
		if answer.NextCursor == "" {
			l.asked, err = b.upstream.taken()
			return l, err
		}
		arguments["cursor"] = answer.NextCursor
	}
}

func (s *session) listRepos(arguments params) (json.RawMessage, error) {
	answer, err := s.call("list_repos", arguments)
	return answer.StructuredContent, err
}

// listOnce reads a list through a program that is started for it.
func (b *bench) listOnce(pattern string, arguments params) (l listing, err error) {
	gate, err := b.gate(legacy, pattern)
	if err != nil {
		return listing{}, err
	}
	defer func() { err = errors.Join(err, gate.close()) }()
	return b.readList(arguments, gate.listRepos)
}

// find finds the few among the many.
func (b *bench) find() ([]finding, error) {
	l, err := b.listOnce("^duplocloud-.*", params{"detail": "names"})
	if err != nil {
		return nil, err
	}
	if len(l.slugs) != duplocloud {
		return nil, fmt.Errorf("%d names instead of %d", len(l.slugs), duplocloud)
	}
	counts, err := countTokens(l.answers[0], l.slugs)
	if err != nil {
		return nil, err
	}
	const what = "find 57 of 1,000 by ^duplocloud-.* as names"
	return []finding{
		judged(what+": tool calls", float64(l.calls), 1, inCount("calls"), ""),
		judged(what+": upstream requests", float64(len(l.asked.Requests)), 1, inCount("requests"), ""),
		judged(what+": answer", float64(counts[0]), maxFindTokens, inCount("tokens"), fmt.Sprintf("the slugs alone %d", counts[1])),
	}, nil
}

// listAll reads the whole workspace.
func (b *bench) listAll() ([]finding, error) {
	names, err := b.everything("list all 1,000 as names", 1, maxNamesBytes, params{"detail": "names", "limit": repositories})
	if err != nil {
		return nil, err
	}
	fields, err := b.everything("list all 1,000 with 4 fields", 10, maxFieldsBytes, params{"limit": 100})
	return append(names, fields...), err
}

func (b *bench) everything(what string, maxCalls, maxBytes float64, arguments params) ([]finding, error) {
	l, err := b.listOnce("", arguments)
	if err != nil {
		return nil, err
	}
	if len(l.slugs) != repositories {
		return nil, fmt.Errorf("%s: there were %d", what, len(l.slugs))
	}
	return []finding{
		judged(what+": tool calls", float64(l.calls), maxCalls, inCount("calls"), ""),
		judged(what+": upstream requests", float64(len(l.asked.Requests)), maxPagesAsked, inCount("requests"), ""),
		judged(what+": bytes from upstream", float64(l.asked.Wire), maxBytes, inKB, "of bodies "+inKB(float64(l.asked.Body))),
	}, nil
}
