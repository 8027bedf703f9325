package manage

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

const maxNameBytes = 64

// checkName says what the name of a record may be: it stands in commands, in
// lists with commas and in the audit log, so that it is kept plain.
func checkName(kind, name string) error {
	if name == "" {
		return refusef("a %s needs a name", kind)
	}
	if len(name) > maxNameBytes {
		return refusef("the name of a %s has at most %d characters", kind, maxNameBytes)
	}
	for i, c := range []byte(name) {
		plain := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !plain && (i == 0 || !strings.ContainsRune("._- ", rune(c))) {
			return refusef("the name of a %s has letters, digits, '.', '_', '-' and blanks only, and begins with a letter or digit", kind)
		}
	}
	if strings.HasSuffix(name, " ") {
		return refusef("the name of a %s does not end with a blank", kind)
	}
	return nil
}

// unknown says that there is no such record, and which one may be meant.
func unknown(kind, name string, known []string) error {
	words := fmt.Sprintf("there is no %s %q", kind, name)
	if nearest := nearest(name, known); nearest != "" {
		words += fmt.Sprintf("; did you mean %q?", nearest)
	} else if len(known) == 0 {
		words += fmt.Sprintf("; there is none yet, create one with bucketgate %s create", kind)
	}
	return &Refused{Words: words}
}

// UnknownScope says that there is no scope of the name, and which one may be
// meant.
func UnknownScope(name string, known []string) error { return unknown("scope", name, known) }

// nearest returns the known name that is most like the given one, "" when none
// is.
func nearest(name string, known []string) string {
	best, least := "", utf8.RuneCountInString(name)/2+1
	for _, candidate := range known {
		if d := distance(strings.ToLower(name), strings.ToLower(candidate)); d < least {
			best, least = candidate, d
		}
	}
	return best
}

// distance is Levenshtein's, by runes.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		diagonal := row[0]
		row[0] = i + 1
		for j := range y {
			cost := diagonal
			if x[i] != y[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(row[j+1]+1, row[j]+1, cost)
		}
	}
	return row[len(y)]
}
