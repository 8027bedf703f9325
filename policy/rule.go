package policy

// A rule is an include list and an exclude list over one kind of name. The
// zero rule allows nothing.
type rule struct {
	include, exclude []pattern
	compiled         bool
}

// allows is where the patterns of a scope are enforced, and the only place. It
// reports whether name may be reached: exclude wins over include, and an empty
// include list means all. name has met the grammar before.
func (r rule) allows(name string) bool {
	if !r.compiled || anyMatches(r.exclude, name) {
		return false
	}
	return len(r.include) == 0 || anyMatches(r.include, name)
}

// allowsAll reports whether the rule has no patterns at all.
func (r rule) allowsAll() bool {
	return r.compiled && len(r.include) == 0 && len(r.exclude) == 0
}

// verdict says why allows answers as it does, for the admin's preview and the
// audit log; an agent never reads it.
func (r rule) verdict(name string) string {
	switch {
	case !r.compiled:
		return "the scope is disabled"
	case r.allows(name) && len(r.include) == 0:
		return "no pattern excludes it"
	case r.allows(name):
		return "matches " + firstMatch(r.include, name)
	case anyMatches(r.exclude, name):
		return "excluded by " + firstMatch(r.exclude, name)
	}
	return "matches no pattern"
}

func anyMatches(patterns []pattern, name string) bool {
	for _, p := range patterns {
		if p.matches(name) {
			return true
		}
	}
	return false
}

func firstMatch(patterns []pattern, name string) string {
	for _, p := range patterns {
		if p.matches(name) {
			return p.text
		}
	}
	return ""
}
