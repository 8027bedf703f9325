package bitbucket

import (
	"strings"
	"unicode/utf8"
)

// cleanBlock is cleanText for text of many lines, such as a file: line ends and
// tabs stay, and so does other white space between words. The end of a line is
// "\n", whatever it was. It is not cut.
func cleanBlock(text string) string {
	return strings.Map(visibleInBlock, strings.ReplaceAll(text, "\r\n", "\n"))
}

func visibleInBlock(r rune) rune {
	switch {
	case ' ' <= r && r <= '~', r == '\n', r == '\t', r == utf8.RuneError:
		return r
	case r == '\r':
		return '␍' // alone it would let a terminal write over what stands before it
	}
	return visible(r)
}

// hidesSomething reports whether cleanBlock leaves something of the text out.
func hidesSomething(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return visibleInBlock(r) < 0 })
}
