package sample

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

// rebuild makes b of a and the blocks, and counts the lines that changed.
func rebuild(a, b []string, blocks []block) (made []string, changed int) {
	at := 0
	for _, x := range blocks {
		made = append(made, a[at:x.a0]...)
		made = append(made, b[x.b0:x.b1]...)
		at = x.a1
		changed += x.a1 - x.a0 + x.b1 - x.b0
	}
	return append(made, a[at:]...), changed
}

// shortest is the number of changed lines by the textbook's table.
func shortest(a, b []string) int {
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := range a {
		for j := range b {
			if a[i] == b[j] {
				common[i+1][j+1] = common[i][j] + 1
			} else {
				common[i+1][j+1] = max(common[i][j+1], common[i+1][j])
			}
		}
	}
	return len(a) + len(b) - 2*common[len(a)][len(b)]
}

func TestComparingLines(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	draw := func() []string {
		lines := make([]string, random.IntN(30))
		for i := range lines {
			lines[i] = string(rune('a' + random.IntN(1+random.IntN(8))))
		}
		return lines
	}
	for range 2000 {
		a, b := draw(), draw()
		made, changed := rebuild(a, b, compareLines(a, b))
		assert.True(t, slices.Equal(b, made), "%v to %v gave %v", a, b, made)
		assert.Equal(t, shortest(a, b), changed, "%v to %v", a, b)
	}
}

func TestComparingLinesThatHaveLittleInCommon(t *testing.T) {
	a, b := []string{}, []string{}
	for i := range 3 * maxEdits {
		a = append(a, fmt.Sprint("a", i))
		b = append(b, fmt.Sprint("b", i))
	}
	a[0], b[0] = "same", "same"
	assert.Equal(t, []block{{1, len(a), 1, len(b)}}, compareLines(a, b))
}
