package sample

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// blocks are the lines that changed, and the lines of both sides.
func (k comparison) blocks(c change) (blocks []block, a, b []string) {
	if c.old != nil {
		a = splitLines(c.old.file.text())
	}
	if c.new != nil {
		b = splitLines(c.new.file.text())
	}
	if k.whitespace {
		return compareLines(a, b), a, b
	}
	return compareLines(squeezed(a), squeezed(b)), a, b
}

// text is what a diff shows of a file.
func (f File) text() []byte {
	if f.Submodule != "" {
		return []byte("Subproject commit " + f.Submodule + "\n")
	}
	return f.Content
}

// squeezed returns the lines without their spaces.
func squeezed(lines []string) []string {
	bare := make([]string, len(lines))
	for i, line := range lines {
		bare[i] = strings.Map(func(r rune) rune {
			if unicode.IsSpace(r) {
				return -1
			}
			return r
		}, line)
	}
	return bare
}

func (c change) binary() bool {
	return c.old != nil && c.old.file.binary() || c.new != nil && c.new.file.binary()
}

// hidden says whether the parameters leave the change out.
func (k comparison) hidden(c change) bool {
	if c.binary() {
		return !k.binary
	}
	if k.whitespace || c.status() != "modified" || c.old.file.mode() != c.new.file.mode() {
		return false
	}
	blocks, _, _ := k.blocks(c)
	return len(blocks) == 0
}

// write writes the change as git does.
func (k comparison) write(w *bytes.Buffer, c change) {
	from, to := cmp.Or(c.old, c.new), cmp.Or(c.new, c.old)
	fmt.Fprintf(w, "diff --git %s %s\n", quoted("a/"+from.path), quoted("b/"+to.path))
	c.writeModes(w)
	if c.old != nil && c.new != nil && c.old.file.blob() == c.new.file.blob() {
		return
	}
	c.writeIndex(w)
	oldName, newName := "/dev/null", "/dev/null"
	if c.old != nil {
		oldName = quoted("a/" + c.old.path)
	}
	if c.new != nil {
		newName = quoted("b/" + c.new.path)
	}
	if c.binary() {
		fmt.Fprintf(w, "Binary files %s and %s differ\n", oldName, newName)
		return
	}
	blocks, a, b := k.blocks(c)
	if len(blocks) == 0 { // an empty file
		return
	}
	fmt.Fprintf(w, "--- %s\n+++ %s\n", ended(oldName), ended(newName))
	for len(blocks) > 0 {
		n := k.together(blocks)
		k.writeHunk(w, blocks[:n], a, b)
		blocks = blocks[n:]
	}
}

// ended puts a tab behind a name with a space, as git does: who reads it must
// know where the name ends.
func ended(name string) string {
	if strings.Contains(name, " ") && name[0] != '"' {
		return name + "\t"
	}
	return name
}

func (c change) writeModes(w *bytes.Buffer) {
	switch {
	case c.old == nil:
		fmt.Fprintf(w, "new file mode %s\n", c.new.file.mode())
		return
	case c.new == nil:
		fmt.Fprintf(w, "deleted file mode %s\n", c.old.file.mode())
		return
	case c.old.file.mode() != c.new.file.mode():
		fmt.Fprintf(w, "old mode %s\nnew mode %s\n", c.old.file.mode(), c.new.file.mode())
	}
	if c.renamed() {
		fmt.Fprintf(w, "similarity index %d%%\nrename from %s\nrename to %s\n", c.alike, quoted(c.old.path), quoted(c.new.path))
	}
}

func (c change) writeIndex(w *bytes.Buffer) {
	before, after, mode := "0000000", "0000000", ""
	if c.old != nil {
		before = c.old.file.blob()[:7]
	}
	if c.new != nil {
		after = c.new.file.blob()[:7]
	}
	if c.old != nil && c.new != nil && c.old.file.mode() == c.new.file.mode() {
		mode = " " + c.new.file.mode()
	}
	fmt.Fprintf(w, "index %s..%s%s\n", before, after, mode)
}

// together counts the blocks that share a hunk, because the lines around them
// meet.
func (k comparison) together(blocks []block) int {
	n := 1
	for n < len(blocks) && blocks[n].a0-blocks[n-1].a1 <= 2*k.context {
		n++
	}
	return n
}

func (k comparison) writeHunk(w *bytes.Buffer, blocks []block, a, b []string) {
	first, last := blocks[0], blocks[len(blocks)-1]
	before := min(k.context, first.a0, first.b0)
	after := min(k.context, len(a)-last.a1, len(b)-last.b1)
	a0, b0, a1, b1 := first.a0-before, first.b0-before, last.a1+after, last.b1+after
	fmt.Fprintf(w, "@@ -%s +%s @@%s\n", span(a0, a1), span(b0, b1), heading(a[:a0]))
	// With spaces ignored the lines that stay are shown as they are now.
	shown := b0
	for _, at := range blocks {
		writeLines(w, ' ', b[shown:at.b0])
		writeLines(w, '-', a[at.a0:at.a1])
		writeLines(w, '+', b[at.b0:at.b1])
		shown = at.b1
	}
	writeLines(w, ' ', b[shown:b1])
}

// span is the first line, counted from one, and how many there are. No lines
// are counted from the line before.
func span(from, to int) string {
	switch to - from {
	case 0:
		return fmt.Sprintf("%d,0", from)
	case 1:
		return fmt.Sprint(from + 1)
	}
	return fmt.Sprintf("%d,%d", from+1, to-from)
}

// heading is the last line above a hunk that looks like the head of a function.
func heading(above []string) string {
	for _, line := range slices.Backward(above) {
		if c := line[0]; c == '_' || c == '$' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			return " " + strings.TrimRight(line[:min(len(line), 80)], " \t\r\n")
		}
	}
	return ""
}

func writeLines(w *bytes.Buffer, mark byte, lines []string) {
	for _, line := range lines {
		w.WriteByte(mark)
		w.WriteString(line)
		if !strings.HasSuffix(line, "\n") {
			w.WriteString("\n\\ No newline at end of file\n")
		}
	}
}
