package policy

import (
	"regexp/syntax"
	"slices"
	"strings"
)

// A side is one of the alternatives of the whole pattern.
type side struct {
	head, body, tail string // flags and "^"; what matches characters; "$"
	begin, end       bool   // has "^", has "$"
	fold             bool
}

func (s side) text() string { return s.head + s.body + s.tail }

// names returns the few names that the side matches, or false when it may
// match many.
func (s side) names() ([]string, bool) {
	flags := ""
	if s.fold {
		flags = "(?i)"
	}
	re, err := syntax.Parse(flags+s.body, syntax.Perl)
	if err != nil {
		return nil, false
	}
	return fewNames(re)
}

// sides splits the pattern at each "|" that is in no group.
func (l *linter) sides() []side {
	var all []side
	fold, depth, start := false, 0, 0
	for _, t := range l.tokens {
		switch t.kind {
		case tokenOpen:
			depth++
		case tokenClose:
			depth--
		case tokenFlags:
			fold = fold || depth == 0 && setsFold(t.text(l.text))
		case tokenBar:
			if depth == 0 {
				all = append(all, newSide(l.text[start:t.start], fold))
				start = t.end
			}
		}
	}
	return append(all, newSide(l.text[start:], fold))
}

func setsFold(flags string) bool {
	on, _, _ := strings.Cut(flags, "-")
	return strings.HasPrefix(on, "(?") && strings.Contains(strings.TrimRight(on, ":)"), "i") && !strings.ContainsAny(on, "P<")
}

func newSide(text string, fold bool) side {
	s := side{fold: fold}
	s.head, s.body = splitHead(text)
	s.begin = strings.Contains(s.head, "^") || strings.Contains(s.head, `\A`)
	all := tokens(s.body)
	if len(all) == 0 {
		return s
	}
	last := all[len(all)-1]
	switch text := last.text(s.body); {
	case text == "$", text == `\z`:
		s.body, s.tail, s.end = s.body[:last.start], text, true
	case last.kind == tokenQuoted && !strings.HasSuffix(text, `\E`):
		s.body += `\E` // so that more can be written behind it
	}
	return s
}

// unevenAnchors finds ^main|develop$, which elsewhere means names that begin
// with main or end with develop.
func (l *linter) unevenAnchors() {
	all := l.sides()
	for _, s := range all {
		l.uneven = l.uneven || s.begin != all[0].begin || s.end != all[0].end
	}
	if !l.uneven || slices.ContainsFunc(all, func(s side) bool { return s.body == "" }) {
		return
	}
	var texts, matched []string
	for _, s := range all {
		flags := strings.Trim(strings.ReplaceAll(s.head, `\A`, ""), "^")
		texts = append(texts, flags+s.meant())
		if names, few := s.names(); few {
			matched = append(matched, names...)
		} else {
			matched = append(matched, "")
		}
	}
	if slices.Contains(matched, "") {
		l.warn("'^' and '$' stand on single sides of the '|', but each side must match the whole name; write %s", strings.Join(texts, "|"))
		return
	}
	l.warn("'^' and '$' stand on single sides of the '|', but each side must match the whole name: it matches exactly %s; write %s",
		list(matched), strings.Join(texts, "|"))
}

// meant is the side without anchors, and with .* when it ends like a prefix.
func (s side) meant() string {
	if names, few := s.names(); few && allOf(names, endsLikePrefix) {
		return s.body + ".*"
	}
	return s.body
}

func list(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = quote(name)
	}
	if len(quoted) == 1 {
		return quoted[0]
	}
	last := len(quoted) - 1
	return strings.Join(quoted[:last], ", ") + " and " + quoted[last]
}

// prefix finds a side without any wildcard that looks like the beginning, or
// the end, of names.
func (l *linter) prefix() {
	if l.settled {
		return
	}
	for _, s := range l.sides() {
		names, few := s.names()
		if !few || slices.Contains(names, "") {
			continue
		}
		open, valid := !l.uneven && s.begin != s.end, allOf(names, l.valid)
		switch {
		case s.begin && s.end && valid:
			// Both anchors: this very name is meant.
		case open && s.begin || allOf(names, endsLikePrefix):
			l.notPrefix(s, names, "begin with", s.head+s.body+".*"+s.tail)
		case open && s.end || allOf(names, beginsLikeSuffix):
			l.notPrefix(s, names, "end with", s.head+".*"+s.body+s.tail)
		}
	}
}

func (l *linter) notPrefix(s side, names []string, how, instead string) {
	l.settled = l.settled || !slices.ContainsFunc(names, l.valid)
	noun, them := "name", "it"
	if len(names) > 1 {
		noun, them = "names", "one of them"
	}
	ignoring := ""
	if s.fold {
		ignoring = " in upper or lower case"
	}
	l.warn("matches only the %s %s%s; for names that %s %s write %s", noun, list(names), ignoring, how, them, instead)
}

func (l *linter) valid(name string) bool { return l.kind.reason(name) == "" }

func endsLikePrefix(name string) bool { return strings.ContainsAny(name[len(name)-1:], "/-_.") }

func beginsLikeSuffix(name string) bool { return strings.ContainsAny(name[:1], "/-") }

// allOf reports whether there are names and each of them is like that.
func allOf(names []string, like func(string) bool) bool {
	return len(names) > 0 && !slices.Contains(names, "") &&
		!slices.ContainsFunc(names, func(name string) bool { return !like(name) })
}

const maxFewNames = 6

// fewNames returns all names that re matches when they are at most
// maxFewNames; letters whose case is ignored are in lower case.
func fewNames(re *syntax.Regexp) ([]string, bool) {
	names := []string{""}
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginText, syntax.OpEndText:
	case syntax.OpLiteral:
		names = []string{string(re.Rune)}
		if re.Flags&syntax.FoldCase != 0 {
			names[0] = strings.ToLower(names[0])
		}
	case syntax.OpCharClass:
		return fewCharacters(re.Rune)
	case syntax.OpCapture:
		return fewNames(re.Sub[0])
	case syntax.OpQuest:
		some, few := fewNames(re.Sub[0])
		return unite(some, names), few
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			some, few := fewNames(sub)
			if !few || len(names)*len(some) > maxFewNames {
				return nil, false
			}
			names = pairs(names, some)
		}
	case syntax.OpAlternate:
		names = nil
		for _, sub := range re.Sub {
			some, few := fewNames(sub)
			if names = unite(names, some); !few || len(names) > maxFewNames {
				return nil, false
			}
		}
	default:
		return nil, false
	}
	return names, true
}

func fewCharacters(ranges []rune) ([]string, bool) {
	var names []string
	for i := 0; i < len(ranges); i += 2 {
		for r := ranges[i]; r <= ranges[i+1]; r++ {
			if names = append(names, string(r)); len(names) > maxFewNames {
				return nil, false
			}
		}
	}
	return names, len(names) > 0
}

func pairs(first, second []string) []string {
	var all []string
	for _, a := range first {
		for _, b := range second {
			all = append(all, a+b)
		}
	}
	return all
}
