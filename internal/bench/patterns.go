package main

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"

	"bucketgate/bitbucket"
	"bucketgate/internal/audit"
	"bucketgate/internal/secret"
	"bucketgate/policy"
	"bucketgate/tools"
	"bucketgate/tools/agent"
)

// A patternCase is a way in which scopes are written. Each scope is its
// patterns; one that begins with ! excludes.
type patternCase struct {
	name    string
	scopes  [][]string
	literal bool // the text demands something that Bitbucket can be asked for
}

// Not all of them can be said by the environment, which has one pattern.
var patternCases = []patternCase{
	{"prefix", [][]string{{"^duplocloud-.*"}}, true},
	{"suffix", [][]string{{".*-tests$"}}, true},
	{"alternation", [][]string{{"(billing|search|media)-(api|web)"}}, true},
	{"(?i)", [][]string{{"(?i)DuploCloud-.*-API"}}, true},
	{"several patterns", [][]string{{"^payments-.*", "gateway-.*", ".*-poc"}}, true},
	{"prefix, less an exclusion", [][]string{{"^duplocloud-.*", "!.*-(poc|tests)"}}, true},
	{"two scopes", [][]string{{"^duplocloud-.*"}, {".*-tests"}}, true},
	{"exclusion only", [][]string{{"!^duplocloud-.*"}}, false},
	{"no literal", [][]string{{"[a-z]+-[a-z]{3}"}}, false},
}

// patterns finds all that scopes of many kinds allow. What Bitbucket can be
// asked for must cost no page more than the rows found fill.
func (b *bench) patterns() ([]finding, error) {
	all, err := b.findAll(patternCase{scopes: [][]string{{}}})
	if err != nil {
		return nil, err
	}
	var found []finding
	for _, c := range patternCases {
		l, err := b.findAll(c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		if want := c.count(all.slugs); len(l.slugs) != want || want == 0 {
			return nil, fmt.Errorf("%s: %d names instead of %d", c.name, len(l.slugs), want)
		}
		least := float64(maxPagesAsked)
		if c.literal {
			least = float64((len(l.slugs) + 99) / 100)
		}
		found = append(found, judged(fmt.Sprintf("find all of %s %q", c.name, c.scopes), float64(len(l.asked.Requests)), least, inCount("requests"),
			fmt.Sprintf("%d matches, %d calls, %s", len(l.slugs), l.calls, inKB(float64(l.asked.Wire)))))
	}
	return found, nil
}

func (b *bench) findAll(c patternCase) (listing, error) {
	toolbox, grant, err := b.toolbox(c)
	if err != nil {
		return listing{}, err
	}
	return b.readList(params{"detail": "names", "limit": repositories}, func(arguments params) (json.RawMessage, error) {
		encoded, err := json.Marshal(arguments)
		if err != nil {
			return nil, fmt.Errorf("encoding arguments: %w", err)
		}
		result := toolbox.Run(b.ctx, tools.Request{
			Caller: tools.Caller{Name: "bench", Role: "agent", Transport: "bench", Grant: grant}, Tool: "list_repos", Arguments: encoded,
		})
		if result.IsError() {
			return nil, fmt.Errorf("list_repos answered %s", result.Text)
		}
		return result.Text, nil
	})
}

// toolbox wires the agent's tools as the program does, with any scopes.
func (b *bench) toolbox(c patternCase) (*tools.Toolbox, policy.Grant, error) {
	cursors, err := tools.NewCursors([]byte(token))
	if err != nil {
		return nil, policy.Grant{}, fmt.Errorf("making cursors: %w", err)
	}
	var scopes []policy.Scope
	for i, patterns := range c.scopes {
		d := policy.Definition{
			Name: fmt.Sprintf("scope-%d", i), API: b.upstream.api, Workspace: workspace, Credential: "bench",
			Actions: []policy.Action{policy.Read},
		}
		for _, pattern := range patterns {
			if pattern[0] == '!' {
				d.ExcludeRepositories = append(d.ExcludeRepositories, pattern[1:])
			} else {
				d.Repositories = append(d.Repositories, pattern)
			}
		}
		scope, err := policy.Compile(d)
		if err != nil {
			return nil, policy.Grant{}, fmt.Errorf("compiling %q: %w", patterns, err)
		}
		scopes = append(scopes, scope)
	}
	client := bitbucket.New(bitbucket.Config{
		Credential: func(context.Context, string) (bitbucket.Credential, error) {
			return bitbucket.Credential{API: b.upstream.api, Username: username, APIKey: secret.NewText(token)}, nil
		},
		AllowAddress: func(string) bool { return true },
	})
	return &tools.Toolbox{
		Tools: agent.Tools(client), Cursors: cursors, Record: func(audit.Event) error { return nil },
	}, policy.NewGrant("bench", scopes...), nil
}

// count says how many slugs a case allows, without Bucketgate's own rules.
func (c patternCase) count(slugs []string) int {
	n := 0
	for _, slug := range slugs {
		if c.allows(slug) {
			n++
		}
	}
	return n
}

func (c patternCase) allows(slug string) bool {
	for _, patterns := range c.scopes {
		included, limited, excluded := false, false, false
		for _, pattern := range patterns {
			if pattern[0] == '!' {
				excluded = excluded || whole(pattern[1:], slug)
				continue
			}
			limited = true
			included = included || whole(pattern, slug)
		}
		if (included || !limited) && !excluded {
			return true
		}
	}
	return false
}

func whole(pattern, slug string) bool {
	return regexp.MustCompile("^(?:" + pattern + ")$").MatchString(slug)
}
