package audit

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func BenchmarkRecordAnAllowedRead(b *testing.B) {
	config := Config{
		Writer: "one", Key: testKey, Queue: 1 << 20,
		Append: func(context.Context, []Record) error { return nil },
		Last:   func(context.Context) (Head, error) { return Head{}, nil },
	}
	w, err := NewWriter(b.Context(), config)
	require.NoError(b, err)
	e := read("acme/api")
	for b.Loop() {
		for {
			err := w.Record(b.Context(), e)
			if err == nil {
				break
			}
			if !errors.Is(err, ErrUnavailable) {
				b.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
	}
	require.NoError(b, w.Close(b.Context()))
}

func BenchmarkVerify(b *testing.B) {
	const events = 10000
	m := newMemory()
	m.chains["one"] = signedChain(b, "one", events)
	b.ReportAllocs()
	for b.Loop() {
		report, err := Verify(b.Context(), []string{"one"}, m.each, testKey, nil)
		if err != nil || !report.OK() {
			b.Fatal(report, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/events, "ns/event")
}
