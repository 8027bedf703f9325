package policy

import (
	"strings"
	"unicode/utf8"
)

// A tokenKind says what a piece of a pattern is to the parser.
type tokenKind int

const (
	tokenLiteral tokenKind = iota // a character, or \. and the like
	tokenQuoted                   // \Q…\E
	tokenEscape                   // \d, \b, \pL, \x41
	tokenDot
	tokenClass  // [a-z]
	tokenOpen   // (, (?:, (?i:, (?P<name>
	tokenFlags  // (?i)
	tokenClose  // )
	tokenBar    // |
	tokenBegin  // ^
	tokenEnd    // $
	tokenRepeat // *, +?, {2,3}
)

// A token is one piece of a pattern, pattern[start:end].
type token struct {
	kind       tokenKind
	start, end int
}

func (t token) text(pattern string) string { return pattern[t.start:t.end] }

// tokens cuts a pattern into the pieces that regexp/syntax reads. For a
// pattern that does not parse this holds up to the piece that breaks it.
func tokens(pattern string) []token {
	var all []token
	for i := 0; i < len(pattern); {
		kind, n := nextToken(pattern[i:])
		all = append(all, token{kind, i, i + n})
		i += n
	}
	return all
}

var oneByteTokens = map[byte]tokenKind{'.': tokenDot, ')': tokenClose, '|': tokenBar, '^': tokenBegin, '$': tokenEnd}

func nextToken(s string) (tokenKind, int) {
	if kind, ok := oneByteTokens[s[0]]; ok {
		return kind, 1
	}
	switch s[0] {
	case '\\':
		return nextEscape(s)
	case '[':
		_, n, _ := scanClass(s)
		return tokenClass, n
	case '(':
		return nextGroup(s)
	case '*', '+', '?':
		return tokenRepeat, lazy(s, 1)
	case '{':
		if n := countLength(s); n > 0 {
			return tokenRepeat, lazy(s, n)
		}
	}
	_, n := utf8.DecodeRuneInString(s)
	return tokenLiteral, n
}

// lazy takes the "?" that makes a repeat lazy.
func lazy(s string, n int) int {
	if strings.HasPrefix(s[n:], "?") {
		return n + 1
	}
	return n
}

// countLength returns the length of a {2}, {2,} or {2,3}, or 0: any other "{"
// stands for itself.
func countLength(s string) int {
	end := strings.IndexByte(s, '}')
	if end < 0 {
		return 0
	}
	low, high, found := strings.Cut(s[1:end], ",")
	if !isCount(low) || found && high != "" && !isCount(high) {
		return 0
	}
	return end + 1
}

func isCount(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == "" && (s == "0" || s[0] != '0')
}

func nextEscape(s string) (tokenKind, int) {
	if strings.HasPrefix(s, `\Q`) {
		if end := strings.Index(s, `\E`); end >= 0 {
			return tokenQuoted, end + 2
		}
		return tokenQuoted, len(s)
	}
	n := escapeLength(s)
	if r, _ := utf8.DecodeRuneInString(s[1:]); n > 1 && !isASCIILetter(r) && !isDigit(s[1]) {
		return tokenLiteral, n
	}
	return tokenEscape, n
}

// escapeLength returns the length of the escape that s begins with, other than
// \Q. It is as many bytes as the parser takes when the escape is good.
func escapeLength(s string) int {
	switch {
	case len(s) == 1:
		return 1
	case s[1] == 'p' || s[1] == 'P' || s[1] == 'x':
		return bracedLength(s)
	case '0' <= s[1] && s[1] <= '7':
		n := 2
		for n < 4 && n < len(s) && '0' <= s[n] && s[n] <= '7' {
			n++
		}
		return n
	}
	_, n := utf8.DecodeRuneInString(s[1:])
	return 1 + n
}

// bracedLength is escapeLength of \p{Greek}, \pL, \x{41} and \x41.
func bracedLength(s string) int {
	if len(s) > 2 && s[2] == '{' {
		if end := strings.IndexByte(s, '}'); end >= 0 {
			return end + 1
		}
		return len(s)
	}
	n := 2
	for digits := 0; n < len(s) && (s[1] == 'x' && digits < 2 || digits < 1); digits++ {
		_, size := utf8.DecodeRuneInString(s[n:])
		n += size
	}
	return n
}

func isGroupEscape(s string) bool {
	return len(s) > 1 && s[0] == '\\' && strings.IndexByte("dDsSwWpP", s[1]) >= 0
}

func nextGroup(s string) (tokenKind, int) {
	if !strings.HasPrefix(s, "(?") {
		return tokenOpen, 1
	}
	if strings.HasPrefix(s, "(?<") || strings.HasPrefix(s, "(?P<") {
		if end := strings.IndexByte(s, '>'); end >= 0 {
			return tokenOpen, end + 1
		}
		return tokenOpen, len(s)
	}
	n := 2
	for n < len(s) && strings.IndexByte("imsU-", s[n]) >= 0 {
		n++
	}
	if n == len(s) {
		return tokenOpen, n
	}
	if s[n] == ')' {
		return tokenFlags, n + 1
	}
	_, size := utf8.DecodeRuneInString(s[n:])
	return tokenOpen, n + size
}

// A member is one character, range or named class inside [ ].
type member struct {
	start, end int
	high       int  // where the end of a range begins, 0 when it is none
	class      bool // \d, [:alpha:]
}

func (m member) shift(by int) member {
	m.start, m.end = m.start+by, m.end+by
	if m.high > 0 {
		m.high += by
	}
	return m
}

// scanClass reads the class that s begins with. A "]" right after "[" or "[^"
// is a member. closed is false when the class does not end; it then has the
// rest of s.
func scanClass(s string) (members []member, length int, closed bool) {
	i := 1
	if strings.HasPrefix(s[i:], "^") {
		i++
	}
	for first := true; i < len(s); first = false {
		if s[i] == ']' && !first {
			return members, i + 1, true
		}
		m := nextMember(s[i:]).shift(i)
		members = append(members, m)
		i = m.end
	}
	return members, len(s), false
}

func nextMember(s string) member {
	if strings.HasPrefix(s, "[:") {
		// The ":]" is looked for behind the "[:", so that "[[:]" is a class of
		// two characters, as it is to the parser.
		if end := strings.Index(s[2:], ":]"); end >= 0 {
			return member{end: 2 + end + 2, class: true}
		}
	}
	if isGroupEscape(s) {
		return member{end: escapeLength(s), class: true}
	}
	n := memberCharLength(s)
	if len(s) > n+1 && s[n] == '-' && s[n+1] != ']' {
		return member{high: n + 1, end: n + 1 + memberCharLength(s[n+1:])}
	}
	return member{end: n}
}

func memberCharLength(s string) int {
	if s[0] == '\\' {
		return escapeLength(s)
	}
	_, n := utf8.DecodeRuneInString(s)
	return n
}
