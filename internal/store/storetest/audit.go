package storetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/internal/audit"
	"bucketgate/internal/store"
)

var start = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// record returns a record whose MAC tells it from others.
func record(writer string, seq int64) audit.Record {
	return recordOf(writer, seq, audit.Event{
		ID: fmt.Sprintf("%s-%d", writer, seq), Time: start.Add(time.Duration(seq) * time.Second), Caller: "claude", Role: "agent", Transport: "http", From: "192.0.2.7",
		Tool: "get_repo", Scope: "web", Target: "api", Decision: audit.Allowed, Reason: "found", GrantVersion: "1f",
	})
}

func recordOf(writer string, seq int64, e audit.Event) audit.Record {
	body, _ := json.Marshal(e) // an event always marshals
	return audit.Record{Writer: writer, Seq: seq, Event: e, Body: body, MAC: fmt.Appendf(nil, "mac %s %d", writer, seq)}
}

func list(t testing.TB, s *store.Store, f audit.Filter) []audit.Record {
	t.Helper()
	records, _, err := s.ListAudit(context.Background(), f, 1000, "")
	require.NoError(t, err)
	return records
}

func auditAppend(t *testing.T, open Open) {
	s, other := open(t), open(t)
	ctx := context.Background()
	one, two, three := record("w", 1), record("w", 2), record("w", 3)
	require.NoError(t, s.AppendAudit(ctx, []audit.Record{one, two}))
	assert.Equal(t, []audit.Record{two, one}, list(t, other, audit.Filter{}), "the newest first, every field, also those without a column")
	require.NoError(t, s.AppendAudit(ctx, nil))

	require.NoError(t, s.AppendAudit(ctx, []audit.Record{two, three}), "what is there already counts as written")
	assert.Len(t, list(t, s, audit.Filter{}), 3)
	taken := record("w", 3)
	taken.MAC = []byte("of somebody else")
	err := other.AppendAudit(ctx, []audit.Record{record("w", 4), taken, record("w", 5)})
	assert.ErrorIs(t, err, audit.ErrBehind)
	assert.Len(t, list(t, s, audit.Filter{}), 3, "all or none")
	assert.Equal(t, three.MAC, list(t, s, audit.Filter{})[0].MAC)
}

// A group is written some records at a time, of which some may be there.
func auditAppendMany(t *testing.T, open Open) {
	ctx := context.Background()
	s := open(t)
	for _, count := range []int64{1, 15, 16, 17, 50} {
		writer := fmt.Sprintf("group of %d", count)
		next := func(seq int64) audit.Record {
			e := record(writer, seq).Event
			e.Caller = writer
			return recordOf(writer, seq, e)
		}
		var all []audit.Record
		for seq := range count {
			all = append(all, next(seq+1))
		}
		last := len(all) - 1
		require.NoError(t, s.AppendAudit(ctx, []audit.Record{all[0], all[last/2]}))
		require.NoError(t, s.AppendAudit(ctx, append(slices.Clone(all), all[last])), "twice in a group is once in the log")
		found := func() int { return len(list(t, s, audit.Filter{Caller: writer})) }
		assert.Len(t, all, found())
		assert.Len(t, list(t, s, audit.Filter{Caller: writer, Scope: "web"}), len(all))

		taken := all[last]
		taken.MAC = []byte("of somebody else")
		assert.ErrorIs(t, s.AppendAudit(ctx, append(slices.Clone(all), next(count+1), taken)), audit.ErrBehind)
		assert.Len(t, all, found(), "all or none")
	}
}

func auditWithChange(t *testing.T, open Open) {
	s := open(t)
	change := func(r audit.Record, name string, outcome error) error {
		return s.Update(context.Background(), func(tx *store.Tx) error {
			if _, err := tx.CreateProvider(store.Provider{Name: name}); err != nil {
				return err
			}
			if err := tx.AppendAudit(r); err != nil {
				return err
			}
			return outcome
		})
	}
	require.NoError(t, change(record("w", 1), "acme", nil))
	assert.Error(t, change(record("w", 2), "half", errors.New("no")))
	behind := record("w", 1)
	behind.MAC = []byte("other")
	assert.ErrorIs(t, change(behind, "half", nil), audit.ErrBehind)
	assert.ErrorIs(t, change(record("w", 2), "acme", nil), store.ErrExists)
	assert.Equal(t, []string{"acme"}, providerNames(t, s))
	assert.Len(t, list(t, s, audit.Filter{}), 1)
}

