package policy

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"regexp/syntax"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func demandOfText(t *testing.T, pattern string) demand {
	t.Helper()
	re, err := syntax.Parse(pattern, syntax.Perl)
	require.NoError(t, err)
	return demandOf(re)
}

func TestDemandOf(t *testing.T) {
	tests := []struct {
		name, pattern string
		want          demand
	}{
		{"a literal", `main`, demand{{"main"}}},
		{"anchors", `^main$`, demand{{"main"}}},
		{"a prefix", `duplocloud-.*`, demand{{"duplocloud-"}}},
		{"a suffix", `.*-service`, demand{{"-service"}}},
		{"both ends", `api-.*-v2`, demand{{"api-", "-v2"}}},
		{"a capture in the middle", `duplo(cloud)-`, demand{{"duplocloud-"}}},
		{"a named capture and a group", `duplo(?P<n>cl(?:ou)d)-.*`, demand{{"duplocloud-"}}},
		{"alternatives", `main|develop`, demand{{"main"}, {"develop"}}},
		{"alternatives with a common prefix", `main|master`, demand{{"main"}, {"master"}}},
		{"alternatives inside", `^(api|web)-.*$`, demand{{"api-"}, {"web-"}}},
		{"alternatives twice", `(a|bb)-x-(cc|dd)`, demand{{"a-x-cc"}, {"a-x-dd"}, {"bb-x-cc"}, {"bb-x-dd"}}},
		{"capital letters", `Duplo-.*`, demand{{"duplo-"}}},
		{"fold case", `(?i)Duplo-sk.*`, demand{{"duplo-sk"}}},
		{"a class of one", `[a]pi[.]x`, demand{{"api.x"}}},
		{"a small class", `v[12]-x`, demand{{"v1-x"}, {"v2-x"}}},
		{"a folded class", `(?i)[k]ube`, demand{{"kube"}}},
		{"a large class is a gap", `release-\d+-rc`, demand{{"release-", "-rc"}}},
		{"a negated class is a gap", `ab[^c]de`, demand{{"ab", "de"}}},
		{"one or more", `(ab)+c`, demand{{"abc"}}},
		{"one or more touches both sides", `xx(ab)+yy`, demand{{"xxab", "abyy"}}},
		{"a repeat", `x(ab){2}y`, demand{{"xababy"}}},
		{"a repeat of at least two", `x(ab){2,}y`, demand{{"xabab", "ababy"}}},
		{"a long repeat is cut", `a{9}`, demand{{"aaaa"}}},
		{"more copies than are written out", `x(ab){5}y`, demand{{"xabababab", "ababababy"}}},
		{"optional", `duplo(cloud)?-x`, demand{{"duplo-x"}, {"duplocloud-x"}}},
		{"an optional end", `service(-v2)?`, demand{{"service"}}},
		{"zero or more", `api-(x-)*y-web`, demand{{"api-", "y-web"}}},
		{"zero to three", `api-(x-){0,3}web`, demand{{"api-", "web"}}},
		{"word boundaries are empty", `\bapi\b-x`, demand{{"api-x"}}},
		{"one character when there is no more", `.*a.*`, demand{{"a"}}},
		{"one character beside more", `a.*bcd.*e`, demand{{"bcd"}}},
		{"what another one holds", `ab.*xabx.*ab`, demand{{"xabx"}}},
		{"an alternative that another one implies", `api|.*api.*`, demand{{"api"}}},
		{"the four longest, in order", `aa.*bbbb.*cc.*ddd.*eeeee.*ff`, demand{{"aa", "bbbb", "ddd", "eeeee"}}},
		{"a quote splits", `ab"cd`, demand{{"ab", "cd"}}},
		{"a quote in a class is a gap", `["b]cd`, demand{{"cd"}}},
		{"a backslash splits", `ab\\cd`, demand{{"ab", "cd"}}},
		{"a control character splits", `ab\x00cd\x7fef`, demand{{"ab", "cd", "ef"}}},
		{"a character outside ASCII splits", `abécd`, demand{{"ab", "cd"}}},
		{"twelve alternatives", `(a|b|c|d).*(ee|ff|gg)`, demand{{"ee"}, {"ff"}, {"gg"}}},
		{"more alternatives than are kept", `(aa|bb|cc|dd)-x-(ee|ff|gg|hh)`, demand{{"aa-x-"}, {"bb-x-"}, {"cc-x-"}, {"dd-x-"}}},
		{"far too many", `1a|2b|3c|4d|5e|6f|7g|8h|9i|aj|bk|cl|dm`, nil},
		{"everything", `.*`, nil},
		{"one side of everything", `main|.*`, nil},
		{"an empty side", `main|`, nil},
		{"all optional", `(api)?(web)?`, nil},
		{"only classes", `[a-z]+\d*`, nil},
		{"nothing at all", `[^\x00-\x{10FFFF}]`, nil},
		{"only a quote", `"`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.want, demandOfText(t, tt.pattern))
		})
	}
}

