package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"bucketgate/internal/audit"
	"bucketgate/internal/store"
)

var auditStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func auditEvents() int64 {
	if n, err := strconv.ParseInt(os.Getenv("BENCH_AUDIT_EVENTS"), 10, 64); err == nil {
		return n
	}
	return 100_000
}

// benchRecord is one of many: one caller makes most calls, a few are denied,
// and one tool and one scope are hardly used.
func benchRecord(seq int64) audit.Record {
	e := audit.Event{ID: audit.NewID(), Time: auditStart.Add(time.Duration(seq) * time.Second), Caller: "client-" + strconv.FormatInt(seq%20, 10), Role: "agent",
		Transport: "http", Tool: []string{"get_repo", "list_repos", "list_branches"}[seq%3], Scope: []string{"web", "api", "web,api"}[seq%3],
		Target: "acme/api", Decision: audit.Allowed, Reason: "found", GrantVersion: "0123456789abcdef"}
	switch {
	case seq%2 == 0:
		e.Caller = "client-7"
	case seq%101 == 0:
		e.Decision = audit.Denied
	}
	if seq%50_000 == 49_999 {
		e.Tool, e.Scope = "rare", "rare"
	}
	body, _ := json.Marshal(e) // an event always marshals
	return audit.Record{Writer: "w", Seq: seq, Event: e, Body: body, MAC: fmt.Appendf(nil, "%037d", seq)}
}

func fillAudit(b *testing.B, s *store.Store, count int64) int64 {
	b.Helper()
	seq := int64(0)
	for seq < count {
		var records []audit.Record
		for range min(2000, count-seq) {
			seq++
			records = append(records, benchRecord(seq))
		}
		require.NoError(b, s.AppendAudit(context.Background(), records))
	}
	return seq
}

// BenchmarkEachAudit reads the whole log as a check of the chain does.
func BenchmarkEachAudit(b *testing.B) {
	s, err := store.Open(b.Context(), newConfig(b))
	require.NoError(b, err)
	defer s.Close()
	want := fillAudit(b, s, auditEvents())
	b.ResetTimer()
	for b.Loop() {
		var events int64
		require.NoError(b, s.EachAudit(b.Context(), "w", func(audit.Record) error { events++; return nil }))
		require.Equal(b, want, events)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(want), "µs/event")
}
