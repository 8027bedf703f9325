package policy

import (
	"cmp"
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"
)

// A demand says what the text of patterns demands of every name that they
// match: one of the alternatives, and of it every substring, where the case of
// letters is ignored. nil demands nothing.
//
// A demand becomes part of a request that saves reading rows nobody may see.
// It must never be finer than the patterns: a name that they match and the
// demand does not would be missing from an answer. Coarser is always right,
// since every row is judged again.
type demand [][]string

const (
	maxAlternatives   = 12
	maxSubstrings     = 4 // in one alternative
	maxClassMembers   = 4 // characters of a class that are worth telling apart
	maxCopies         = 4 // of a repeat that are written out
	maxSkeletonBytes  = 256
	maxCommonBytes    = 64
	minCommonBytes    = 3
	maxQueryBytes     = 1500
	minSubstringBytes = 2
)

// A skeleton is the text of one way to match: characters that stand next to
// each other in the name, and a gap for any text, the empty one too. Each
// stretch between gaps is a substring of the name. Stretches may overlap in
// the name, so the skeleton of x+ can be x, gap, x.
type skeleton = string

const (
	gap     = "\x00" // never in a stretch, as control characters are kept out
	anyText = skeleton(gap)
)

// demandOf returns what a pattern demands of a name that it matches as a
// whole. Names are valid ones: a name with U+017F or U+212A, which (?i) takes
// for "s" and "k", is no slug and no branch name.
func demandOf(re *syntax.Regexp) demand {
	var d demand
	for _, s := range skeletons(re) {
		and := substrings(s)
		if len(and) == 0 {
			return nil
		}
		d = append(d, and)
	}
	return d.tidy()
}

// skeletons returns at most maxAlternatives skeletons, and at least one: every
// text that re matches fits one of them.
func skeletons(re *syntax.Regexp) []skeleton {
	switch re.Op {
	case syntax.OpLiteral:
		return []skeleton{literalSkeleton(re.Rune)}
	case syntax.OpCharClass:
		return classSkeletons(re.Rune)
	case syntax.OpCapture:
		return skeletons(re.Sub[0])
	case syntax.OpConcat:
		return concatSkeletons(re.Sub)
	case syntax.OpAlternate:
		return alternateSkeletons(re.Sub)
	case syntax.OpQuest:
		return unite([]skeleton{""}, skeletons(re.Sub[0]))
	case syntax.OpPlus:
		return repeatSkeletons(re.Sub[0], 1, -1)
	case syntax.OpRepeat:
		return repeatSkeletons(re.Sub[0], re.Min, re.Max)
	case syntax.OpEmptyMatch, syntax.OpBeginText, syntax.OpEndText, syntax.OpBeginLine, syntax.OpEndLine,
		syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return []skeleton{""}
	}
	return []skeleton{anyText}
}

// literalSkeleton puts a gap for every character that cannot be pushed down.
func literalSkeleton(runes []rune) skeleton {
	var b strings.Builder
	for _, r := range runes {
		if pushable(r) {
			b.WriteString(lowerASCII(string(r)))
		} else {
			b.WriteString(gap)
		}
	}
	return b.String()
}

// pushable reports whether a character may stand in a q expression. A quote or
// a backslash could end the string there; what Bitbucket holds equal to a
// character outside ASCII when it ignores case is not known.
func pushable(r rune) bool { return ' ' <= r && r <= '~' && r != '"' && r != '\\' }

// classSkeletons tells the characters of a small class apart.
func classSkeletons(ranges []rune) []skeleton {
	var all []skeleton
	for i := 0; i < len(ranges); i += 2 {
		for r := ranges[i]; r <= ranges[i+1]; r++ {
			if r == '\u017F' || r == '\u212A' {
				continue // in no valid name
			}
			if !pushable(r) {
				return []skeleton{anyText}
			}
			if all = unite(all, []skeleton{lowerASCII(string(r))}); len(all) > maxClassMembers {
				return []skeleton{anyText}
			}
		}
	}
	if len(all) == 0 {
		return []skeleton{anyText}
	}
	return all
}

func concatSkeletons(subs []*syntax.Regexp) []skeleton {
	all := []skeleton{""}
	for _, sub := range subs {
		all = cross(all, skeletons(sub))
	}
	return all
}

func alternateSkeletons(subs []*syntax.Regexp) []skeleton {
	var all []skeleton
	for _, sub := range subs {
		all = unite(all, skeletons(sub))
	}
	if len(all) == 0 || len(all) > maxAlternatives {
		return []skeleton{anyText}
	}
	return all
}

// repeatSkeletons writes the first and the last copies out, with a gap between
// them when there may be more.
func repeatSkeletons(sub *syntax.Regexp, low, high int) []skeleton {
	if low == 0 {
		return []skeleton{anyText}
	}
	once := skeletons(sub)
	copies := once
	for range min(low, maxCopies) - 1 {
		copies = cross(copies, once)
	}
	if low == high && low <= maxCopies {
		return copies
	}
	return cross(cross(copies, []skeleton{anyText}), copies)
}