// Every filter chooses what audit.Filter says it chooses.
func auditFilters(t *testing.T, open Open) {
	s := open(t)
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(texts ...string) string { return texts[random.IntN(len(texts))] }
	var all []audit.Record
	for seq := range int64(150) {
		e := record("w", seq).Event
		e.Time = start.Add(time.Duration(random.IntN(40)) * time.Microsecond)
		e.Caller, e.Tool = pick("claude", "zoe", ""), pick("get_repo", "list_repos", "")
		e.Scope = pick("", "web", "api", "web,api", "api,web,docs", "web,web", "we")
		e.Decision = audit.Decision(pick("allowed", "denied", "allowed"))
		all = append(all, recordOf("w", seq+1, e))
	}
	require.NoError(t, s.AppendAudit(context.Background(), all))
	// The order is by time and, where that is equal, of arrival.
	newest := slices.Clone(all)
	slices.SortStableFunc(newest, func(a, b audit.Record) int {
		if c := b.Event.Time.Compare(a.Event.Time); c != 0 {
			return c
		}
		return int(b.Seq - a.Seq)
	})
	for range 150 {
		f := audit.Filter{Caller: pick("", "", "claude", "zoe", "none"), Tool: pick("", "", "get_repo", "none"), Scope: pick("", "", "web", "api", "docs", "none"),
			Decision: audit.Decision(pick("", "allowed", "denied", "other"))}
		if random.IntN(2) == 0 {
			f.Since = start.Add(time.Duration(random.IntN(40000)) * time.Nanosecond)
		}
		if random.IntN(2) == 0 {
			f.Until = start.Add(time.Duration(random.IntN(40000)) * time.Nanosecond)
		}
		var want []string
		for _, r := range newest {
			if f.Matches(r.Event) {
				want = append(want, r.Event.ID)
			}
		}
		require.Equal(t, want, names(list(t, s, f), func(r audit.Record) string { return r.Event.ID }), "%+v", f)
		require.Equal(t, want, names(paged(t, s, f, 7), func(r audit.Record) string { return r.Event.ID }), "%+v in pages", f)
	}
}

func paged(t *testing.T, s *store.Store, f audit.Filter, limit int) []audit.Record {
	t.Helper()
	var all []audit.Record
	for cursor := store.AuditCursor(""); ; {
		page, next, err := s.ListAudit(context.Background(), f, limit, cursor)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page), limit)
		all = append(all, page...)
		if next == "" {
			return all
		}
		cursor = next
	}
}

func auditPages(t *testing.T, open Open) {
	s := open(t)
	ctx := context.Background()
	for seq := range int64(6) {
		require.NoError(t, s.AppendAudit(ctx, []audit.Record{record("w", seq+1)}))
	}
	page, next, err := s.ListAudit(ctx, audit.Filter{}, 4, "")
	require.NoError(t, err)
	require.Len(t, page, 4)
	require.NoError(t, s.AppendAudit(ctx, []audit.Record{record("w", 7)}), "what comes meanwhile shifts no page")
	page, next, err = s.ListAudit(ctx, audit.Filter{}, 4, next)
	require.NoError(t, err)
	assert.Equal(t, []int64{2, 1}, []int64{page[0].Seq, page[1].Seq})
	assert.Empty(t, next)
	for _, wrong := range []store.AuditCursor{"x", "1", "1.x", "'; DROP TABLE audit_events; --"} {
		_, _, err = s.ListAudit(ctx, audit.Filter{}, 4, wrong)
		assert.Error(t, err)
	}
	page, next, err = s.ListAudit(ctx, audit.Filter{}, 0, "")
	require.NoError(t, err)
	assert.Empty(t, page)
	assert.Empty(t, next)
}

func auditChains(t *testing.T, open Open) {
	s := open(t)
	ctx := context.Background()
	head, err := s.LastAudit(ctx, "b")
	require.NoError(t, err)
	assert.Equal(t, audit.Head{}, head)
	writers, err := s.AuditWriters(ctx)
	require.NoError(t, err)
	assert.Empty(t, writers)

	var records []audit.Record
	for seq := range int64(1200) { // more than two pages
		r := record("b", seq+1)
		r.Event.Scope = []string{"", "web", "web,api"}[seq%3]
		records = append(records, recordOf("b", seq+1, r.Event))
	}
	require.NoError(t, s.AppendAudit(ctx, append(records, record("a", 1), record("c", 1))))
	writers, err = s.AuditWriters(ctx)
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "b", "c"}, writers)
	head, err = s.LastAudit(ctx, "b")
	require.NoError(t, err)
	assert.Equal(t, audit.Head{Seq: 1200, MAC: records[1199].MAC, ID: "b-1200"}, head)

	var seen []audit.Record
	require.NoError(t, s.EachAudit(ctx, "b", func(r audit.Record) error {
		seen = append(seen, r)
		return nil
	}))
	assert.Equal(t, records, seen)
	stop := errors.New("enough")
	count := 0
	err = s.EachAudit(ctx, "b", func(audit.Record) error {
		if count++; count == 600 {
			return stop
		}
		return nil
	})
	assert.ErrorIs(t, err, stop)
	assert.Equal(t, 600, count)
	require.NoError(t, s.EachAudit(ctx, "nobody", func(audit.Record) error { return stop }))
}

// Whatever a caller may send can be written and reads back as it was.
func auditText(t *testing.T, open Open) {
	s := open(t)
	for seq, text := range []string{"", "a'b\"c`d;--", "line\nbreak\r\t", "\u202e\u200b\x1b[31m", "日本語 🪣", string(bytes.Repeat([]byte("x"), 100_000))} {
		e := record("w", 1).Event
		e.Target, e.Caller, e.Tool, e.Scope, e.Reason = text, text, text, text, text
		r := recordOf("w", int64(seq)+1, e)
		require.NoError(t, s.AppendAudit(context.Background(), []audit.Record{r}))
		page, _, err := s.ListAudit(context.Background(), audit.Filter{Caller: text, Tool: text, Scope: text}, 1, "")
		require.NoError(t, err)
		require.Equal(t, []audit.Record{r}, page)
	}
}
