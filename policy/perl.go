package policy

import (
	"errors"
	"fmt"
	"regexp/syntax"
	"sort"
	"strings"
	"unicode/utf8"
)

// The position of a mistake is found by cutting the pattern into the pieces
// that the parser reads one by one (tokens), and asking the parser itself how
// far it gets: the parser goes from left to right, so the piece that breaks it
// is the first whose prefix of the pattern does not parse. Searching for the
// offending text instead would point at the "(?!" in "[(?!](?!x)".

// explainSyntax turns a pattern that does not parse into the byte offset of
// the mistake, -1 when it is not in one place, and a clause that says what is
// wrong and what to write instead. err is what syntax.Parse returned.
func explainSyntax(pattern string, err error) (offset int, words string) {
	var broken *syntax.Error
	if !errors.As(err, &broken) {
		return -1, "it is not a regular expression that can be read"
	}
	switch broken.Code {
	case syntax.ErrInvalidUTF8:
		return invalidUTF8(pattern), "it is not valid UTF-8"
	case syntax.ErrLarge:
		return -1, "it is too large; make the repeat counts smaller or split it into several patterns"
	case syntax.ErrNestingDepth:
		return -1, "its groups are nested too deeply; split it into several patterns"
	}
	at, found := breaking(pattern)
	if !found {
		return unclosedGroup(pattern), `this '(' is never closed; write ')' where the group ends, or \( for the character itself`
	}
	return explainToken(pattern, at, broken.Code)
}

// explainToken says what is wrong with the token that the parser stopped at.
func explainToken(pattern string, at token, code syntax.ErrorCode) (offset int, words string) {
	rest := pattern[at.start:]
	switch code {
	case syntax.ErrInvalidPerlOp, syntax.ErrInvalidNamedCapture:
		return at.start, groupWords(rest)
	case syntax.ErrInvalidEscape, syntax.ErrTrailingBackslash, syntax.ErrInvalidCharRange, syntax.ErrInvalidCharClass:
		return explainCharacter(pattern, at)
	case syntax.ErrMissingRepeatArgument:
		return at.start, danglingRepeatWords(pattern, at)
	case syntax.ErrInvalidRepeatOp:
		return at.start, stackedRepeatWords(pattern, at)
	case syntax.ErrInvalidRepeatSize:
		return at.start, repeatSizeWords(at.text(pattern))
	case syntax.ErrMissingBracket:
		return at.start, `this '[' is never closed; write ']' where the class ends, or \[ for the character itself`
	case syntax.ErrUnexpectedParen:
		return at.start, `this ')' closes nothing; write \) for the character itself`
	case syntax.ErrMissingParen:
		return at.start, `this '(' is never closed; write ')' where the group ends, or \( for the character itself`
	}
	return at.start, "it cannot be read here: " + code.String()
}

// breaking returns the first token that the parser cannot read. A group that
// is still open does not count: in every prefix of a good pattern one may be.
func breaking(pattern string) (token, bool) {
	all := tokens(pattern)
	i := sort.Search(len(all), func(i int) bool { return !readable(pattern[:all[i].end]) })
	if i == len(all) {
		return token{}, false
	}
	return all[i], true
}

func readable(prefix string) bool {
	_, err := syntax.Parse(prefix, syntax.Perl)
	var broken *syntax.Error
	return err == nil || errors.As(err, &broken) && broken.Code == syntax.ErrMissingParen
}

// unclosedGroup returns the offset of the innermost group that is never
// closed, or -1.
func unclosedGroup(pattern string) int {
	var open []int
	for _, t := range tokens(pattern) {
		switch t.kind {
		case tokenOpen:
			open = append(open, t.start)
		case tokenClose:
			open = open[:max(0, len(open)-1)]
		}
	}
	if len(open) == 0 {
		return -1
	}
	return open[len(open)-1]
}

func invalidUTF8(pattern string) int {
	for i, r := range pattern {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(pattern[i:]); size == 1 {
				return i
			}
		}
	}
	return -1
}

// groupWords explains a group that begins with "(?" and that RE2 does not
// have.
func groupWords(rest string) string {
	for _, g := range perlGroups {
		if strings.HasPrefix(rest, g.prefix) {
			return g.words
		}
	}
	return unknownGroupWords(rest)
}

const (
	recursionWords = "recursion such as (?R) is not supported; write out what the name looks like"
	namedWords     = "a group name has letters, digits and '_' only and ends with '>'; write (?P<name>…), or (…) without a name"
)

