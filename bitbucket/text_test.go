package bitbucket

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
)

func TestCleanText(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "",
		"plain":                        "plain",
		"  a \t b\r\n\n c  ":           "a b c",
		"line\u2028separator\u2029end": "line separator end",
		"no\u00a0break\u3000wide":      "no break wide",
		"nul\x00bell\x07esc\x1b[31m":   "nulbellesc[31m",
		"delete\x7f c1\u0085x\u009b":   "delete c1 x",
		"bidi \u202etxt\u202c \u2066x\u2069\u200f\u061c": "bidi txt x",
		"zero\u200bwidth\u200d\ufeff\u2060":              "zerowidth",
		"soft\u00adhyphen":                               "softhyphen",
		"tags\U000e0041\U000e0042":                       "tags",
		"variation\ufe0f\U000e0100":                      "variation",
		"private\ue000\U0010fffd":                        "private",
		"filler\u115f\u1160\u3164\uffa0\u2800":           "filler",
		"joiner\u034f khmer\u17b4\u17b5 mongol\u180e":    "joiner khmer mongol",
		"none\ufffe\U0001ffff":                           "none",
		"broken\xff\xfe utf-8":                           "broken utf-8",
		"replaced \ufffd":                                "replaced",
		"Grüße, 世界 🎉 e\u0301":                            "Grüße, 世界 🎉 e\u0301",
		"<script>alert(1)</script>":                      "<script>alert(1)</script>", // escaping is for who shows it
	} {
		assert.Equal(t, want, cleanText(text, 100), "%q", text)
	}
}

func TestCleanTextCutsWholeCharacters(t *testing.T) {
	for text, want := range map[string]string{
		"12345":       "12345",
		"123456":      "1234…",
		"äöüßéx":      "äöüß…",
		"123 56":      "123…",
		"1\u200b2345": "12345",
	} {
		assert.Equal(t, want, cleanText(text, 5), "%q", text)
	}
}

// Whatever the text, what is left can be seen, is one line, and is no longer
// than it may be; cleaning it again changes nothing.
func FuzzCleanText(f *testing.F) {
	for _, text := range []string{"a b", "\u202e", "\xff", strings.Repeat("é", 50), "\U000e0001"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		clean := cleanText(text, 20)
		assert.True(t, utf8.ValidString(clean))
		assert.LessOrEqual(t, utf8.RuneCountInString(clean), 20)
		assert.Equal(t, clean, cleanText(clean, 20))
		for _, r := range clean {
			assert.False(t, r != ' ' && unicode.IsSpace(r) || unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Bidi_Control), "%U", r)
		}
	})
}

func TestInstant(t *testing.T) {
	for text, want := range map[string]string{
		"2020-01-02T03:04:05Z":             "2020-01-02T03:04:05Z",
		"2020-01-02T03:04:05.999999+02:00": "2020-01-02T01:04:05Z",
		"":                                 "0001-01-01T00:00:00Z",
		"2020-01-02":                       "0001-01-01T00:00:00Z",
		"now":                              "0001-01-01T00:00:00Z",
	} {
		assert.Equal(t, want, instant(text).Format("2006-01-02T15:04:05Z07:00"), text)
	}
}

func TestHash(t *testing.T) {
	for _, text := range []string{"abcdef0", strings.Repeat("0", 40)} {
		assert.Equal(t, text, hash(text))
	}
	for _, text := range []string{"", "abcdef", strings.Repeat("0", 41), "ABCDEF0", "abcdefg", "abcdef0\n", "../../x", "äbcdef0"} {
		assert.Empty(t, hash(text), text)
	}
}
