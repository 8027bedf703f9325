package policy

import (
	"regexp/syntax"
	"slices"
	"unicode"
)

// emptyName finds a pattern that can match no character at all. Elsewhere such
// a pattern matches everything, and that may be what was meant.
func (l *linter) emptyName() {
	sides := l.sides()
	names, few := fewNames(l.parsed)
	const all = "if all names are meant write .*"
	switch noun := l.kind.noun(); {
	case l.settled, few && !slices.Contains(names, ""):
	case few && len(names) == 1:
		l.settle("matches only the empty name, which no %s has; "+all, noun)
	case len(sides) > 1 && slices.ContainsFunc(sides, func(s side) bool { return s.body == "" }):
		l.warn("the empty side of the '|' matches only the empty name, which no %s has; leave it out, or "+all, noun)
	case few:
		l.warn("matches the empty name too, which no %s has; leave that out, or "+all, noun)
	}
}

// everything finds patterns that match every name and do not look like it.
func (l *linter) everything() {
	if !l.plainlyEverything(l.parsed) && l.isEverything(l.parsed) {
		l.warn("matches every name; if that is meant write .*")
	}
}

// plainlyEverything reports whether re is .* or one class that is repeated.
func (l *linter) plainlyEverything(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpCapture:
		return l.plainlyEverything(re.Sub[0])
	case syntax.OpStar, syntax.OpPlus:
		return l.isAnyCharacter(re.Sub[0])
	case syntax.OpConcat:
		rest := slices.DeleteFunc(slices.Clone(re.Sub), isAnchor)
		return len(rest) == 1 && l.plainlyEverything(rest[0])
	}
	return false
}

func isAnchor(re *syntax.Regexp) bool {
	return re.Op == syntax.OpBeginText || re.Op == syntax.OpEndText
}

// isEverything reports whether re matches every name. It may miss some such
// patterns.
func (l *linter) isEverything(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpCapture, syntax.OpQuest:
		return l.isEverything(re.Sub[0])
	case syntax.OpStar, syntax.OpPlus:
		return l.isAnyCharacter(re.Sub[0]) || l.isEverything(re.Sub[0])
	case syntax.OpRepeat:
		return re.Min <= 1 && re.Max == -1 && l.isAnyCharacter(re.Sub[0])
	case syntax.OpAlternate:
		return slices.ContainsFunc(re.Sub, l.isEverything)
	case syntax.OpConcat:
		return l.isEverythingTogether(re.Sub)
	}
	return false
}

func (l *linter) isEverythingTogether(subs []*syntax.Regexp) bool {
	for i, sub := range subs {
		others := slices.Delete(slices.Clone(subs), i, i+1)
		// An anchor matches the empty text only at its own end.
		if l.isEverything(sub) && !slices.ContainsFunc(others, func(re *syntax.Regexp) bool { return !mayBeEmpty(re) }) &&
			!slices.ContainsFunc(subs[:i], isEnd) && !slices.ContainsFunc(subs[i+1:], isBegin) {
			return true
		}
	}
	return false
}

func isBegin(re *syntax.Regexp) bool {
	return anyNode(re, func(re *syntax.Regexp) bool { return re.Op == syntax.OpBeginText })
}

func isEnd(re *syntax.Regexp) bool {
	return anyNode(re, func(re *syntax.Regexp) bool { return re.Op == syntax.OpEndText })
}

func mayBeEmpty(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginText, syntax.OpEndText, syntax.OpStar, syntax.OpQuest:
		return true
	case syntax.OpCapture, syntax.OpPlus:
		return mayBeEmpty(re.Sub[0])
	case syntax.OpRepeat:
		return re.Min == 0 || mayBeEmpty(re.Sub[0])
	case syntax.OpAlternate:
		return slices.ContainsFunc(re.Sub, mayBeEmpty)
	case syntax.OpConcat:
		return !slices.ContainsFunc(re.Sub, func(sub *syntax.Regexp) bool { return !mayBeEmpty(sub) })
	}
	return false
}

// isAnyCharacter reports whether re matches every character of a name.
func (l *linter) isAnyCharacter(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return true
	case syntax.OpCapture:
		return l.isAnyCharacter(re.Sub[0])
	case syntax.OpCharClass:
		last := len(re.Rune) - 2
		if l.kind == BranchPattern && (last < 0 || re.Rune[last] > 0x80 || re.Rune[last+1] < unicode.MaxRune) {
			return false
		}
		for r := rune(0); r < 0x80; r++ {
			if l.kind.allows(r) && !inRanges(re.Rune, r) {
				return false
			}
		}
		return true
	}
	return false
}

