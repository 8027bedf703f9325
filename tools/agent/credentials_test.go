package agent_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"bucketgate/policy"
	"bucketgate/tools"
)

// Two scopes with a credential each for the same repository: what only the
// second allows is found, and one of them has to allow both ends.
func TestWhatOnlyTheSecondCredentialAllowsIsFound(t *testing.T) {
	h := newPipelines(t)
	first := policy.Definition{Name: "a", Credential: "key", Branches: []string{"main"}}
	second := policy.Definition{Name: "b", Credential: "other", Branches: []string{"main", "secret/y"}}
	d := newDesk(t, h.Server, first, second)
	for _, call := range []struct{ tool, arguments string }{
		{"get_commit", `"commit":"` + h.secret + `"`},
		{"list_commits", `"branch":"secret/y"`},
		{"compare", `"from":"main","to":"secret/y"`},
		{"get_pull_request", `"id":3`},
		{"get_pipeline", `"number":2`},
	} {
		answer := d.answer(call.tool, `{"repository":"api",`+call.arguments+`}`)
		assert.Equal(t, []any{"b"}, answer["scopes"], call.tool)
		event := d.events[len(d.events)-1]
		assert.Equal(t, "allowed", string(event.Decision), "what the first scope refused is not what the call came to: %s", event.Reason)
	}

	apart := newDesk(t, h.Server, first, policy.Definition{Name: "b", Credential: "other", Branches: []string{"secret/y"}})
	assert.Equal(t, tools.NotFound, apart.refused("compare", `{"repository":"api","from":"main","to":"secret/y"}`).Code)
	event := apart.events[len(apart.events)-1]
	assert.Equal(t, "denied", string(event.Decision))
}
