package main

import (
	"math"
	"slices"
	"time"
)

// percentile returns the smallest value that p per cent of the values do not
// exceed (the nearest rank), 0 of none.
func percentile(values []time.Duration, p float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

func median(values []time.Duration) time.Duration { return percentile(values, 50) }

// interleaved does a and b in turn, so that what disturbs one disturbs the
// other too, and returns the median of each. The first rounds only warm up.
func interleaved(warmUp, rounds int, a, b func() (time.Duration, error)) (medianA, medianB time.Duration, err error) {
	tookA, tookB := make([]time.Duration, 0, rounds), make([]time.Duration, 0, rounds)
	for i := range warmUp + rounds {
		oneA, err := a()
		if err != nil {
			return 0, 0, err
		}
		oneB, err := b()
		if err != nil {
			return 0, 0, err
		}
		if i >= warmUp {
			tookA, tookB = append(tookA, oneA), append(tookB, oneB)
		}
	}
	return median(tookA), median(tookB), nil
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }

// spread returns the most and the median of the tokens of values.
func spread(values []any) (most, middle int, err error) {
	counts, err := countTokens(values...)
	if err != nil || len(counts) == 0 {
		return 0, 0, err
	}
	slices.Sort(counts)
	return counts[len(counts)-1], counts[(len(counts)-1)/2], nil
}
