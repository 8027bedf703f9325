package bitbucket

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const pointerText = "version https://git-lfs.github.com/spec/v1\noid sha256:9f2d1c7b3a5e4f6081726354a9b8c7d6e5f40312233445566778899aabbccdde\nsize 73400320\n"

func shown(f File) []string {
	return slices.Collect(f.Lines(1))
}

func TestContentOfFiles(t *testing.T) {
	for name, test := range map[string]struct {
		body   string
		lines  []string
		binary string
		notes  []string
	}{
		"plain":                 {"a\nb\n", []string{"a", "b"}, "", nil},
		"no end":                {"a\nb", []string{"a", "b"}, "", nil},
		"empty":                 {"", nil, "", nil},
		"one empty line":        {"\n", []string{""}, "", nil},
		"empty lines":           {"a\n\n\nb\n\n", []string{"a", "", "", "b", ""}, "", nil},
		"tabs and spaces stay":  {"\tif  x {\n", []string{"\tif  x {"}, "", nil},
		"CRLF":                  {"a\r\nb\r\n", []string{"a", "b"}, "", []string{"lines end in CRLF"}},
		"CR alone is shown":     {"a\rb\n", []string{"a␍b"}, "", nil},
		"mark":                  {"\xef\xbb\xbfa\n", []string{"a"}, "", []string{"it begins with a byte order mark"}},
		"UTF-16 little":         {"\xff\xfea\x00\n\x00\xfc\x00", []string{"a", "ü"}, "", []string{"UTF-16, little-endian"}},
		"UTF-16 big":            {"\xfe\xff\x00a\x00\r\x00\n\x00b", []string{"a", "b"}, "", []string{"UTF-16, big-endian", "lines end in CRLF"}},
		"half a UTF-16 unit":    {"\xff\xfea\x00b", []string{"a�"}, "", []string{"UTF-16, little-endian"}},
		"UTF-32":                {"\xff\xfe\x00\x00a\x00\x00\x00", nil, "application/octet-stream", nil},
		"UTF-16 without a mark": {"a\x00b\x00", nil, "application/octet-stream", nil},
		"invalid UTF-8":         {"gr\xfc\xdfe\n", []string{"gr�e"}, "", []string{"it is not valid UTF-8: a byte that is none is shown as �"}},
		"zero byte":             {"a\x00b", nil, "application/octet-stream", nil},
		"zero byte far away":    {strings.Repeat("a\n", 5000) + "b\x00c", append(slices.Repeat([]string{"a"}, 5000), "bc"), "", []string{"control and invisible characters are left out"}},
		"a picture":             {"\x89PNG\r\n\x1a\n\x00", nil, "image/png", nil},
		"a zip":                 {"PK\x03\x04\x00", nil, "application/zip", nil},
		"noise":                 {"\x01\x02\x03\x80\x81ab", nil, "application/octet-stream", nil},
		"bidirectional":         {"if (admin\u202e \u2066) {\n", []string{"if (admin ) {"}, "", []string{"control and invisible characters are left out"}},
		"invisible":             {"a\u200bb\ufeffc\U000e0041\u00add\n", []string{"abcd"}, "", []string{"control and invisible characters are left out"}},
		"escape sequence":       {"\x1b[31mred\x1b[0m\n", []string{"[31mred[0m"}, "", []string{"control and invisible characters are left out"}},
		"odd space":             {"a\u00a0b\u2028c\n", []string{"a b c"}, "", nil},
		"long line":             {strings.Repeat("ü", 2001) + "\nb\n", []string{strings.Repeat("ü", 2000) + "… [cut: this line has 2001 characters]", "b"}, "", nil},
		"as long as it may be":  {strings.Repeat("ü", 2000) + "\n", []string{strings.Repeat("ü", 2000)}, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFile([]byte(test.body))
			assert.Equal(t, PlainFile, f.Kind)
			assert.Equal(t, int64(len(test.body)), f.Size)
			assert.Equal(t, test.binary, f.Binary)
			assert.Equal(t, test.notes, f.Notes)
			assert.Equal(t, test.lines, shown(f))
			assert.Equal(t, len(test.lines), f.LineCount())
		})
	}
}

func TestLinesFrom(t *testing.T) {
	f := newFile([]byte("a\nb\nc\n"))
	assert.Equal(t, []string{"b", "c"}, slices.Collect(f.Lines(2)))
	assert.Empty(t, slices.Collect(f.Lines(4)))
	for line := range f.Lines(2) {
		assert.Equal(t, "b", line)
		break
	}
}

func TestPointersToLFS(t *testing.T) {
	for text, want := range map[string]bool{
		pointerText:                                                       true,
		strings.TrimSuffix(pointerText, "\n"):                             true,
		strings.ReplaceAll(pointerText, "\n", "\r\n"):                     true,
		strings.Replace(pointerText, "oid", "ext-0-foo sha256:1\noid", 1): true,
		pointerText + "more\n":                                            false,
		"# About LFS\n" + pointerText:                                     false,
		strings.Replace(pointerText, "73400320", "x", 1):                  false,
		strings.Replace(pointerText, "oid", strings.Repeat("y", 1024), 1): false,
	} {
		f := newFile([]byte(text))
		assert.Equal(t, want, f.Kind == LFSPointer, text)
		if want {
			assert.Equal(t, int64(73400320), f.Size)
			assert.Empty(t, shown(f))
		}
	}
}

// Whatever a file holds, nothing of it hides in what is shown.
func FuzzContent(f *testing.F) {
	for _, seed := range []string{"a\nb", "\xff\xfea\x00", pointerText, "\x00", "\u202e", "a\r\nb\rc", strings.Repeat("x", 3000)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		file := newFile(body)
		count := 0
		for line := range file.Lines(1) {
			count++
			require.True(t, utf8.ValidString(line))
			require.LessOrEqual(t, utf8.RuneCountInString(line), maxLine+60)
			for _, r := range line {
				require.True(t, r == '\t' || r == utf8.RuneError || visible(r) == r, "%q", r)
			}
		}
		require.Equal(t, file.LineCount(), count)
		require.True(t, file.Binary == "" || count == 0)
	})
}

func TestFolderLinksAreComparedByMeaning(t *testing.T) {
	for link, same := range map[string]bool{
		"/2.0/repositories/acme/api/src/h/a%26b%20c/":      true,
		"/2.0/repositories/acme/api/src/h/a&b%20c":         true,
		"/2.0/repositories/acme/api/src/h/a%26b%2520c/":    false,
		"/2.0/repositories/acme/api/src/h/a&b%20c/d":       false,
		"/2.0/repositories/acme/api/src/h/":                false,
		"/2.0/repositories/acme/api-secret/src/h/a&b%20c/": false,
		"/2.0/repositories/acme/api/src/h%2Fa&b%20c/":      false,
		"/2.0/repositories/acme/api/src/h/x/../a&b%20c/":   false,
	} {
		assert.Equal(t, same, sameFolder(link) == sameFolder("/2.0/repositories/acme/api/src/h/a&b%20c/"), link)
	}
}
