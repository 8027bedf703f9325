package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPercentileIsTheNearestRank(t *testing.T) {
	values := []time.Duration{50, 15, 40, 20, 35}
	for p, want := range map[float64]time.Duration{0: 15, 5: 15, 30: 20, 40: 20, 50: 35, 99: 50, 100: 50} {
		assert.Equal(t, want, percentile(values, p), "p%v", p)
	}
	assert.Equal(t, []time.Duration{50, 15, 40, 20, 35}, values, "the values stay in their order")
	assert.Zero(t, percentile(nil, 50))
	assert.Equal(t, time.Duration(7), median([]time.Duration{7}))
}

func TestInterleavedTakesTurnsAndForgetsTheWarmUp(t *testing.T) {
	var turns strings.Builder
	taking := func(name string, took ...time.Duration) func() (time.Duration, error) {
		n := 0
		return func() (time.Duration, error) {
			turns.WriteString(name)
			n++
			return took[n-1], nil
		}
	}
	a, b, err := interleaved(1, 3, taking("a", 1000, 1, 2, 3), taking("b", 1000, 30, 20, 10))
	require.NoError(t, err)
	assert.Equal(t, "abababab", turns.String())
	assert.Equal(t, time.Duration(2), a)
	assert.Equal(t, time.Duration(20), b)

	broken := errors.New("broken")
	_, _, err = interleaved(0, 1, taking("a", 1), func() (time.Duration, error) { return 0, broken })
	assert.ErrorIs(t, err, broken)
}

func TestJudged(t *testing.T) {
	assert.Equal(t, finding{"a", "1.50 ×", "≤ 1.50 ×", "ok"}, judged("a", 1.5, 1.5, inTimes, ""))
	assert.Equal(t, finding{"b", "0.500 ms  (why)", "≤ 0.350 ms", "misses by 0.150 ms"}, judged("b", 0.5, 0.35, inMilliseconds, "why"))
	assert.Equal(t, finding{"c", "60.1 KB", "≤ 60.0 KB", "misses by 0.1 KB"}, judged("c", 60_100, 60_000, inKB, ""))
}

func TestPrintTable(t *testing.T) {
	var out strings.Builder
	require.NoError(t, printTable(&out, []finding{
		judged("first", 3, 2, inCount("calls"), ""), judged("second", 1, 2, inTimes, ""), told("third", "x"),
	}))
	assert.Equal(t, `WHAT    MEASURED  TARGET     VERDICT
first   3 calls   ≤ 2 calls  misses by 1 calls
second  1.00 ×    ≤ 2.00 ×   ok
third   x         -          -

3 lines, 1 misses.
`, out.String())
}

func TestPatternCasesAreCountedAsWritten(t *testing.T) {
	slugs := []string{"duplocloud-a", "duplocloud-poc", "web-tests", "web"}
	for want, scopes := range map[string][][]string{
		"1111": {{}},
		"1100": {{"^duplocloud-.*"}},
		"1000": {{"duplocloud-.*", "!.*-poc"}},
		"0011": {{"!duplocloud-.*"}},
		"1110": {{"duplocloud-.*"}, {".*-tests"}},
		"0001": {{"we|web"}},
	} {
		got := ""
		for _, slug := range slugs {
			if (patternCase{scopes: scopes}).allows(slug) {
				got += "1"
			} else {
				got += "0"
			}
		}
		assert.Equal(t, want, got, "%q", scopes)
	}
}