// perlGroups lists longer prefixes before those that they begin with.
var perlGroups = []struct{ prefix, words string }{
	{"(?!", "negative lookahead (?!…) is not supported; put what must not match into the exclude list of the scope"},
	{"(?=", "lookahead (?=…) is not supported; write out what the whole name looks like, such as api-.*"},
	{"(?<!", "negative lookbehind (?<!…) is not supported; put what must not match into the exclude list of the scope"},
	{"(?<=", "lookbehind (?<=…) is not supported; write out what the whole name looks like, such as .*-api"},
	{"(?>", "an atomic group (?>…) is not supported and not needed, as matching never backtracks; write (?:…)"},
	{"(?#", "a comment (?#…) is not supported; leave it out"},
	{"(?(", "a condition (?(…)…) is not supported; write one pattern for each case"},
	{"(?|", "a branch reset (?|…) is not supported; write (?:…)"},
	{"(?R", recursionWords},
	{"(?&", recursionWords},
	{"(?P>", recursionWords},
	{"(?P=", "a backreference (?P=…) is not supported; write the repeated text out"},
	{"(?'", "a group named with quotes (?'name'…) is not supported; write (?P<name>…), or (…) without a name"},
	{"(?P", namedWords},
	{"(?<", namedWords},
}

func unknownGroupWords(rest string) string {
	flags := strings.TrimPrefix(rest, "(?")
	r, _ := utf8.DecodeRuneInString(strings.TrimLeft(flags, "imsU-"))
	sign := strings.HasPrefix(flags, "-") || strings.HasPrefix(flags, "+")
	digits := strings.TrimLeft(flags, "+-")
	switch {
	case digits != "" && isDigit(digits[0]):
		return recursionWords
	case r == 'x':
		return "the flag (?x) is not supported; write the pattern without blanks and comments"
	case isASCIILetter(r) && !sign:
		return fmt.Sprintf("the flag %s is not known; only (?i) has a use, to ignore case", quote(string(r)))
	}
	return `this is no kind of group that is known; write (…) or (?:…) for a group, or \( for the character itself`
}

// explainCharacter explains an escape or a class that the parser stopped at.
func explainCharacter(pattern string, at token) (offset int, words string) {
	if at.kind != tokenClass {
		return at.start, escapeWords(at.text(pattern), false)
	}
	m, found := brokenMember(pattern, at)
	if !found {
		return at.start, "this class cannot be read"
	}
	text := pattern[m.start:m.end]
	if strings.HasPrefix(text, "[:") {
		return m.start, fmt.Sprintf("%s is not a class that is known; known are [:alpha:], [:digit:], [:alnum:], [:lower:], [:upper:] and some more", text)
	}
	if m.high == 0 {
		return m.start, escapeWords(text, true)
	}
	low, high := pattern[m.start:m.high-1], pattern[m.high:m.end]
	switch {
	case !memberReadable(low):
		return m.start, escapeWords(low, true)
	case isGroupEscape(high):
		return m.high, fmt.Sprintf("a range cannot end with %s, which is many characters; write '-' last in the class for the character itself", high)
	case !memberReadable(high):
		return m.high, escapeWords(high, true)
	}
	return m.start, fmt.Sprintf("the range %s runs backwards; write %s-%s", text, high, low)
}

func memberReadable(text string) bool {
	_, err := syntax.Parse("["+text+"]", syntax.Perl)
	return err == nil
}

// brokenMember returns the first member of a class that cannot be read.
func brokenMember(pattern string, at token) (member, bool) {
	members, _, _ := scanClass(pattern[at.start:])
	for _, m := range members {
		m = m.shift(at.start)
		if _, err := syntax.Parse(pattern[at.start:m.end]+"]", syntax.Perl); err != nil {
			return m, true
		}
	}
	return member{}, false
}

