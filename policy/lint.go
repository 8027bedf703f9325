package policy

import (
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
)

// A Kind says which names a pattern is matched against.
type Kind int

const (
	// RepositoryPattern is a pattern on the slug of a repository, which is in
	// lower case and has no workspace before it.
	RepositoryPattern Kind = iota
	// BranchPattern is a pattern on the full name of a branch, without
	// refs/heads/ and the name of a remote.
	BranchPattern
)

func (k Kind) noun() string {
	if k == BranchPattern {
		return "branch"
	}
	return "repository"
}

// reason returns why text is no name of this kind, or "".
func (k Kind) reason(text string) string {
	if k == BranchPattern {
		return branchReason(text)
	}
	return slugReason(text)
}

// allows reports whether a name of this kind may hold the character.
func (k Kind) allows(r rune) bool {
	if k == BranchPattern {
		return unsafeRune(r) == "" && branchRuneReason(r) == ""
	}
	return r < 0x80 && isSlugByte(byte(r))
}

// Lint explains what a pattern really matches where that may surprise its
// author: one sentence for each doubt, with what to write instead. It returns
// nil for a pattern that it has no doubts about, and for one that does not
// compile. It only warns; no pattern is allowed or refused by it.
func Lint(kind Kind, pattern string) []string {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil
	}
	switch trimmed := strings.TrimFunc(pattern, unicode.IsSpace); {
	case trimmed == pattern:
	case trimmed == "":
		return []string{fmt.Sprintf("holds only spaces, and no %s name has one", kind.noun())}
	default:
		return append(lintSpace(kind, pattern, trimmed), Lint(kind, trimmed)...)
	}
	l := &linter{kind: kind, text: pattern, tokens: tokens(pattern), parsed: parsed}
	for _, rule := range l.rules() {
		rule()
	}
	return l.words
}

func lintSpace(kind Kind, pattern, trimmed string) []string {
	where := "begins and ends"
	switch {
	case strings.HasPrefix(pattern, trimmed):
		where = "ends"
	case strings.HasSuffix(pattern, trimmed):
		where = "begins"
	}
	if !parses(trimmed) {
		return []string{fmt.Sprintf("%s with a space, and no %s name has one", where, kind.noun())}
	}
	return []string{fmt.Sprintf("%s with a space, and no %s name has one; write %s", where, kind.noun(), trimmed)}
}

// parses guards suggestions: what an admin is told to write must compile.
func parses(pattern string) bool {
	_, err := syntax.Parse(pattern, syntax.Perl)
	return err == nil
}

// A linter holds one pattern while the rules look at it.
type linter struct {
	kind    Kind
	text    string
	tokens  []token
	parsed  *syntax.Regexp
	words   []string
	uneven  bool // anchors on some sides of "|" only
	settled bool // a warning has said why the pattern matches no name
}

// rules lists what is looked for, what explains the most first: later rules
// are silent about what an earlier one has explained.
func (l *linter) rules() []func() {
	return []func(){
		l.delimiters, l.remoteName, l.intersection, l.braces, l.caseRange, l.workspace, l.upperCase,
		l.glob, l.unevenAnchors, l.prefix, l.dot, l.emptyName, l.everything, l.nothing, l.foldCase,
	}
}

func (l *linter) warn(format string, args ...any) {
	l.words = append(l.words, fmt.Sprintf(format, args...))
}

// settle warns about a mistake because of which no name matches.
func (l *linter) settle(format string, args ...any) {
	l.settled = true
	l.warn(format, args...)
}

// delimiters finds /main/ and /main/i, as regular expressions are written in
// some languages.
func (l *linter) delimiters() {
	flags, all := "", l.tokens
	if n := len(all); n > 3 && all[n-1].text(l.text) == "i" {
		flags, all = "(?i)", all[:n-1]
	}
	if len(all) < 3 || all[0].text(l.text) != "/" || all[len(all)-1].text(l.text) != "/" {
		return
	}
	if body := l.text[1:all[len(all)-1].start]; parses(body) {
		l.settle("the slashes around it are part of the pattern, not delimiters; write %s", flags+body)
	}
}

// remoteName finds refs/heads/ and origin/ before the name of a branch.
func (l *linter) remoteName() {
	if l.kind != BranchPattern || l.settled {
		return
	}
	if fixed, found := l.without("refs/heads/", `refs\/heads\/`); found {
		l.settle("a branch name has no refs/heads/ before it; write %s", fixed)
	} else if fixed, found := l.without("origin/", `origin\/`); found {
		l.settle("origin/ names a remote and is no part of a branch name; write %s", fixed)
	}
}

