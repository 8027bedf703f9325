package manage

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"bucketgate/internal/store"
)

const maxNameBytes = 64

// checkName says what the name of a record may be: it stands in commands, in
// lists with commas and in the audit log, so that it is kept plain.
func checkName(kind, name string) error {
	if name == "" {
		return refuseAt("name", "a %s needs a name", kind)
	}
	if len(name) > maxNameBytes {
		return refuseAt("name", "the name of a %s has at most %d characters", kind, maxNameBytes)
	}
	for i, c := range []byte(name) {
		plain := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !plain && (i == 0 || !strings.ContainsRune("._- ", rune(c))) {
			return refuseAt("name", "the name of a %s has letters, digits, '.', '_', '-' and blanks only, and begins with a letter or digit", kind)
		}
	}
	if strings.HasSuffix(name, " ") {
		return refuseAt("name", "the name of a %s does not end with a blank", kind)
	}
	return nil
}

// ShellWord quotes the name of a record for a shell where it needs it. It takes
// any text: who has edited a name in the database must not have an admin run
// what stands in it.
func ShellWord(name string) string {
	if checkName("record", name) == nil && !strings.Contains(name, " ") {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}

// unknown says that there is no such record, and which one may be meant.
func unknown(kind, name string, known []string) error {
	if name == "" {
		return refusef("no %s is named%s", kind, hint(kind, name, known))
	}
	return &Refused{Words: fmt.Sprintf("there is no %s %q%s", kind, name, hint(kind, name, known)), Err: store.ErrNotFound}
}

// fewNames is how many names a refusal tells where none is like the given one.
const fewNames = 5

func hint(kind, name string, known []string) string {
	nearest := nearest(name, known)
	switch {
	case len(known) == 0:
		return fmt.Sprintf("; there is none yet, create one with bucketgate %s create", kind)
	case nearest != "":
		return fmt.Sprintf("; did you mean %q?", nearest)
	case len(known) <= fewNames:
		return "; there is " + strings.Join(known, ", ")
	}
	return fmt.Sprintf("; bucketgate %s list shows those that there are", kind)
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

// distance is Levenshtein's, by runes, where two neighbors that change places
// count once: that is how people mistype.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	before, above, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		before, above, row = above, row, before
		row[0] = i + 1
		for j := range y {
			row[j+1] = min(above[j+1], row[j]) + 1
			if x[i] == y[j] {
				row[j+1] = min(row[j+1], above[j])
			} else {
				row[j+1] = min(row[j+1], above[j]+1)
			}
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(y)]
}
