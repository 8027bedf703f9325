package policy

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	maxPatternBytes = 512
	maxPatterns     = 200 // in one list: a bound on what one name can cost
)

// InvalidPattern reports a pattern that cannot be used. It is meant for the
// admin who wrote it.
type InvalidPattern struct {
	Field   string // "repositories", "exclude_repositories", "branches", "exclude_branches"
	Pattern string
	Offset  int // byte offset of the mistake, -1 when it is not in one place
	Reason  string
}

func (e *InvalidPattern) Error() string {
	at := ""
	if e.Offset >= 0 {
		at = fmt.Sprintf(" at position %d", utf8.RuneCountInString(e.Pattern[:e.Offset])+1)
	}
	return fmt.Sprintf("pattern %q in %s%s: %s", shorten(e.Pattern), e.Field, at, e.Reason)
}

// shorten keeps a message readable when somebody pastes a megabyte.
func shorten(s string) string {
	const limit = 80
	if len(s) <= limit {
		return s
	}
	cut := limit
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// A pattern is a regular expression that matches whole names only. The zero
// pattern matches nothing.
type pattern struct {
	text   string
	whole  *regexp.Regexp
	demand demand // what a matching name must hold, for push-down
}

func (p pattern) matches(name string) bool {
	return p.whole != nil && p.whole.MatchString(name)
}

// compilePattern parses the text alone and then wraps the parsed form. Wrapping
// the text would let "main)|(?:.*" close the wrapper and match everything, and
// "(?m)" would let "$" match before a newline.
func compilePattern(text string) (pattern, int, string) {
	if offset, reason := patternTextReason(text); reason != "" {
		return pattern{}, offset, reason
	}
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		offset, reason := explainSyntax(text, err)
		return pattern{}, offset, reason
	}
	if matchesLines(parsed) {
		return pattern{}, -1, "it matches lines; a pattern matches one whole name"
	}
	whole, err := regexp.Compile(`\A(?:` + parsed.String() + `)\z`)
	if err != nil {
		return pattern{}, -1, "it is too large or too deeply nested"
	}
	return pattern{text: text, whole: whole, demand: demandOf(parsed)}, 0, ""
}

// patternTextReason refuses what must not even be parsed.
func patternTextReason(text string) (offset int, reason string) {
	switch {
	case text == "":
		return -1, "an empty string is not a pattern; to allow all names leave the list empty, or write .*"
	case len(text) > maxPatternBytes:
		return -1, fmt.Sprintf("it is longer than %d bytes; split it into several patterns", maxPatternBytes)
	case !utf8.ValidString(text):
		return -1, "it is not valid UTF-8"
	}
	if i := strings.IndexFunc(text, func(r rune) bool { return unsafeRune(r) != "" }); i >= 0 {
		return i, "it holds a control or invisible character"
	}
	if offset, flag := refusedFlag(text); flag != 0 {
		return offset, fmt.Sprintf("the flag %q is not taken; a pattern matches one whole name, only (?i) has a use", string(flag))
	}
	return 0, ""
}

// refusedFlag finds a flag group, such as (?m) or (?si:…), that turns on or
// off m, s or U. They change what "$" and "." mean.
func refusedFlag(text string) (offset int, flag byte) {
	for _, t := range tokens(text) {
		group, found := strings.CutPrefix(t.text(text), "(?")
		if !found {
			continue
		}
		flags := group[:len(group)-len(strings.TrimLeft(group, "imsU-"))]
		if i := strings.IndexAny(flags, "msU"); i >= 0 {
			return t.start + len("(?") + i, flags[i]
		}
	}
	return 0, 0
}

// matchesLines is the net below refusedFlag: it finds in the parsed form what
// only the flag m can put there.
func matchesLines(re *syntax.Regexp) bool {
	return re.Op == syntax.OpBeginLine || re.Op == syntax.OpEndLine || slices.ContainsFunc(re.Sub, matchesLines)
}

func compilePatterns(field string, texts []string) ([]pattern, error) {
	if len(texts) > maxPatterns {
		return nil, &InvalidPattern{Field: field, Offset: -1, Reason: fmt.Sprintf("the list has more than %d patterns", maxPatterns)}
	}
	patterns := make([]pattern, 0, len(texts))
	for _, text := range texts {
		p, offset, reason := compilePattern(text)
		if reason != "" {
			return nil, &InvalidPattern{Field: field, Pattern: text, Offset: offset, Reason: reason}
		}
		patterns = append(patterns, p)
	}
	return patterns, nil
}
