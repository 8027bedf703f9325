package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/bitbuckettest"
	"bucketgate/bitbucket/sample"
)

// complete returns what a client offers for an argument of the ticket.
func (a *model) complete(t *testing.T, argument, typed string) []string {
	t.Helper()
	result, err := a.Complete(t.Context(), &mcp.CompleteParams{
		Ref:      &mcp.CompleteReference{Type: "ref/prompt", Name: "bitbucket_ticket"},
		Argument: mcp.CompleteParamsArgument{Name: argument, Value: typed},
	})
	require.NoError(t, err)
	return result.Completion.Values
}

// ticket returns the text that the agent begins with.
func (a *model) ticket(t *testing.T, scope, request string) (string, error) {
	t.Helper()
	result, err := a.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "bitbucket_ticket", Arguments: map[string]string{"scope": scope, "request": request}})
	if err != nil {
		return "", err
	}
	require.Len(t, result.Messages, 1)
	assert.Equal(t, mcp.Role("user"), result.Messages[0].Role)
	return result.Messages[0].Content.(*mcp.TextContent).Text, nil
}

// ticketDesk is the guide's workspace with three scopes stored, of which the
// client gets two.
func ticketDesk(t *testing.T) (*bitbuckettest.Server, variables, []string) {
	s, env := newBitbucket(t), newHome(t)
	s.MustAddRepository(sample.Repository{Workspace: "acme", Slug: "duplocloud", Name: "Duplocloud", Private: true}, "main")
	s.MustBranch("acme/duplocloud", "feature/x", s.MustHead("acme/duplocloud", "main"))
	guide(t, env, s)
	for name, pattern := range map[string]string{"Bitbucket": "^duplocloud.*", "spare": "hidden"} {
		must(t, env, "scope", "create", name, "--provider", "acme", "--credential", "reader", "--repositories", pattern, "--branches", "^main$")
	}
	return s, env, []string{"--scope", "team", "--scope", "Bitbucket"}
}

// The guide's steps 5 and 6 as a client does them: choose the scope, write the
// request, and follow what the ticket says.
func TestTheGuidesTicket(t *testing.T) {
	s, env, args := ticketDesk(t)
	for _, protocol := range generations {
		t.Run(protocol, func(t *testing.T) {
			a := newModel(t, protocol, env, args...)
			var prompts []*mcp.Prompt
			for prompt, err := range a.Prompts(t.Context(), nil) {
				require.NoError(t, err)
				prompts = append(prompts, prompt)
			}
			require.Len(t, prompts, 1)
			require.Equal(t, "bitbucket_ticket", prompts[0].Name)

			assert.Equal(t, []string{"Bitbucket", "team"}, a.complete(t, "scope", ""))
			offered := a.complete(t, "scope", "bit")
			require.Equal(t, []string{"Bitbucket"}, offered)
			assert.Empty(t, a.complete(t, "scope", "spare"), "a scope that is not the caller's is not offered")

			s.ResetJournal()
			text, err := a.ticket(t, offered[0], "Can you access Duplocloud repo in bitbucket?")
			require.NoError(t, err)
			s.AssertNothingSent(t)
			assert.Contains(t, text, "Through scope Bitbucket you may read in workspace acme: repositories whose whole slug matches ^duplocloud.*; branches whose whole name matches ^main$.")
			assert.Contains(t, text, "\n> Can you access Duplocloud repo in bitbucket?")
			assert.NotContains(t, text, testToken)
			assert.NotContains(t, text, testUsername)

			follow(t, a, text)
		})
	}
	s.AssertNoneNamed(t, "hidden")
	log := must(t, env, "audit", "list", "--output", "json")
	assert.Equal(t, len(generations), strings.Count(log, `"tool":"bitbucket_ticket"`), "each ticket is one event")
}

// follow makes the calls that the ticket names, with what it says, and reads
// the guide's answer out of them.
func follow(t *testing.T, a *model, ticket string) {
	said := regexp.MustCompile(`Give scope: "([^"]+)" with every call of (\w+), (\w+), (\w+),`).FindStringSubmatch(ticket)
	require.Len(t, said, 5, ticket)
	scope, getRepo, listBranches := said[1], said[2], said[3]
	for _, tool := range said[2:] {
		require.Contains(t, a.schemas, tool, "a tool of this server")
	}
	repo := a.answer(t, getRepo, arguments{"repository": "Duplocloud", "scope": scope})
	assert.Equal(t,
		[]any{"Duplocloud", "acme/duplocloud", "private", "https://bitbucket.org/acme/duplocloud"},
		[]any{repo["name"], repo["full_name"], repo["visibility"], repo["url"]})
	assert.Contains(t, repo["summary"], "Yes, acme/duplocloud can be accessed through scope Bitbucket. It is private")
	assert.Equal(t, []any{"Bitbucket"}, repo["scopes"])

	names, _ := a.pages(t, listBranches, arguments{"repository": repo["full_name"], "scope": scope}, "branches", field("name"))
	assert.Equal(t, []string{"main"}, names)

	// What another scope of the same caller would allow is not found in this one.
	_, code := a.refusal(t, getRepo, arguments{"repository": "api", "scope": scope})
	assert.Equal(t, "not_found", code)
}

// A scope of somebody else and one that nobody has read alike, and the hints
// name the caller's own.
func TestATicketInAScopeThatIsNotHeld(t *testing.T) {
	s, env, args := ticketDesk(t)
	s.ResetJournal()
	for _, protocol := range generations {
		a := newModel(t, protocol, env, args...)
		for _, scope := range []string{"spare", "nonesuch", "bitbucket", "Bitbucket ", "environment"} {
			_, err := a.ticket(t, scope, "Can you access Duplocloud repo in bitbucket?")
			require.Error(t, err, scope)
			assert.Contains(t, err.Error(), "You hold no scope of that name. Name one of: Bitbucket, team.")
			assert.NotContains(t, err.Error(), "spare")
		}
	}
	s.AssertNothingSent(t)
	log := must(t, env, "audit", "list", "--output", "json")
	assert.Equal(t, 5*len(generations), strings.Count(log, `"decision":"denied"`))
}

// The mode without set-up has its one scope, and the prefix stands before the
// tools.
func TestATicketWithoutSetUp(t *testing.T) {
	s := newBitbucket(t)
	a := newModel(t, generations[1], environmentOf(s), "--tool-prefix", "bb_")
	assert.Equal(t, []string{"environment"}, a.complete(t, "scope", "e"))
	text, err := a.ticket(t, "environment", "Which branches has api?")
	require.NoError(t, err)
	said := regexp.MustCompile(`scope: "environment" with every call of (\w+), (\w+), (\w+),`).FindStringSubmatch(text)
	require.Len(t, said, 4)
	names, _ := a.pages(t, said[2], arguments{"repository": "api", "scope": "environment"}, "branches", field("name"))
	assert.ElementsMatch(t, []string{"main", "feature/x"}, names)
}
