package bitbucket

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// cleanText makes text that came from Bitbucket fit to be shown: control,
// bidirectional and invisible characters go, white space becomes one space,
// and what is longer than limit characters is cut. Somebody else wrote the
// text; it must not hide anything from who reads it.
func cleanText(text string, limit int) string {
	text = strings.Join(strings.Fields(strings.Map(visible, text)), " ")
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	return strings.TrimRight(string([]rune(text)[:limit-1]), " ") + "…"
}

func visible(r rune) rune {
	switch {
	case unicode.IsSpace(r):
		return ' '
	case unicode.IsControl(r), r == utf8.RuneError, unicode.In(r, unicode.Cf, unicode.Co, unicode.Noncharacter_Code_Point,
		unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point):
		return -1
	case r == '\u2800': // braille without dots: a symbol by its class, and blank
		return -1
	}
	return r
}

// firstLine returns the first line of a message.
func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}

// instant reads a time of Bitbucket's; what is none is the zero time.
func instant(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Second)
}

// hash returns a commit hash, or "" for what is none.
func hash(text string) string {
	if len(text) < 7 || len(text) > 40 {
		return ""
	}
	for _, c := range []byte(text) {
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f') {
			return ""
		}
	}
	return text
}

// cleanLines is cleanText for text of several lines: newlines and tabs stay.
func cleanLines(text string, limit int) string {
	text = strings.TrimSpace(cleanBlock(text))
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	return strings.TrimRight(string([]rune(text)[:limit-1]), " \n\t") + "…"
}
