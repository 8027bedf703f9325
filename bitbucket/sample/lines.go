package sample

import (
	"slices"
	"strings"
)

// block is a place where two files differ: the lines a0 to a1 of the old one
// became the lines b0 to b1 of the new one.
type block struct{ a0, a1, b0, b1 int }

// maxEdits bounds the search for a short difference, whose cost grows with the
// square. Files that differ more differ as a whole, which is true as well.
const maxEdits = 1000

// splitLines keeps the ends of lines: a missing last one is a difference.
func splitLines(text []byte) []string {
	if len(text) == 0 {
		return nil
	}
	return slices.Collect(strings.Lines(string(text)))
}

// compareLines returns how a becomes b, in order.
func compareLines(a, b []string) []block {
	head := 0
	for head < min(len(a), len(b)) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < min(len(a), len(b))-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	a, b = a[head:len(a)-tail], b[head:len(b)-tail]
	var blocks []block
	at := block{}
	for _, pair := range append(shortestEdit(a, b), [2]int{len(a), len(b)}) {
		at.a1, at.b1 = pair[0], pair[1]
		if at.a1 > at.a0 || at.b1 > at.b0 {
			blocks = append(blocks, block{at.a0 + head, at.a1 + head, at.b0 + head, at.b1 + head})
		}
		at.a0, at.b0 = pair[0]+1, pair[1]+1
	}
	return blocks
}

// shortestEdit returns the pairs of lines that stay, after E. Myers, "An O(ND)
// difference algorithm" (1986); none if there are more than maxEdits changes.
//
// After d changes, reach[k] is the furthest line of a on the diagonal k, where
// line x of a lies beside line x-k of b, or -1.
func shortestEdit(a, b []string) [][2]int {
	limit := min(len(a)+len(b), maxEdits)
	e := edit{a: a, b: b, middle: limit + 1}
	reach := slices.Repeat([]int32{-1}, 2*limit+3)
	var before [][]int32
	for d := 0; d <= limit; d++ {
		before = append(before, slices.Clone(reach))
		for k := -d; k <= d; k += 2 {
			x, _ := e.step(before[d], d, k)
			for x >= 0 && x < len(a) && x-k < len(b) && a[x] == b[x-k] {
				x++
			}
			reach[e.middle+k] = int32(x)
			if x == len(a) && x-k == len(b) {
				return e.walkBack(before)
			}
		}
	}
	return nil
}

type edit struct {
	a, b   []string
	middle int // of the slices by diagonal
}

// step returns where the d-th change leads on a diagonal: a line of a left out,
// or one of b put in, whichever gets further. It is -1 if neither can be.
func (e edit) step(reach []int32, d, k int) (x int, inserted bool) {
	if d == 0 {
		return 0, false
	}
	x = -1
	if left := int(reach[e.middle+k-1]); left >= 0 && left < len(e.a) {
		x = left + 1
	}
	if above := int(reach[e.middle+k+1]); above > x && above-k <= len(e.b) {
		return above, true
	}
	return x, false
}

func (e edit) walkBack(before [][]int32) [][2]int {
	var pairs [][2]int
	x, k := len(e.a), len(e.a)-len(e.b)
	for d := len(before) - 1; d >= 0; d-- {
		from, inserted := e.step(before[d], d, k)
		for ; x > from; x-- {
			pairs = append(pairs, [2]int{x - 1, x - 1 - k})
		}
		if inserted {
			k++
		} else {
			k--
			x--
		}
	}
	slices.Reverse(pairs)
	return pairs
}
