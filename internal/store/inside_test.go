package store

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/internal/audit"
	"bucketgate/internal/secret"
)

// This file is inside the package because a full disk is made with a limit of
// SQLite's on the store's own connection, and because it asks SQLite for its
// plans.

func openHere(t testing.TB) *Store {
	t.Helper()
	s, err := Open(context.Background(), Config{
		Database:  filepath.Join(t.TempDir(), "bucketgate.db"),
		MasterKey: func() (secret.MasterKey, error) { return secret.NewMasterKey(), nil },
	})
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func TestFullDisk(t *testing.T) {
	s := openHere(t)
	var pages int
	require.NoError(t, s.writer.QueryRow(`PRAGMA page_count`).Scan(&pages))
	_, err := s.writer.Exec(fmt.Sprintf(`PRAGMA max_page_count = %d`, pages+2))
	require.NoError(t, err)
	count := 0
	for err == nil {
		err = s.Update(context.Background(), func(tx *Tx) error {
			_, err := tx.CreateProvider(Provider{Name: fmt.Sprint(count), Description: strings.Repeat("x", 1000)})
			return err
		})
		if count++; count > 1000 {
			t.Fatal("the disk never filled up")
		}
	}
	require.ErrorIs(t, err, ErrFull)
	assert.EqualError(t, err, "the disk of the database "+s.path+" is full; nothing was changed")
	var stored int
	require.NoError(t, s.reader.QueryRow(`SELECT count(*) FROM providers`).Scan(&stored))
	assert.Equal(t, count-1, stored)

	_, err = s.writer.Exec(`PRAGMA max_page_count = 100000`)
	require.NoError(t, err)
	require.NoError(t, s.Update(context.Background(), func(tx *Tx) error {
		_, err := tx.CreateProvider(Provider{Name: "room again"})
		return err
	}))
	require.NoError(t, s.Check(context.Background()))
}

// Every list of events walks along an index, in the order of the list: none
// reads or sorts the whole log.
func TestListsOfEventsTakeAnIndex(t *testing.T) {
	s := openHere(t)
	when := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	for i := range 64 {
		var f audit.Filter
		var after AuditCursor
		set := func(bit int, do func()) {
			if i&(1<<bit) != 0 {
				do()
			}
		}
		set(0, func() { f.Caller = "claude" })
		set(1, func() { f.Tool = "get_repo" })
		set(2, func() { f.Scope = "web" })
		set(3, func() { f.Decision = audit.Denied })
		set(4, func() { f.Since, f.Until = when, when.Add(time.Hour) })
		set(5, func() { after = cursorAt(when, 7) })
		query, args, err := auditQuery(f, 50, after)
		require.NoError(t, err)
		plan := planOf(t, s, query, args)
		assert.NotContains(t, plan, "TEMP B-TREE", "%+v", f)
		for _, table := range []string{"SCAN e\n", "SCAN s\n"} {
			assert.NotContains(t, plan, table, "%+v", f)
		}
		if f.Decision == audit.Denied && (f.Caller == "" || f.Tool == "") { // both together are fewer yet
			assert.Contains(t, plan, "audit_denied", "%+v", f)
		}
	}
}

// Nor does what a call asks read a whole table.
func TestWhatACallAsksTakesAnIndex(t *testing.T) {
	s := openHere(t)
	for _, query := range []string{
		clientQuery + ` WHERE key_prefix = ?`,
		`SELECT s.name FROM client_scopes h JOIN scopes s ON s.id = h.scope_id WHERE h.client_id = ?`,
		scopeQuery + ` WHERE s.name IN (?, ?)`,
		sealedQuery + ` WHERE v.credential_id = ? AND v.name = ?`,
		`SELECT seq, mac, id FROM audit_events WHERE writer = ? ORDER BY seq DESC LIMIT 1`,
	} {
		plan := planOf(t, s, query, []any{"x", "y"}[:strings.Count(query, "?")])
		assert.NotContains(t, plan, "SCAN", query)
	}
}

func planOf(t *testing.T, s *Store, query string, args []any) string {
	t.Helper()
	rows, err := s.reader.Query(`EXPLAIN QUERY PLAN `+query, args...)
	require.NoError(t, err)
	defer rows.Close()
	var plan strings.Builder
	for rows.Next() {
		var id, parent, unused int
		var line string
		require.NoError(t, rows.Scan(&id, &parent, &unused, &line))
		plan.WriteString(line + "\n")
	}
	require.NoError(t, rows.Err())
	return plan.String()
}