func inRanges(ranges []rune, r rune) bool {
	for i := 0; i < len(ranges); i += 2 {
		if ranges[i] <= r && r <= ranges[i+1] {
			return true
		}
	}
	return false
}

// anyAllowed reports whether one of the characters may be in a name. It says
// yes to what is outside ASCII in a branch name without looking closer.
func (l *linter) anyAllowed(ranges []rune) bool {
	if l.kind == BranchPattern && len(ranges) > 0 && ranges[len(ranges)-1] >= 0x80 {
		return true
	}
	for r := rune(0); r < 0x80; r++ {
		if l.kind.allows(r) && inRanges(ranges, r) {
			return true
		}
	}
	return false
}

// nothing finds a pattern that matches no name at all.
func (l *linter) nothing() {
	if l.settled {
		return
	}
	names, few := fewNames(l.parsed)
	dead := few && !slices.ContainsFunc(names, l.valid)
	if !dead && l.canMatch() {
		return
	}
	if r := l.foreign(); r != 0 {
		l.warn("matches no name: it demands %q, which no %s name has", string(r), l.kind.noun())
		return
	}
	if dead {
		l.warn("matches no name: %s is no %s name, as %s", quote(names[0]), l.kind.noun(), l.kind.reason(names[0]))
		return
	}
	l.warn("matches no %s name", l.kind.noun())
}

// foreign returns a character that the pattern spells out and no name has.
func (l *linter) foreign() (found rune) {
	anyNode(l.parsed, func(re *syntax.Regexp) bool {
		if re.Op != syntax.OpLiteral {
			return false
		}
		i := slices.IndexFunc(re.Rune, func(r rune) bool {
			return !l.kind.allows(r) && (re.Flags&syntax.FoldCase == 0 || !l.kind.allows(unicode.ToLower(r)))
		})
		if i >= 0 {
			found = re.Rune[i]
		}
		return found != 0
	})
	return found
}

const maxProgram = 20_000 // instructions; a larger one is not searched

// canMatch reports whether a text of characters that names may hold can match.
// It follows the compiled program; word boundaries are taken to hold, and a
// program that is too large to search is taken to match.
func (l *linter) canMatch() bool {
	prog, err := syntax.Compile(l.parsed.Simplify())
	if err != nil || len(prog.Inst) > maxProgram {
		return true
	}
	start := progState{pc: uint32(prog.Start), atBegin: true}
	seen := map[progState]bool{start: true}
	for queue := []progState{start}; len(queue) > 0; {
		s := queue[0]
		queue = queue[1:]
		if prog.Inst[s.pc].Op == syntax.InstMatch {
			return true
		}
		for _, next := range l.next(prog, s) {
			if !seen[next] {
				seen[next] = true
				queue = append(queue, next)
			}
		}
	}
	return false
}

type progState struct {
	pc      uint32
	atBegin bool // nothing is matched yet
	atEnd   bool // "$" was met: nothing may follow
}

func (l *linter) next(prog *syntax.Prog, s progState) []progState {
	inst := &prog.Inst[s.pc]
	to := s
	to.pc = inst.Out
	switch inst.Op {
	case syntax.InstAlt, syntax.InstAltMatch:
		other := s
		other.pc = inst.Arg
		return []progState{to, other}
	case syntax.InstCapture, syntax.InstNop:
		return []progState{to}
	case syntax.InstEmptyWidth:
		need := syntax.EmptyOp(inst.Arg)
		to.atEnd = s.atEnd || need&(syntax.EmptyEndText|syntax.EmptyEndLine) != 0
		if need&(syntax.EmptyBeginText|syntax.EmptyBeginLine) == 0 || s.atBegin {
			return []progState{to}
		}
	case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
		if to.atBegin = false; !s.atEnd && l.matchesAllowed(inst) {
			return []progState{to}
		}
	}
	return nil
}

func (l *linter) matchesAllowed(inst *syntax.Inst) bool {
	if inst.Op != syntax.InstRune && inst.Op != syntax.InstRune1 {
		return true
	}
	if l.kind == BranchPattern && len(inst.Rune) > 0 && inst.Rune[len(inst.Rune)-1] >= 0x80 {
		return true
	}
	for r := rune(0); r < 0x80; r++ {
		if l.kind.allows(r) && inst.MatchRune(r) {
			return true
		}
	}
	return false
}
