package bitbucket

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"iter"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxLine is how many characters of a line are shown. What is longer was
// written by a program and is read by none who pays by the token.
const maxLine = 2000

var lfsPointer = regexp.MustCompile(`\Aversion https://git-lfs\.github\.com/spec/v1\r?\n(?:[a-z0-9.-]+ [^\n]*\n)*?size ([0-9]{1,18})\r?\n?\z`)

// newFile reads the content of a file.
func newFile(body []byte) File {
	file := File{Kind: PlainFile, Size: int64(len(body))}
	if pointer := lfsPointer.FindSubmatch(body[:min(len(body), 1024)]); pointer != nil && len(body) <= 1024 {
		file.Kind = LFSPointer
		file.Size, _ = strconv.ParseInt(string(pointer[1]), 10, 64) // digits that fit
		return file
	}
	text, notes, ok := decode(body)
	if !ok {
		file.Binary = mediaType(body)
		return file
	}
	if strings.Contains(text, "\r\n") {
		text, notes = strings.ReplaceAll(text, "\r\n", "\n"), append(notes, "lines end in CRLF")
	}
	if hidesSomething(text) {
		notes = append(notes, "control and invisible characters are left out")
	}
	file.text, file.Notes = text, notes
	return file
}

// mediaType is what the content looks like: a name's extension is only what
// somebody has called it.
func mediaType(body []byte) string {
	found, _, _ := strings.Cut(http.DetectContentType(body), ";")
	if strings.HasPrefix(found, "text/") {
		return "application/octet-stream"
	}
	return found
}

// decode returns the content as UTF-8 and what was done for it; false for what
// is no text.
func decode(body []byte) (text string, notes []string, ok bool) {
	switch {
	case bytes.HasPrefix(body, []byte("\xff\xfe\x00\x00")): // UTF-32, which nobody uses, or no text
		return "", nil, false
	case bytes.HasPrefix(body, []byte("\xff\xfe")):
		return decodeUTF16(body[2:], binary.LittleEndian), []string{"UTF-16, little-endian"}, true
	case bytes.HasPrefix(body, []byte("\xfe\xff")):
		return decodeUTF16(body[2:], binary.BigEndian), []string{"UTF-16, big-endian"}, true
	}
	if rest, found := bytes.CutPrefix(body, []byte("\xef\xbb\xbf")); found {
		body, notes = rest, []string{"it begins with a byte order mark"}
	}
	if isBinary(body) {
		return "", nil, false
	}
	if !utf8.Valid(body) {
		notes = append(notes, "it is not valid UTF-8: a byte that is none is shown as �")
	}
	return strings.ToValidUTF8(string(body), "�"), notes, true
}

func decodeUTF16(body []byte, order binary.ByteOrder) string {
	units := make([]uint16, 0, len(body)/2+1)
	for ; len(body) >= 2; body = body[2:] {
		units = append(units, order.Uint16(body))
	}
	if len(body) > 0 {
		units = append(units, utf8.RuneError)
	}
	return string(utf16.Decode(units))
}

// isBinary is git's guess, a zero byte near the beginning, and more than a
// third of bytes that no text has.
func isBinary(body []byte) bool {
	head := body[:min(len(body), 8000)]
	odd := 0
	for rest := head; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		switch {
		case r == 0:
			return true
		case r == utf8.RuneError && size == 1, r < ' ' && !strings.ContainsRune("\t\n\r\f\b\x1b", r):
			odd++
		}
		rest = rest[size:]
	}
	return odd*3 > len(head)
}

// LineCount returns how many lines the text has.
func (f File) LineCount() int {
	count := strings.Count(f.text, "\n")
	if f.text != "" && !strings.HasSuffix(f.text, "\n") {
		count++
	}
	return count
}

// Lines goes through the lines of the text from one on, the first being 1, each
// without its end, cleaned, and cut where it is very long.
func (f File) Lines(from int) iter.Seq[string] {
	return func(yield func(string) bool) {
		number := 0
		for line := range strings.Lines(f.text) {
			if number++; number >= from && !yield(cleanLine(strings.TrimSuffix(line, "\n"))) {
				return
			}
		}
	}
}

func cleanLine(line string) string {
	if len(line) <= maxLine {
		return cleanBlock(line)
	}
	length := utf8.RuneCountInString(line)
	if length <= maxLine {
		return cleanBlock(line)
	}
	return cleanBlock(string([]rune(line)[:maxLine])) + fmt.Sprintf("… [cut: this line has %d characters]", length)
}
