package policy_test

import (
	"errors"
	"regexp"
	"regexp/syntax"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/policy"
	"bucketgate/policy/policytest"
)

// compileBranchPattern compiles a scope with one branch pattern.
func compileBranchPattern(text string) (policy.Scope, error) {
	return policy.Compile(policy.Definition{
		Name: "test", API: "https://api.bitbucket.org/2.0", Workspace: "acme", Credential: "c1",
		Branches: []string{text}, Actions: []policy.Action{policy.Read},
	})
}

func refusedPattern(t *testing.T, text string) *policy.InvalidPattern {
	t.Helper()
	scope, err := compileBranchPattern(text)
	var refused *policy.InvalidPattern
	require.ErrorAs(t, err, &refused, "%q", text)
	assert.Zero(t, scope, "%q", text)
	assert.Equal(t, "branches", refused.Field)
	assert.Equal(t, text, refused.Pattern)
	return refused
}

func TestPatternsThatAreRefused(t *testing.T) {
	tests := []struct{ name, pattern, words string }{
		{"an empty string", "", "an empty string is not a pattern"},
		{"a break-out of the wrapper", `main)|(?:.*`, "position 5"},
		{"a break-out with a comment", `main)(?:`, "position 5"},
		{"a group that is left open", `(?:main`, ""},
		{"a backslash that would escape the wrapper", `main\`, ""},
		{"more than 512 bytes", strings.Repeat("a", 513), "longer than 512 bytes"},
		{"more than 512 bytes of other letters", strings.Repeat("ä", 257), "longer than 512 bytes"},
		{"a repeat that is too large", `((a{100}){100}){100}`, ""},
		{"2000 nested groups", strings.Repeat("(", 2000) + strings.Repeat(")", 2000), "longer than 512 bytes"},
		{"a megabyte", strings.Repeat("(a+)+", 1<<18), "longer than 512 bytes"},
		{"a megabyte that is no text", strings.Repeat("\x80", 1<<20), "longer than 512 bytes"},
		{"invalid UTF-8", "ma\xffin", "not valid UTF-8"},
		{"nothing but invalid UTF-8", strings.Repeat("\x80", 100), "not valid UTF-8"},
		{"a newline", "main\n", "position 5: it holds a control or invisible character"},
		{"NUL", "ma\x00in", "position 3"},
		{"a zero-width space", "ma\u200bin", "control or invisible"},
		{"text from right to left", "ma\u202ein", "control or invisible"},
		{"an undecoded character", "ma\ufffdin", "control or invisible"},
		{"lookahead", `(?!main).*`, ""},
		{"lookbehind", `(?<!x)main`, ""},
		{"a backreference", `(a)\1`, ""},
		{`\Z`, `main\Z`, ""},
		{"a possessive repeat", `a++`, ""},
		{"a glob", `*-service`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			refused := refusedPattern(t, tt.pattern)
			assert.NotEmpty(t, refused.Reason)
			assert.Contains(t, refused.Error(), tt.words)
			assert.Less(t, len(refused.Error()), 1000, "a message stays readable")
		})
	}
}

func TestPatternsAtTheBounds(t *testing.T) {
	longest := strings.Repeat("a", 512)
	allow(t, policytest.Call(t, policytest.Scope(t, branches(longest))), "api:"+longest)
	policytest.Scope(t, branches(slicesOf(200, "main")...))
	d := branches(slicesOf(201, "main")...)
	d.Name, d.API, d.Workspace, d.Credential, d.Actions = "test", "a", "acme", "c1", []policy.Action{policy.Read}
	_, err := policy.Compile(d)
	assert.ErrorContains(t, err, "more than 200 patterns")
}

func slicesOf(n int, text string) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = text
	}
	return all
}

func TestInvalidPatternNamesItsList(t *testing.T) {
	good := policy.Definition{Name: "test", API: "a", Workspace: "acme", Credential: "c1", Actions: []policy.Action{policy.Read}}
	bad := []string{"fine", "("}
	tests := map[string]func(*policy.Definition){
		"repositories":         func(d *policy.Definition) { d.Repositories = bad },
		"exclude_repositories": func(d *policy.Definition) { d.ExcludeRepositories = bad },
		"branches":             func(d *policy.Definition) { d.Branches = bad },
		"exclude_branches":     func(d *policy.Definition) { d.ExcludeBranches = bad },
	}
	for field, change := range tests {
		d := good
		change(&d)
		_, err := policy.Compile(d)
		var refused *policy.InvalidPattern
		require.ErrorAs(t, err, &refused, field)
		assert.Equal(t, field, refused.Field)
		assert.Contains(t, err.Error(), `pattern "(" in `+field)
	}
}

// Each would change what "$" or "." means, wherever in the pattern it stands.
// The flag's place is marked with ‹ ›.
func TestFlagsThatAreRefused(t *testing.T) {
	patterns := []string{
		`(?‹m›)^main$`, `(?‹s›).*`, `(?‹U›)a+`,
		`(?i‹m›)main`, `(?‹m›i)main`, `(?i‹s›mU)x`, `(?‹U›s)x`,
		`(?-‹s›).`, `(?i-‹m›)^a$`, `(?-i‹U›)a+`, `(?‹s›-i)a`,
		`(?‹m›:^main$)`, `(?‹s›:.)`, `(?-‹s›:.)`, `(?i‹U›:a+)`,
		`main(?‹m›)$`, `a|(?‹s›)b`, `(a(?‹s›:b))`, `((?‹m›)a)`, `(?:(?:(?‹U›:a+)))`, `(?P<x>(?‹s›).)`, `(?<x>a)(?‹s›)b`,
		`\\(?‹m›)a`, `\((?‹m›)a`, `\pL(?‹s›)a`, `\x{41}(?‹s›)a`, `\x41(?‹U›)a`, `\d(?‹s›).`,
		`[a](?‹m›)a`, `[^a](?‹s›)a`, `[]](?‹m›)a`, `[^]](?‹U›)a`, `[\]](?‹s›)a`, `[a\]](?‹s›)a`, `[[](?‹s›)a`, `[a-](?‹s›)a`,
		`[[:alpha:]](?‹s›)a`, `[[:^alpha:]x](?‹s›)a`, `[[:a](?‹s›).`, `[[:](?‹s›).[x]`, `[+-[:](?‹s›).[:]]`, `[\[:](?‹s›).[:]]`,
		`[\d-](?‹s›)a`, `[a-\]](?‹s›)a`, `[\x{5d}](?‹s›)a`,
		`\Q(?m)\E(?‹s›)a`, `\Qa\E(?‹m›)a`, `\Q\\E(?‹m›)a`, `\Q\E(?‹U›)a`, `\Q[\E(?‹s›)a`,
		`a{2}(?‹s›)b`, `a*?(?‹s›)b`, `{(?‹s›)b`, `ä(?‹s›)b`, `[ä-ü](?‹s›)b`,
	}
	for _, marked := range patterns {
		before, rest, found := strings.Cut(marked, "‹")
		require.True(t, found, marked)
		flag, after, _ := strings.Cut(rest, "›")
		refused := refusedPattern(t, before+flag+after)
		assert.Equal(t, len(before), refused.Offset, marked)
		assert.Contains(t, refused.Reason, `the flag "`+flag+`" is not taken`, marked)
	}
}

// What only looks like a flag is none.
func TestFlagsThatAreNone(t *testing.T) {
	for _, pattern := range []string{
		`(?i)main`, `(?-i)main`, `(?i:main)`, `(?i-i:a)`, `(?P<msU>a)`, `(?<msU>a)`, `[(?m)]`, `[^(?s)]+`, `[](?s)]`, `[[:alpha:](?s)]`,
		`\Q(?m)\E`, `\Q(?m)`, `\Q[\E(?i)a`, `\(?m`, `\(?s\)`, `a?m`, `(a)?s`, `(?:s)U`, `[\](?s)]`, `[\[(?s)]`,
	} {
		_, err := compileBranchPattern(pattern)
		assert.NoError(t, err, pattern)
	}
}

// A name that spans lines cannot come through the grammar; no pattern would
// let it through either.
func TestNoPatternMatchesOneLineOfMany(t *testing.T) {
	for _, pattern := range list("main", "^main$", `\Amain\z`, "main|x", ".*", "^.*$") {
		scope, err := compileBranchPattern(pattern)
		require.NoError(t, err)
		repo := policytest.Repo(t, "api", scope)
		for _, name := range list("main\nevil", "evil\nmain", "main\n", "\nmain", "main\r\nx", "main\u2028x", "main\x85") {
			_, ok := repo.Sees(name)
			assert.False(t, ok, "%s and %q", pattern, name)
			_, err := repo.Branch(name)
			var invalid *policy.InvalidName
			assert.ErrorAs(t, err, &invalid, "%s and %q", pattern, name)
		}
	}
}

// matchesWhole is how a person would define it, and shares nothing with the
// code: the longest match of the pattern as it stands is the name itself.
func matchesWhole(pattern, name string) bool {
	re := regexp.MustCompile(pattern)
	re.Longest()
	at := re.FindStringIndex(name)
	return at != nil && at[0] == 0 && at[1] == len(name)
}

// changesLines reports whether a flag m or s is at work in a parsed pattern.
func changesLines(re *syntax.Regexp) bool {
	if re.Op == syntax.OpBeginLine || re.Op == syntax.OpEndLine || re.Flags&syntax.DotNL != 0 {
		return true
	}
	for _, sub := range re.Sub {
		if changesLines(sub) {
			return true
		}
	}
	return false
}

// Properties: nothing panics, the error's words included; what compiles has no
// flag m or s at work; it matches a name exactly when the pattern as written
// matches all of it.
func FuzzPattern(f *testing.F) {
	for _, pattern := range list(
		"main", "^main|release$", "main)|(?:.*", "(?m)^main$", "[[:a](?s).", "[[:](?s).[x]", `\Qa.b\E.*`, `\Qmain`, "(?i)MAIN", `\bmain\b`, `main\`,
		"(a|ab)(c|bcd)", "a*?", "(a+)+$", "[^a]", ".{3}", "x|", "(|a)*", `\pL+`, "(?-s:.)", "[+-[:](?s).[:]]", "\x80", "^*", `\B.*`, "(?i)k", "$^", "a{0}",
	) {
		for _, name := range list("main", "main-secret", "release", "a.b", "abcd", "K", "a/b", "ab ba") {
			f.Add(pattern, name)
		}
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		scope, err := compileBranchPattern(pattern)
		if err != nil {
			var refused *policy.InvalidPattern
			require.True(t, errors.As(err, &refused))
			require.NotEmpty(t, err.Error())
			require.Zero(t, scope)
			return
		}
		parsed, err := syntax.Parse(pattern, syntax.Perl)
		require.NoError(t, err, "a pattern is good by itself")
		require.False(t, changesLines(parsed), "a refused flag got through")
		repo := policytest.Repo(t, "api", scope)
		branch, ok := repo.Sees(name)
		if gitRefuses(name) {
			require.False(t, ok)
			return
		}
		if _, err := policytest.Repo(t, "api").Branch(name); err != nil {
			require.False(t, ok, "no pattern brings back what the grammar refuses")
			return
		}
		require.Equal(t, matchesWhole(pattern, name), ok)
		if ok {
			require.Equal(t, name, branch.Name())
		}
	})
}