func TestDemandStaysSmall(t *testing.T) {
	w := patternWriter{rand.New(rand.NewPCG(1, 2))}
	for _, pattern := range []string{
		`((((abcdefghi){4}){4}){4}){4}`,
		strings.Repeat(`[ab]`, 120),
		strings.Repeat(`(x|y)?`, 80),
		strings.Repeat(`a.`, 250),
		strings.Repeat(`abcdefgh`, 64),
	} {
		d := demandOfText(t, pattern)
		assert.LessOrEqual(t, len(d), maxAlternatives, pattern)
		for _, and := range d {
			assert.LessOrEqual(t, len(and), maxSubstrings, pattern)
		}
		assert.LessOrEqual(t, len(d.query("slug")), maxQueryBytes, pattern)
		re, err := syntax.Parse(pattern, syntax.Perl)
		require.NoError(t, err)
		assert.True(t, checkSuperset(t, pattern, wholeOf(t, re), d, w.name(re)), pattern)
	}
}

func TestDemandOr(t *testing.T) {
	several := func(n int, format string) demand {
		d := demand{{fmt.Sprintf(format, 'a')}}
		for i := 1; i < n; i++ {
			d = d.or(demand{{fmt.Sprintf(format, 'a'+i)}})
		}
		return d
	}
	tests := []struct {
		name      string
		got, want demand
	}{
		{"two", demand{{"api-"}}.or(demand{{"web-"}}), demand{{"api-"}, {"web-"}}},
		{"the same", demand{{"api-"}}.or(demand{{"api-"}}), demand{{"api-"}}},
		{"the coarser wins", demand{{"api-v1"}}.or(demand{{"api"}}), demand{{"api"}}},
		{"of two substrings, too", demand{{"api", "v1"}}.or(demand{{"v1"}}), demand{{"v1"}}},
		{"nothing demanded", demand{{"api-"}}.or(nil), nil},
		{"nothing demanded before", demand(nil).or(demand{{"api-"}}), nil},
		{"twelve", several(12, "%c-x"), demand{{"a-x"}, {"b-x"}, {"c-x"}, {"d-x"}, {"e-x"}, {"f-x"}, {"g-x"}, {"h-x"}, {"i-x"}, {"j-x"}, {"k-x"}, {"l-x"}}},
		{"too many with nothing in common", several(13, "%c-x"), nil},
		{"too many with a common prefix", several(20, "duplocloud-%c"), demand{{"duplocloud-"}}},
		{"and then another", several(13, "duplocloud-%c").or(demand{{"web"}}), demand{{"duplocloud-"}, {"web"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { assert.Equal(t, tt.want, tt.got) })
	}
}

func TestDemandQuery(t *testing.T) {
	long := strings.Repeat("x", 300)
	tests := []struct {
		name string
		d    demand
		want string
	}{
		{"nil", nil, ``},
		{"one", demand{{"duplocloud-"}}, `slug ~ "duplocloud-"`},
		{"or", demand{{"api-"}, {"web-"}}, `(slug ~ "api-" OR slug ~ "web-")`},
		{"and", demand{{"a", "b"}}, `(slug ~ "a" AND slug ~ "b")`},
		{"both", demand{{"a", "b"}, {"c"}}, `((slug ~ "a" AND slug ~ "b") OR slug ~ "c")`},
		{"just short enough", demand{{strings.Repeat("x", 1491)}}, `slug ~ "` + strings.Repeat("x", 1491) + `"`},
		{"one too long", demand{{strings.Repeat("x", 1492)}}, ``},
		{"too long together", demand{{long + "a"}, {long + "b"}, {long + "c"}, {long + "d"}, {long + "e"}}, ``},
		{"a quote is never sent", demand{{`x" OR slug ~ "`}}, ``},
		{"a backslash is never sent", demand{{"api"}, {`x\`}}, ``},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { assert.Equal(t, tt.want, tt.d.query("slug")) })
	}
}

// holds is what Bitbucket does with the demand.
func (d demand) holds(name string) bool {
	if d == nil {
		return true
	}
	name = strings.ToLower(name)
	for _, and := range d {
		all := true
		for _, t := range and {
			all = all && strings.Contains(name, t)
		}
		if all {
			return true
		}
	}
	return false
}

// A patternWriter writes random patterns over a small alphabet, and names that
// a pattern is likely to match.
type patternWriter struct{ *rand.Rand }

func (w patternWriter) pick(of ...string) string { return of[w.IntN(len(of))] }

const alphabet = `abkSA-./_"\é1`

func (w patternWriter) literal() string {
	runes := []rune(alphabet)
	var b strings.Builder
	for range 1 + w.IntN(4) {
		b.WriteString(regexp.QuoteMeta(string(runes[w.IntN(len(runes))])))
	}
	return b.String()
}

func (w patternWriter) atom(depth int) string {
	if depth > 0 && w.IntN(3) == 0 {
		return w.pick("(", "(", "(?:", "(?i:", "(?P<n>", "(?-i:") + w.pattern(depth-1) + ")"
	}
	return w.pick(w.literal(), w.literal(), w.literal(), ".", `\d`, "[ab]", "[a-b-]", "[^a]", "[kS]", "[Aa]", "[a-z]", `\w`, "^", "$", `\b`, `\Qa.b\E`, "(?i)", "")
}

func (w patternWriter) pattern(depth int) string {
	var b strings.Builder
	for range 1 + w.IntN(4) {
		atom := w.atom(depth)
		if atom != "" && w.IntN(3) == 0 {
			atom = "(?:" + atom + ")" + w.pick("*", "+", "?", "{2}", "{1,}", "{2,3}", "{0,2}", "{5}", "*?", "+?")
		}
		b.WriteString(atom)
		if w.IntN(5) == 0 {
			b.WriteString("|")
		}
	}
	return b.String()
}

// name writes a text that re is likely to match.
func (w patternWriter) name(re *syntax.Regexp) string {
	switch re.Op {
	case syntax.OpLiteral:
		return w.folded(re)
	case syntax.OpCharClass:
		i := 2 * w.IntN(len(re.Rune)/2)
		return string(re.Rune[i] + rune(w.IntN(int(min(re.Rune[i+1]-re.Rune[i], 60))+1)))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return w.pick("a", "-", "Q", "é", `"`)
	case syntax.OpAlternate:
		return w.name(re.Sub[w.IntN(len(re.Sub))])
	case syntax.OpQuest:
		return w.copies(re.Sub[0], 0, 1)
	case syntax.OpStar:
		return w.copies(re.Sub[0], 0, 3)
	case syntax.OpPlus:
		return w.copies(re.Sub[0], 1, 3)
	case syntax.OpRepeat:
		if re.Max < 0 {
			return w.copies(re.Sub[0], re.Min, re.Min+1)
		}
		return w.copies(re.Sub[0], re.Min, re.Max)
	}
	var b strings.Builder
	for _, sub := range re.Sub {
		b.WriteString(w.name(sub))
	}
	return b.String()
}

func (w patternWriter) copies(re *syntax.Regexp, low, high int) string {
	var b strings.Builder
	for range low + w.IntN(high-low+1) {
		b.WriteString(w.name(re))
	}
	return b.String()
}

func (w patternWriter) folded(re *syntax.Regexp) string {
	var b strings.Builder
	for _, r := range re.Rune {
		if re.Flags&syntax.FoldCase != 0 && w.IntN(2) == 0 {
			r = unicode.SimpleFold(r)
		}
		b.WriteRune(r)
	}
	return b.String()
}

func (w patternWriter) randomName() string {
	runes := []rune(alphabet)
	var b strings.Builder
	for range w.IntN(8) {
		b.WriteRune(runes[w.IntN(len(runes))])
	}
	return b.String()
}

// couldBeName leaves out the two letters that the grammar of names refuses.
func couldBeName(name string) bool { return !strings.ContainsAny(name, "\u017F\u212A") }

// checkSuperset reports whether the name was one that counts.
func checkSuperset(t *testing.T, pattern string, whole *regexp.Regexp, d demand, name string) bool {
	t.Helper()
	if !couldBeName(name) || !whole.MatchString(name) {
		return false
	}
	require.Truef(t, d.holds(name), "pattern %q matches %q, which %q does not hold for", pattern, name, d)
	return true
}

func wholeOf(t *testing.T, re *syntax.Regexp) *regexp.Regexp {
	t.Helper()
	whole, err := regexp.Compile(`\A(?:` + re.String() + `)\z`)
	require.NoError(t, err)
	return whole
}

func TestDemandIsSuperset(t *testing.T) {
	const rounds, namesEach = 4000, 12
	w := patternWriter{rand.New(rand.NewPCG(20, 26))}
	matched, demanding := 0, 0
	for range rounds {
		pattern := w.pattern(2)
		re, err := syntax.Parse(pattern, syntax.Perl)
		require.NoError(t, err, pattern)
		whole, d := wholeOf(t, re), demandOf(re)
		for i := range namesEach {
			name := w.randomName()
			if i%3 > 0 {
				name = w.name(re)
			}
			if checkSuperset(t, pattern, whole, d, name) {
				matched++
				if d != nil {
					demanding++
				}
			}
		}
	}
	t.Logf("%d of %d names matched, %d of them with something demanded", matched, rounds*namesEach, demanding)
	require.Greater(t, matched, 15_000, "the names must match often, or nothing is tested")
	require.Greater(t, demanding, 5_000, "the demands must demand often, or nothing is tested")
}

// Several patterns of a list: what one of them matches the whole demand holds
// for.
func TestDemandOrIsSuperset(t *testing.T) {
	w := patternWriter{rand.New(rand.NewPCG(7, 7))}
	matched := 0
	for range 150 {
		var patterns []*syntax.Regexp
		var all demand
		for i := range 2 + w.IntN(14) {
			re, err := syntax.Parse("abk"+w.literal()+"(?:"+w.pattern(1)+")", syntax.Perl)
			require.NoError(t, err)
			patterns = append(patterns, re)
			if i == 0 {
				all = demandOf(re)
			} else {
				all = all.or(demandOf(re))
			}
		}
		for _, re := range patterns {
			if checkSuperset(t, re.String(), wholeOf(t, re), all, w.name(re)) && all != nil {
				matched++
			}
		}
	}
	require.Greater(t, matched, 500, "the names must match often, or nothing is tested")
}

func FuzzDemandIsSuperset(f *testing.F) {
	for _, pattern := range []string{`duplocloud-.*`, `(?i)k(ub|ar)e+`, `a{2,}b|c[de]f`, `"x\\`, `(a|b|c)(d|e|f)(g|h)`, `^main$|`} {
		f.Add(pattern, "main", uint64(1))
	}
	f.Fuzz(func(t *testing.T, pattern, name string, seed uint64) {
		if len(pattern) > maxPatternBytes {
			return
		}
		re, err := syntax.Parse(pattern, syntax.Perl)
		if err != nil {
			return
		}
		whole, err := regexp.Compile(`\A(?:` + re.String() + `)\z`)
		if err != nil {
			return
		}
		d := demandOf(re)
		require.LessOrEqual(t, len(d), maxAlternatives)
		checkSuperset(t, pattern, whole, d, name)
		if !tooLong(re, 1) {
			w := patternWriter{rand.New(rand.NewPCG(seed, 1))}
			for range 4 {
				checkSuperset(t, pattern, whole, d, w.name(re))
			}
		}
		_ = d.query("slug")
	})
}

// tooLong keeps the fuzzer from writing names of megabytes, and from classes
// with no member.
func tooLong(re *syntax.Regexp, times int) bool {
	if re.Op == syntax.OpRepeat {
		times *= max(re.Min+1, re.Max)
	}
	if times > 5000 || re.Op == syntax.OpNoMatch || re.Op == syntax.OpCharClass && len(re.Rune) == 0 {
		return true
	}
	for _, sub := range re.Sub {
		if tooLong(sub, times) {
			return true
		}
	}
	return false
}