// without returns the pattern with the prefixes cut off from each side.
func (l *linter) without(prefixes ...string) (fixed string, found bool) {
	var texts []string
	for _, s := range l.sides() {
		for _, prefix := range prefixes {
			if rest, cut := strings.CutPrefix(s.body, prefix); cut {
				s.body, found = rest, true
				if rest == "" || !parses(rest) {
					s.body = ".*"
				}
			}
		}
		texts = append(texts, s.text())
	}
	return strings.Join(texts, "|"), found
}

// splitHead cuts off what matches no character: "^" and flags. It leaves the
// "^" of "^*", which the "*" repeats.
func splitHead(text string) (head, rest string) {
	end, all := 0, tokens(text)
	for i, t := range all {
		if t.kind != tokenBegin && t.kind != tokenFlags && t.text(text) != `\A` ||
			i+1 < len(all) && all[i+1].kind == tokenRepeat {
			break
		}
		end = t.end
	}
	return text[:end], text[end:]
}

func (l *linter) intersection() {
	for _, t := range l.tokens {
		if t.kind == tokenClass && strings.Contains(t.text(l.text), "&&") {
			l.settle("'&&' inside [ ] is no intersection, and the class ends at its first ']'; list the characters that are meant, or use the exclude list")
			return
		}
	}
}

// braces finds the glob {api,web}.
func (l *linter) braces() {
	for i, t := range l.tokens {
		if t.text(l.text) != "{" {
			continue
		}
		for _, end := range l.tokens[i:] {
			if end.text(l.text) != "}" {
				continue
			}
			if inner := l.text[t.end:end.start]; strings.Contains(inner, ",") {
				fixed := l.text[:t.start] + "(" + strings.ReplaceAll(inner, ",", "|") + ")" + l.text[end.end:]
				if parses(fixed) {
					l.settle("the braces are characters of the name, not a choice; write %s", fixed)
				}
			}
			return
		}
	}
}

// caseRange finds [A-z], which has six signs between "Z" and "a".
func (l *linter) caseRange() {
	for _, t := range l.tokens {
		if t.kind != tokenClass {
			continue
		}
		class := t.text(l.text)
		members, _, _ := scanClass(class)
		for _, m := range members {
			if m.high > 0 && isUpper(rune(class[m.start])) && isLower(rune(class[m.high])) {
				l.warn("the range %s also holds [ \\ ] ^ _ and `; write %s", class[m.start:m.end], l.letters(class[m.start], class[m.high]))
				return
			}
		}
	}
}

func (l *linter) letters(low, high byte) string {
	if l.kind == RepositoryPattern {
		return fmt.Sprintf("a-%c", high)
	}
	return fmt.Sprintf("%c-Za-%c", low, high)
}

// workspace finds a pattern on workspace/slug.
func (l *linter) workspace() {
	if l.kind != RepositoryPattern || l.settled || !l.literal('/') {
		return
	}
	const words = "a repository pattern matches the slug, not workspace/slug; leave out the '/' and what stands before it"
	if slug, ok := l.afterSlash(); ok {
		l.settle(words+": write %s", slug)
	} else {
		l.settle(words)
	}
}

// afterSlash returns what is left of the pattern without the workspace, when
// that is clear.
func (l *linter) afterSlash() (string, bool) {
	slash, slashes := token{}, 0
	for _, t := range l.tokens {
		switch {
		case t.kind == tokenBar, t.kind == tokenQuoted:
			return "", false
		case t.text(l.text) == "/" || t.text(l.text) == `\/`:
			slash = t
			slashes++
		}
	}
	slug := l.text[slash.end:]
	if slashes != 1 || slug == "" || slug == "$" || !parses(slug) {
		return "", false
	}
	head, _ := splitHead(l.text)
	return head + slug, true
}

// literal reports whether the pattern spells the character out somewhere.
func (l *linter) literal(r rune) bool {
	return anyNode(l.parsed, func(re *syntax.Regexp) bool {
		return re.Op == syntax.OpLiteral && slices.Contains(re.Rune, r)
	})
}

func anyNode(re *syntax.Regexp, is func(*syntax.Regexp) bool) bool {
	return is(re) || slices.ContainsFunc(re.Sub, func(sub *syntax.Regexp) bool { return anyNode(sub, is) })
}

