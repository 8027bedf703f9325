package sample

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// read turns a literal into a value of the kind.
func (k kind) read(t token) (any, error) {
	if t.kind == wordToken && t.text == "null" {
		return nil, nil
	}
	switch k {
	case text:
		if t.kind == stringToken {
			return t.text, nil
		}
	case truth:
		if t.kind == wordToken && (t.text == "true" || t.text == "false") {
			return t.text == "true", nil
		}
	case moment:
		if t.kind == wordToken || t.kind == stringToken {
			return readMoment(t)
		}
	case number:
		if n, err := strconv.Atoi(t.text); err == nil && t.kind == wordToken {
			return n, nil
		}
	}
	return nil, t.unexpected()
}

// momentLayouts have a numeric offset or none: Bitbucket takes no trailing Z.
var momentLayouts = []string{"2006-01-02T15:04:05-07:00", "2006-01-02T15:04:05", "2006-01-02"}

func readMoment(t token) (any, error) {
	for _, layout := range momentLayouts {
		if at, err := time.Parse(layout, t.text); err == nil {
			return at, nil
		}
	}
	return nil, badRequest("Invalid query: %q at %d is no date", t.text, t.at)
}

// allows says whether the operator makes sense for the kind and the literal.
func (k kind) allows(op string, want any) bool {
	switch op {
	case "=", "!=":
		return true
	case "~", "!~":
		return k == text && want != nil
	}
	return k != truth && want != nil
}

func compare(have any, op string, want any) bool {
	switch op {
	case "=":
		return compareValues(have, want) == 0
	case "!=":
		return compareValues(have, want) != 0
	case "~":
		return contains(have, want)
	case "!~":
		return !contains(have, want)
	}
	if have == nil { // null is neither above nor below
		return false
	}
	switch c := compareValues(have, want); op {
	case ">":
		return c > 0
	case ">=":
		return c >= 0
	case "<":
		return c < 0
	default:
		return c <= 0
	}
}

// contains ignores case, as ~ does.
func contains(have, want any) bool {
	h, ok := have.(string)
	return ok && strings.Contains(strings.ToLower(h), strings.ToLower(want.(string)))
}

// compareValues compares two values of one kind; nil comes first.
func compareValues(a, b any) int {
	if a == nil || b == nil {
		return cmp.Compare(rank(a), rank(b))
	}
	switch a := a.(type) {
	case string:
		return strings.Compare(a, b.(string))
	case time.Time:
		return a.Compare(b.(time.Time))
	case int:
		return cmp.Compare(a, b.(int))
	}
	return cmp.Compare(rank(a), rank(b))
}

// rank orders nil, false and true.
func rank(v any) int {
	switch v {
	case nil:
		return 0
	case false:
		return 1
	}
	return 2
}