// unite may return more than maxAlternatives when one of the two does.
func unite(a, b []skeleton) []skeleton {
	all := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// cross returns every a followed by every b. When that is too many, any text
// stands for the side that has more of them.
func cross(a, b []skeleton) []skeleton {
	if len(a)*len(b) > maxAlternatives {
		if len(a) > len(b) {
			a = []skeleton{anyText}
		} else {
			b = []skeleton{anyText}
		}
	}
	var all []skeleton
	for _, first := range a {
		for _, second := range b {
			all = unite(all, []skeleton{shortened(first + second)})
		}
	}
	return all
}

// shortened puts a gap for the middle of a long skeleton.
func shortened(s skeleton) skeleton {
	if len(s) <= maxSkeletonBytes {
		return s
	}
	const half = maxSkeletonBytes / 2
	return s[:half] + gap + s[len(s)-half:]
}

// substrings returns the stretches of a skeleton that are worth asking for.
func substrings(s skeleton) []string {
	stretches := slices.DeleteFunc(strings.Split(s, gap), func(t string) bool { return t == "" })
	if slices.ContainsFunc(stretches, func(t string) bool { return len(t) >= minSubstringBytes }) {
		stretches = slices.DeleteFunc(stretches, func(t string) bool { return len(t) < minSubstringBytes })
	}
	return longest(withoutContained(stretches), maxSubstrings)
}

// withoutContained drops what a longer substring, or an equal one before it,
// demands already.
func withoutContained(all []string) []string {
	var kept []string
	for i, t := range all {
		contained := false
		for j, other := range all {
			contained = contained || i != j && strings.Contains(other, t) && (other != t || j < i)
		}
		if !contained {
			kept = append(kept, t)
		}
	}
	return kept
}

// longest keeps the n longest, in the order in which they stand in the name.
func longest(all []string, n int) []string {
	if len(all) <= n {
		return all
	}
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	keep := sorted[:n]
	return slices.DeleteFunc(slices.Clone(all), func(t string) bool { return !slices.Contains(keep, t) })
}

// or returns what a name demands that one of several patterns matches.
func (d demand) or(other demand) demand {
	if d == nil || other == nil {
		return nil
	}
	all := slices.Concat(d, other).tidy()
	if len(all) > maxAlternatives {
		return all.common()
	}
	return all
}

// tidy drops alternatives that another one implies, so that what is left
// demands the same.
func (d demand) tidy() demand {
	var kept demand
	for i, and := range d {
		redundant := false
		for j, other := range d {
			redundant = redundant || i != j && implies(and, other) && (j < i || !implies(other, and))
		}
		if !redundant {
			kept = append(kept, and)
		}
	}
	return kept
}

// implies reports whether each name that holds all of and holds all of other.
func implies(and, other []string) bool {
	for _, t := range other {
		if !slices.ContainsFunc(and, func(s string) bool { return strings.Contains(s, t) }) {
			return false
		}
	}
	return true
}

// common returns the longest text that every alternative demands, or nil: many
// patterns in one list often share a prefix.
func (d demand) common() demand {
	best := ""
	for _, s := range d[0] {
		for from := range s {
			for to := from + max(minCommonBytes, len(best)+1); to <= min(len(s), from+maxCommonBytes); to++ {
				if !d.allDemand(s[from:to]) {
					break
				}
				best = s[from:to]
			}
		}
	}
	if best == "" {
		return nil
	}
	return demand{{best}}
}

func (d demand) allDemand(text string) bool {
	for _, and := range d {
		if !implies(and, []string{text}) {
			return false
		}
	}
	return true
}

// query renders the demand as a Bitbucket q expression on a field, or returns
// "" when it demands nothing or is too long to send.
func (d demand) query(field string) string {
	var alternatives []string
	for _, and := range d {
		var terms []string
		for _, t := range and {
			// demandOf puts nothing else into a demand. Were it to, the text
			// of a pattern could end the string and go on as an expression,
			// so no filter is sent then.
			if strings.ContainsFunc(t, func(r rune) bool { return !pushable(r) }) {
				return ""
			}
			terms = append(terms, fmt.Sprintf(`%s ~ "%s"`, field, t))
		}
		alternatives = append(alternatives, joined(terms, " AND "))
	}
	q := joined(alternatives, " OR ")
	if len(q) > maxQueryBytes {
		return ""
	}
	return q
}

func joined(terms []string, operator string) string {
	if len(terms) == 1 {
		return terms[0]
	}
	if len(terms) == 0 {
		return ""
	}
	return "(" + strings.Join(terms, operator) + ")"
}