// upperCase finds letters that no slug has. [A-Za-z] is harmless.
func (l *linter) upperCase() {
	if l.kind != RepositoryPattern || l.settled {
		return
	}
	letter := rune(0)
	anyNode(l.parsed, func(re *syntax.Regexp) bool {
		switch {
		case re.Op == syntax.OpLiteral && re.Flags&syntax.FoldCase == 0:
			if i := slices.IndexFunc(re.Rune, isUpper); i >= 0 {
				letter = re.Rune[i]
			}
		case re.Op == syntax.OpCharClass && len(re.Rune) > 0 && isUpper(re.Rune[0]) && !l.anyAllowed(re.Rune):
			letter = re.Rune[0]
		}
		return letter != 0
	})
	if letter != 0 {
		l.settle("a slug is in lower case, so '%c' never matches; write %s", letter, l.lowered())
	}
}

func isUpper(r rune) bool { return 'A' <= r && r <= 'Z' }

func isLower(r rune) bool { return 'a' <= r && r <= 'z' }

// lowered is the pattern in lower case; escapes and group names keep theirs.
func (l *linter) lowered() string {
	var b strings.Builder
	for _, t := range l.tokens {
		text := t.text(l.text)
		switch {
		case t.kind == tokenQuoted:
			text = `\Q` + lowerASCII(strings.TrimSuffix(text[2:], `\E`)) + `\E`
		case t.kind == tokenLiteral, t.kind == tokenClass && !strings.Contains(text, `\`) && parses(lowerASCII(text)):
			text = lowerASCII(text)
		}
		b.WriteString(text)
	}
	return b.String()
}

// glob finds "*" used as in a glob: after one plain character.
func (l *linter) glob() {
	var b strings.Builder
	repeated := ""
	for i, t := range l.tokens {
		text := t.text(l.text)
		if i > 0 && (text == "*" || text == "*?") && isPlain(l.tokens[i-1]) {
			if repeated == "" {
				repeated = l.tokens[i-1].text(l.text)
			}
			text = ".*"
		}
		b.WriteString(text)
	}
	if repeated != "" {
		l.warn("'*' means zero or more '%s', not any text; for any text write %s", repeated, b.String())
	}
}

func isPlain(t token) bool {
	return t.kind == tokenLiteral || t.kind == tokenBegin || t.kind == tokenEnd
}

// dot finds a "." between two characters that was meant as a dot.
func (l *linter) dot() {
	var fixed, example strings.Builder
	found, plain := false, true
	for i, t := range l.tokens {
		text, other := t.text(l.text), t.text(l.text)
		switch {
		case t.kind == tokenDot && l.between(i):
			text, other, found = `\.`, "x", true
		case t.kind == tokenBegin, t.kind == tokenEnd:
			other = ""
		case t.kind != tokenLiteral || t.end != t.start+1:
			plain = false
		}
		fixed.WriteString(text)
		example.WriteString(other)
	}
	switch {
	case found && plain:
		l.warn(`matches '%s' too, as '.' stands for any character; for a dot write %s`, example.String(), fixed.String())
	case found:
		l.warn(`'.' stands for any character here; for a dot write %s`, fixed.String())
	}
}

// between reports whether the dot at i stands where a dot of a name would.
func (l *linter) between(i int) bool {
	if i == 0 || i == len(l.tokens)-1 {
		return false
	}
	before, after := l.tokens[i-1], l.tokens[i+1]
	return (before.kind == tokenClose || before.kind == tokenRepeat || l.solid(before)) &&
		(after.kind == tokenOpen || l.solid(after))
}

// solid reports whether a token stands for letters or digits.
func (l *linter) solid(t token) bool {
	text := t.text(l.text)
	switch t.kind {
	case tokenLiteral:
		return isASCIILetter(rune(text[0])) || isDigit(text[0])
	case tokenClass:
		return !strings.HasPrefix(text, "[^")
	}
	return text == `\d` || text == `\w`
}

// foldCase tells that branches are told apart by case.
func (l *linter) foldCase() {
	if l.kind != BranchPattern {
		return
	}
	for _, t := range l.tokens {
		if (t.kind == tokenFlags || t.kind == tokenOpen) && setsFold(t.text(l.text)) {
			l.warn("(?i) ignores case, but Bitbucket does not: of two branches that differ only in case both match")
			return
		}
	}
}
