package agent_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/sample"
	"bucketgate/policy"
	"bucketgate/tools"
)

// One scope has to allow both ends of a comparison, and where there is one it
// is found, whichever branch was the first to reach a commit.
func TestOneScopeForBothEnds(t *testing.T) {
	scope := func(name string, branches ...string) policy.Definition {
		return policy.Definition{Name: name, Branches: branches}
	}
	h := newHistory(t)
	onSecret := h.commit(t, "secret/y", "SECRETMORE", map[string]sample.File{"SECRETMORE": {Content: []byte("x\n")}})
	merged, err := h.AddCommit("acme", "api", sample.Commit{Message: "Merge", Parents: []string{h.second, h.feature}})
	require.NoError(t, err)
	h.MustBranch("acme/api", "z", merged)
	for name, row := range map[string]struct {
		scopes   []policy.Definition
		from, to string
		by       string // the scope that allows both, "" for none
	}{
		"the commit is on the default branch too":    {[]policy.Definition{scope("a", "main"), scope("b", "secret/y")}, h.first, "secret/y", "b"},
		"the same the other way round":               {[]policy.Definition{scope("a", "main"), scope("b", "secret/y")}, "secret/y", h.first, "b"},
		"two commits":                                {[]policy.Definition{scope("a", "main"), scope("b", "secret/y")}, h.first, h.secret, "b"},
		"two commits, the older one new":             {[]policy.Definition{scope("a", "main"), scope("b", "secret/y")}, h.secret, h.first, "b"},
		"by short hashes":                            {[]policy.Definition{scope("a", "main"), scope("b", "secret/y")}, h.first[:12], onSecret[:12], "b"},
		"the third scope":                            {[]policy.Definition{scope("a", "main"), scope("b", "feature/x"), scope("c", "feature/x|secret/y")}, h.feature, "secret/y", "c"},
		"a scope that neither end was found through": {[]policy.Definition{scope("a", "main"), scope("b", "feature/x"), scope("c", "secret/y")}, h.first, h.secret, "c"},
		"the third scope, after a half of each":      {[]policy.Definition{scope("a", "main"), scope("b", "feature/x"), scope("c", "z")}, h.second, h.feature, "c"},
		"two scopes and a half of each":              {[]policy.Definition{scope("a", "main"), scope("b", "feature/x")}, "main", "feature/x", ""},
		"the same by commits":                        {[]policy.Definition{scope("a", "main"), scope("b", "feature/x")}, h.second, h.feature, ""},
		"three scopes and none of them":              {[]policy.Definition{scope("a", "main"), scope("b", "feature/x"), scope("c", "secret/y")}, h.second, h.feature, ""},
		"a path":                                     {[]policy.Definition{scope("a", "main"), scope("b", "secret/y")}, h.first, `secret/y","path":"SECRETMORE`, "b"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, h.Server, row.scopes...)
			in := fmt.Sprintf(`{"repository":"api","from":"%s","to":"%s"}`, row.from, row.to)
			event := func() string { return string(d.events[len(d.events)-1].Decision) }
			if row.by == "" {
				assert.Equal(t, tools.NotFound, d.refused("compare", in).Code)
				assert.Equal(t, "denied", event())
				return
			}
			answer := d.answer("compare", in)
			assert.Equal(t, []string{row.by}, texts(answer["scopes"]))
			assert.Equal(t, "allowed", event(), "that another scope refused is not what the call came to")
		})
	}
}

// However many scopes there are, a pair is looked for a few times and no more:
// each of these allows one of the ends and not the other.
func TestHowOftenAPairIsLookedFor(t *testing.T) {
	h := newHistory(t)
	var scopes []policy.Definition
	for i := range 12 {
		name := fmt.Sprintf("w%02d", i)
		h.MustBranch("acme/api", name, []string{h.second, h.feature}[i%2])
		h.commit(t, name, "Work", nil)
		scopes = append(scopes, policy.Definition{Name: name, Branches: []string{name}})
	}
	d := newDesk(t, h.Server, scopes...)
	h.ResetJournal()
	assert.Equal(t, tools.NotFound, d.refused("compare", `{"repository":"api","from":"`+h.second+`","to":"`+h.feature+`"}`).Code)
	assert.Equal(t, "denied", string(d.events[len(d.events)-1].Decision))
	lists := slices.DeleteFunc(h.Requests(), func(r string) bool { return !strings.HasSuffix(r, "/refs/branches") })
	assert.LessOrEqual(t, len(lists), 2+3*2, "two ends, and three more pairs")
}