// escapeWords explains an escape, with its backslash, that RE2 does not have.
func escapeWords(text string, inClass bool) string {
	if text == `\` {
		return `a backslash at the end escapes nothing; leave it out, or write \\ for the character itself`
	}
	r, _ := utf8.DecodeRuneInString(text[1:])
	if words := perlEscapes[r]; words != "" && !inClass {
		return words
	}
	switch {
	case inClass && strings.ContainsRune("AbBQz", r):
		return fmt.Sprintf(`%s has no meaning inside [ ]; leave it out, or write \\ for a backslash`, text)
	case r == 'p' || r == 'P':
		return fmt.Sprintf(`%s is not a Unicode class that is known; write one such as \p{L} or \p{Greek}`, text)
	case '1' <= r && r <= '9':
		return fmt.Sprintf("a backreference %s is not supported; write the repeated text out", text)
	case perlEscapes[r] != "":
		return perlEscapes[r]
	case isASCIILetter(r):
		return fmt.Sprintf(`%s is not an escape that is known; write %c for the letter itself, or \\ for a backslash`, text, r)
	}
	return fmt.Sprintf("%s needs no backslash; write %s", text, string(r))
}

var perlEscapes = map[rune]string{
	'k': `a backreference \k is not supported; write the repeated text out`,
	'g': `a backreference \g is not supported; write the repeated text out`,
	'Z': `\Z is not supported; write \z or nothing, as the whole name is matched`,
	'h': `\h is not supported; leave it out, as no name has a blank`,
	'H': `\H is not supported; write \S or .`,
	'R': `\R is not supported; leave it out, as no name has a line break`,
	'N': `\N is not supported; write .`,
	'V': `\V is not supported; write .`,
	'X': `\X is not supported; write .`,
	'C': `\C is not supported; write .`,
	'G': `\G is not supported; leave it out, as the whole name is matched`,
	'K': `\K is not supported; leave it out, as the whole name is matched`,
	'e': `\e is not supported; leave it out, as no name has a control character`,
	'c': `\c is not supported; leave it out, as no name has a control character`,
	'u': `\u is not supported; write the character itself, or \x{…} with its number, such as \x{E9}`,
	'o': `\o is not supported; write the character itself, or \x{…} with its number, such as \x{E9}`,
	'x': `\x takes two hexadecimal digits or braces; write \x41 or \x{E9}`,
	'E': `\E ends a \Q, and there is none before it; leave it out`,
	'L': `\L changes no case here; write (?i) to ignore case`,
	'U': `\U changes no case here; write (?i) to ignore case`,
	'l': `\l changes no case here; write (?i) to ignore case`,
}

// danglingRepeatWords explains a repeat with nothing before it, most often a
// glob that was typed as a regular expression.
func danglingRepeatWords(pattern string, at token) string {
	text := at.text(pattern)
	if fixed, ok := fromGlob(pattern); ok {
		return fmt.Sprintf("%s repeats what stands before it, and nothing does; a pattern is no glob, write %s", quote(text), fixed)
	}
	return fmt.Sprintf(`%s repeats what stands before it, and nothing does; write \%s for the character itself, or .* for any text`, quote(text), text)
}

// fromGlob translates a pattern that is a plain glob. "?" is taken for one
// only with a "*" beside it or at the start.
func fromGlob(pattern string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '*' && i > 0 && pattern[i-1] == '*':
			// "**" is a glob for any folders, and .* matches those too.
		case c == '*':
			b.WriteString(".*")
		case c == '?':
			b.WriteString(".")
		case c == '.':
			b.WriteString(`\.`)
		case isDigit(c) || isASCIILetter(rune(c)) || strings.IndexByte("-_/", c) >= 0:
			b.WriteByte(c)
		default:
			return "", false
		}
	}
	return b.String(), true
}

func stackedRepeatWords(pattern string, at token) string {
	first, second := "", at.text(pattern)
	for _, t := range tokens(pattern) {
		if t.end == at.start {
			first = t.text(pattern)
		}
	}
	switch {
	case second == "+" && strings.HasSuffix(first, "+"), second == "+" && first == "*", second == "+" && first == "?",
		second == "+" && strings.HasSuffix(first, "}"):
		return fmt.Sprintf("a possessive repeat %s is not supported and not needed, as matching never backtracks; write %s", quote(first+second), first)
	case first == "*" && second == "*":
		return "'**' repeats a repeat; for any text, with '/' in it or not, write .*"
	}
	return fmt.Sprintf("%s repeats a repeat; leave out one of the two", quote(first+second))
}

func repeatSizeWords(text string) string {
	low, high, found := strings.Cut(strings.Trim(text, "{}?"), ",")
	small := len(low) <= 4 && len(high) <= 4
	switch {
	case small && found && high != "" && atoi(high) < atoi(low):
		return fmt.Sprintf("the counts in %s run backwards; write {%s,%s}", text, high, low)
	case small && atoi(low) <= maxRepeat && atoi(high) <= maxRepeat:
		return fmt.Sprintf("a repeat inside a repeat may come to %d copies at most, and %s makes it more; make the counts smaller", maxRepeat, text)
	}
	return fmt.Sprintf("a repeat count may be %d at most, and %s is more; write a smaller one, or * or + for any number", maxRepeat, text)
}

const maxRepeat = 1000 // what regexp/syntax takes

// atoi reads at most four digits, which is all that it is asked.
func atoi(digits string) (n int) {
	for i := 0; i < len(digits); i++ {
		n = 10*n + int(digits[i]-'0')
	}
	return n
}

func quote(s string) string { return "'" + s + "'" }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isASCIILetter(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }
