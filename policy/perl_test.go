package policy

import (
	"errors"
	"fmt"
	"regexp/syntax"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func explained(t *testing.T, pattern string) (int, string) {
	t.Helper()
	_, err := syntax.Parse(pattern, syntax.Perl)
	require.Error(t, err, pattern)
	return explainSyntax(pattern, err)
}

const (
	wordsLookahead    = "negative lookahead (?!…) is not supported; put what must not match into the exclude list of the scope"
	wordsOpen         = `this '(' is never closed; write ')' where the group ends, or \( for the character itself`
	wordsClose        = `this ')' closes nothing; write \) for the character itself`
	wordsBracket      = `this '[' is never closed; write ']' where the class ends, or \[ for the character itself`
	wordsBackslash    = `a backslash at the end escapes nothing; leave it out, or write \\ for the character itself`
	wordsUnknownGroup = `this is no kind of group that is known; write (…) or (?:…) for a group, or \( for the character itself`
)

func TestExplainSyntax(t *testing.T) {
	tests := []struct {
		pattern string
		offset  int
		words   string
	}{
		// Groups.
		{`^(?!main)`, 1, wordsLookahead},
		{`(?=api)x`, 0, "lookahead (?=…) is not supported; write out what the whole name looks like, such as api-.*"},
		{`x(?<!api)`, 1, "negative lookbehind (?<!…) is not supported; put what must not match into the exclude list of the scope"},
		{`x(?<!api)(?P<n>y)`, 1, "negative lookbehind (?<!…) is not supported; put what must not match into the exclude list of the scope"},
		{`(?<=api)x`, 0, "lookbehind (?<=…) is not supported; write out what the whole name looks like, such as .*-api"},
		{`a(?>b)`, 1, "an atomic group (?>…) is not supported and not needed, as matching never backtracks; write (?:…)"},
		{`a(?#note)`, 1, "a comment (?#…) is not supported; leave it out"},
		{`(?x)a b`, 0, "the flag (?x) is not supported; write the pattern without blanks and comments"},
		{`a(?ix:b)`, 1, "the flag (?x) is not supported; write the pattern without blanks and comments"},
		{`(?a)b`, 0, "the flag 'a' is not known; only (?i) has a use, to ignore case"},
		{`(a)(?(1)b|c)`, 3, "a condition (?(…)…) is not supported; write one pattern for each case"},
		{`a(?R)`, 1, "recursion such as (?R) is not supported; write out what the name looks like"},
		{`a(?1)`, 1, "recursion such as (?R) is not supported; write out what the name looks like"},
		{`a(?-1)`, 1, "recursion such as (?R) is not supported; write out what the name looks like"},
		{`a(?&n)`, 1, "recursion such as (?R) is not supported; write out what the name looks like"},
		{`a(?P>n)`, 1, "recursion such as (?R) is not supported; write out what the name looks like"},
		{`(?P<n>a)(?P=n)`, 8, "a backreference (?P=…) is not supported; write the repeated text out"},
		{`(?'n'x)`, 0, "a group named with quotes (?'name'…) is not supported; write (?P<name>…), or (…) without a name"},
		{`(?|a|b)`, 0, "a branch reset (?|…) is not supported; write (?:…)"},
		{`(?P<my-name>x)`, 0, "a group name has letters, digits and '_' only and ends with '>'; write (?P<name>…), or (…) without a name"},
		{`a(?<name`, 1, "a group name has letters, digits and '_' only and ends with '>'; write (?P<name>…), or (…) without a name"},
		{`a(?P)`, 1, "a group name has letters, digits and '_' only and ends with '>'; write (?P<name>…), or (…) without a name"},
		{`a(?`, 1, wordsUnknownGroup},
		{`a(?i`, 1, wordsUnknownGroup},
		{`a(?é)`, 1, wordsUnknownGroup},

		// Escapes.
		{`(a)\1`, 3, `a backreference \1 is not supported; write the repeated text out`},
		{`\12\1`, 3, `a backreference \1 is not supported; write the repeated text out`},
		{`(?P<n>a)\k<n>`, 8, `a backreference \k is not supported; write the repeated text out`},
		{`(a)\g{1}`, 3, `a backreference \g is not supported; write the repeated text out`},
		{`main\Z`, 4, `\Z is not supported; write \z or nothing, as the whole name is matched`},
		{`a\h`, 1, `\h is not supported; leave it out, as no name has a blank`},
		{`a\H`, 1, `\H is not supported; write \S or .`},
		{`a\R`, 1, `\R is not supported; leave it out, as no name has a line break`},
		{`a\X`, 1, `\X is not supported; write .`},
		{`a\C`, 1, `\C is not supported; write .`},
		{`a\N`, 1, `\N is not supported; write .`},
		{`\Gmain`, 0, `\G is not supported; leave it out, as the whole name is matched`},
		{`a\Kb`, 1, `\K is not supported; leave it out, as the whole name is matched`},
		{`a\e`, 1, `\e is not supported; leave it out, as no name has a control character`},
		{`a\cA`, 1, `\c is not supported; leave it out, as no name has a control character`},
		{`a\uFFFF`, 1, `\u is not supported; write the character itself, or \x{…} with its number, such as \x{E9}`},
		{`a\xg`, 1, `\x takes two hexadecimal digits or braces; write \x41 or \x{E9}`},
		{`\x41\x{zz}`, 4, `\x takes two hexadecimal digits or braces; write \x41 or \x{E9}`},
		{`\x41\x4`, 4, `\x takes two hexadecimal digits or braces; write \x41 or \x{E9}`},
		{`\Qa\E\E`, 5, `\E ends a \Q, and there is none before it; leave it out`},
		{`a\Ubc`, 1, `\U changes no case here; write (?i) to ignore case`},
		{`a\y`, 1, `\y is not an escape that is known; write y for the letter itself, or \\ for a backslash`},
		{`a\é`, 1, `\é needs no backslash; write é`},
		{`a\p{Klingon}`, 1, `\p{Klingon} is not a Unicode class that is known; write one such as \p{L} or \p{Greek}`},
		{`\pL\p`, 3, `\p is not a Unicode class that is known; write one such as \p{L} or \p{Greek}`},
		{`api\`, 3, wordsBackslash},
		{`[a\`, 2, wordsBackslash},

		// Classes.
		{`a[b-\d]`, 4, `a range cannot end with \d, which is many characters; write '-' last in the class for the character itself`},
		{`a[z-a]`, 2, `the range z-a runs backwards; write a-z`},
		{`a[]z-a]`, 3, `the range z-a runs backwards; write a-z`},
		{`[a-z][ez-a]`, 7, `the range z-a runs backwards; write a-z`},
		{`[x[:word:][:vowel:]]`, 10, `[:vowel:] is not a class that is known; known are [:alpha:], [:digit:], [:alnum:], [:lower:], [:upper:] and some more`},
		{`\b[x\b]`, 4, `\b has no meaning inside [ ]; leave it out, or write \\ for a backslash`},
		{`\Qx\E[\Qa]`, 6, `\Q has no meaning inside [ ]; leave it out, or write \\ for a backslash`},
		{`[a\h]`, 2, `\h is not supported; leave it out, as no name has a blank`},
		{`[\h-z]`, 1, `\h is not supported; leave it out, as no name has a blank`},
		{`[a-\h]`, 3, `\h is not supported; leave it out, as no name has a blank`},
		{`[\p{Nope}]`, 1, `\p{Nope} is not a Unicode class that is known; write one such as \p{L} or \p{Greek}`},
		{`a[bc`, 1, wordsBracket},
		{`[a][]`, 3, wordsBracket},
		{`[a][^]`, 3, wordsBracket},
		{`[[:][a`, 4, wordsBracket},

		// Repeats.
		{`*`, 0, `'*' repeats what stands before it, and nothing does; a pattern is no glob, write .*`},
		{`*-service`, 0, `'*' repeats what stands before it, and nothing does; a pattern is no glob, write .*-service`},
		{`**/my.repo-?`, 0, `'*' repeats what stands before it, and nothing does; a pattern is no glob, write .*/my\.repo-.`},
		{`+x`, 0, `'+' repeats what stands before it, and nothing does; write \+ for the character itself, or .* for any text`},
		{`a|*b$`, 2, `'*' repeats what stands before it, and nothing does; write \* for the character itself, or .* for any text`},
		{`a(*)`, 2, `'*' repeats what stands before it, and nothing does; write \* for the character itself, or .* for any text`},
		{`a*b(?:{2})`, 6, `'{2}' repeats what stands before it, and nothing does; write \{2} for the character itself, or .* for any text`},
		{`a++`, 2, `a possessive repeat '++' is not supported and not needed, as matching never backtracks; write +`},
		{`x*a*+`, 4, `a possessive repeat '*+' is not supported and not needed, as matching never backtracks; write *`},
		{`a?+`, 2, `a possessive repeat '?+' is not supported and not needed, as matching never backtracks; write ?`},
		{`a{2}+`, 4, `a possessive repeat '{2}+' is not supported and not needed, as matching never backtracks; write {2}`},
		{`feature/**`, 9, `'**' repeats a repeat; for any text, with '/' in it or not, write .*`},
		{`a+*`, 2, `'+*' repeats a repeat; leave out one of the two`},
		{`a*??`, 3, `'*??' repeats a repeat; leave out one of the two`},
		{`a{1001}`, 1, `a repeat count may be 1000 at most, and {1001} is more; write a smaller one, or * or + for any number`},
		{`a{2}b{1,99999999999}?`, 5, `a repeat count may be 1000 at most, and {1,99999999999}? is more; write a smaller one, or * or + for any number`},
		{`a{3,2}`, 1, `the counts in {3,2} run backwards; write {2,3}`},
		{`((a{100}){100})`, 9, `a repeat inside a repeat may come to 1000 copies at most, and {100} makes it more; make the counts smaller`},

		// Parentheses.
		{`main)|(?:.*`, 4, wordsClose},
		{`(a))`, 3, wordsClose},
		{`\(a)`, 3, wordsClose},
		{`[(]a)`, 4, wordsClose},
		{`(a(b)`, 0, wordsOpen},
		{`a(b|(c`, 4, wordsOpen},
		{`[)]\((a`, 5, wordsOpen},

		// What looks like the mistake and is none.
		{`[(?!](?!x)`, 5, wordsLookahead},
		{`\(?!(?!x)`, 4, wordsLookahead},
		{`\Q(?!\E(?!x)`, 7, wordsLookahead},
		{`[]\](?!](?!x)`, 8, wordsLookahead},
		{`[[:](?!x)`, 4, wordsLookahead},
		{`[[:alpha:](?!](?!x)`, 14, wordsLookahead},
		{`é(?!x)`, 2, wordsLookahead},
		{`\\\Z`, 2, `\Z is not supported; write \z or nothing, as the whole name is matched`},
		{`a{,2}*{01}\Z`, 10, `\Z is not supported; write \z or nothing, as the whole name is matched`},
		{`\p{Greek}\Q\Z\E(?i)[\x{41}-\x5a]\101x{2}?\Z`, 41, `\Z is not supported; write \z or nothing, as the whole name is matched`},

		// The rest.
		{"a\xffb", 1, "it is not valid UTF-8"},
		{`�` + "\xff", 3, "it is not valid UTF-8"},
		{strings.Repeat("(", 1001) + strings.Repeat(")", 1001), -1, "its groups are nested too deeply; split it into several patterns"},
		{`(` + strings.Repeat(`((\x{2}){2}){2}`, 4000) + `){500}`, -1, "it is too large; make the repeat counts smaller or split it into several patterns"},
	}
	for _, tt := range tests {
		t.Run(tt.pattern[:min(len(tt.pattern), 40)], func(t *testing.T) {
			offset, words := explained(t, tt.pattern)
			assert.Equal(t, tt.words, words)
			assert.Equal(t, tt.offset, offset)
		})
	}
}

func TestExplainSyntaxOfOtherErrors(t *testing.T) {
	offset, words := explainSyntax("x", errors.New("something else"))
	assert.Equal(t, -1, offset)
	assert.Equal(t, "it is not a regular expression that can be read", words)

	_, words = explainSyntax("x*(?!y)", fmt.Errorf("wrapped: %w", &syntax.Error{Code: "a new code"}))
	assert.Equal(t, "it cannot be read here: a new code", words)
}

// The tokens are what the parser reads: put together they are the pattern, and
// each good prefix ends with one.
func FuzzExplainSyntax(f *testing.F) {
	for _, pattern := range []string{`(?!x)`, `[[:](?m)x`, `\Qa\E*{2}?`, `[a-\d]`, `\x{41}\p{Greek}\101`, `(?P<n>a)\k`, `((a`, `a]b)`} {
		f.Add(pattern)
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		if len(pattern) > maxPatternBytes {
			return
		}
		end := 0
		for _, tok := range tokens(pattern) {
			require.Equal(t, end, tok.start)
			require.Greater(t, tok.end, tok.start)
			end = tok.end
		}
		require.Equal(t, len(pattern), end)
		_, err := syntax.Parse(pattern, syntax.Perl)
		if err == nil {
			for _, tok := range tokens(pattern) {
				require.Truef(t, readable(pattern[:tok.end]), "%q breaks at %q", pattern, pattern[:tok.end])
			}
			return
		}
		offset, words := explainSyntax(pattern, err)
		require.NotEmpty(t, words)
		require.GreaterOrEqual(t, offset, -1)
		require.Less(t, offset, max(1, len(pattern)))
		if offset >= 0 && !strings.Contains(words, "never closed") && !strings.Contains(words, "UTF-8") && !strings.Contains(words, "[ ]") {
			require.Truef(t, readable(pattern[:offset]) || insideClass(pattern, offset), "%q breaks before %d", pattern, offset)
		}
	})
}

func insideClass(pattern string, offset int) bool {
	for _, tok := range tokens(pattern) {
		if tok.kind == tokenClass && tok.start < offset && offset < tok.end {
			return true
		}
	}
	return false
}
