package policy

import (
	"regexp/syntax"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The net below refusedFlag is never reached through Compile as long as that
// one does its work, so that it is tested by itself.
func TestMatchesLines(t *testing.T) {
	for pattern, want := range map[string]bool{
		`(?m)^main`: true, `(?m)main$`: true, `a|(?m:b$)`: true, `(a(b|(?m)^)*)`: true,
		`^main$`: false, `\Amain\z`: false, `(?i)main|b`: false, `(?m)main`: false, `.*`: false,
	} {
		parsed, err := syntax.Parse(pattern, syntax.Perl)
		require.NoError(t, err)
		assert.Equal(t, want, matchesLines(parsed), pattern)
	}
}

// Compile never leaves these behind; if something else does, they mean no.
func TestZeroRulesAllowNothing(t *testing.T) {
	assert.False(t, rule{}.allows("api"))
	assert.False(t, rule{}.allowsAll())
	assert.Equal(t, "the scope is disabled", rule{}.verdict("api"))
	assert.False(t, pattern{}.matches("api"))
	assert.False(t, pattern{}.matches(""))
	for _, action := range []Action{NoAction, Read} {
		assert.False(t, (&scope{}).allowsAction(action))
	}
	assert.False(t, (&scope{definition: Definition{Actions: []Action{NoAction}}}).allowsAction(NoAction))
}
