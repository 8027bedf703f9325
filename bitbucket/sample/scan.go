package sample

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind int

const (
	endToken tokenKind = iota
	wordToken
	stringToken // text without quotes, escapes resolved
	operatorToken
	openToken
	closeToken
)

// token is one piece of a query; at is its byte offset.
type token struct {
	kind tokenKind
	text string
	at   int
}

func (t token) unexpected() error {
	if t.kind == endToken {
		return badRequest("Invalid query: unexpected end at %d", t.at)
	}
	return badRequest("Invalid query: unexpected %q at %d", t.text, t.at)
}

// operators, longer ones before their beginnings.
var operators = []string{"!=", "!~", ">=", "<=", "=", "~", ">", "<"}

// scan cuts a query into tokens and ends them with an endToken.
func scan(q string) ([]token, error) {
	var tokens []token
	for at := 0; ; {
		at += len(q[at:]) - len(strings.TrimLeftFunc(q[at:], unicode.IsSpace))
		t, length, err := scanOne(q, at)
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, t)
		if t.kind == endToken {
			return tokens, nil
		}
		at += length
	}
}

func scanOne(q string, at int) (t token, length int, err error) {
	rest := q[at:]
	if rest == "" {
		return token{endToken, "", at}, 0, nil
	}
	switch rest[0] {
	case '(':
		return token{openToken, "(", at}, 1, nil
	case ')':
		return token{closeToken, ")", at}, 1, nil
	case '"':
		return scanString(rest, at)
	}
	for _, op := range operators {
		if strings.HasPrefix(rest, op) {
			return token{operatorToken, op, at}, len(op), nil
		}
	}
	if n := wordLength(rest); n > 0 {
		return token{wordToken, rest[:n], at}, n, nil
	}
	r, _ := utf8.DecodeRuneInString(rest)
	return token{}, 0, badRequest("Invalid query: unexpected %q at %d", r, at)
}

// scanString reads a quoted text; a backslash takes the next character as is.
func scanString(rest string, at int) (t token, length int, err error) {
	var b strings.Builder
	for i := 1; i < len(rest); i++ {
		switch rest[i] {
		case '"':
			return token{stringToken, b.String(), at}, i + 1, nil
		case '\\':
			if i++; i == len(rest) {
				continue // the loop ends, and the text has no end
			}
		}
		b.WriteByte(rest[i])
	}
	return token{}, 0, badRequest("Invalid query: no end of the text that begins at %d", at)
}

// wordLength counts what field names, keywords and dates are made of.
func wordLength(s string) int {
	n := strings.IndexFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("_.-:+", r)
	})
	if n < 0 {
		return len(s)
	}
	return n
}
