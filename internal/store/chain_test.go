package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/internal/audit"
	"bucketgate/internal/store"
)

func auditWriter(t *testing.T, s *store.Store, name string) *audit.Writer {
	t.Helper()
	w, err := audit.NewWriter(context.Background(), audit.Config{
		Writer: name, Key: s.Keyset(), Append: s.AppendAudit,
		Last: func(ctx context.Context) (audit.Head, error) { return s.LastAudit(ctx, name) },
	})
	require.NoError(t, err)
	return w
}

func verify(t *testing.T, s *store.Store) audit.Report {
	t.Helper()
	writers, err := s.AuditWriters(context.Background())
	require.NoError(t, err)
	report, err := audit.Verify(context.Background(), writers, s.EachAudit, s.Keyset(), nil)
	require.NoError(t, err)
	return report
}

func decided(i int) audit.Event {
	return audit.Event{ID: fmt.Sprintf("event-%d", i), Time: time.Now(), Caller: "claude", Role: "agent", Transport: "http", Tool: "get_repo",
		Scope: []string{"web", "web,api"}[i%2], Target: "api", Decision: audit.Denied, Reason: "matches no pattern", GrantVersion: "1f"}
}

// What the store reads back is what was signed, over a rotation and in another
// process too; and whatever is changed in the tables is found and named.
func TestWhoEditsTheAuditTablesIsFound(t *testing.T) {
	for name, statement := range map[string]string{
		"body":               `UPDATE audit_events SET body = CAST(replace(CAST(body AS TEXT), 'claude', 'nobody') AS BLOB) WHERE id = 'event-4'`,
		"MAC":                `UPDATE audit_events SET mac = (SELECT mac FROM audit_events WHERE id = 'event-5') WHERE id = 'event-4'`,
		"ID":                 `UPDATE audit_events SET id = 'x' WHERE id = 'event-4'`,
		"time":               `UPDATE audit_events SET time = time - 1 WHERE id = 'event-4'`,
		"caller":             `UPDATE audit_events SET caller = 'nobody' WHERE id = 'event-4'`,
		"tool":               `UPDATE audit_events SET tool = 'x' WHERE id = 'event-4'`,
		"scope":              `UPDATE audit_events SET scope = '' WHERE id = 'event-4'`,
		"target":             `UPDATE audit_events SET target = 'x' WHERE id = 'event-4'`,
		"decision":           `UPDATE audit_events SET decision = 'allowed' WHERE id = 'event-4'`,
		"writer":             `UPDATE audit_events SET writer = 'two' WHERE id = 'event-4'`,
		"number":             `UPDATE audit_events SET seq = 100 WHERE id = 'event-4'`,
		"removed":            `DELETE FROM audit_events WHERE id = 'event-4'`,
		"no longer listed":   `DELETE FROM audit_event_scopes WHERE n = (SELECT n FROM audit_events WHERE id = 'event-4')`,
		"listed elsewhere":   `UPDATE audit_event_scopes SET scope = 'docs' WHERE n = (SELECT n FROM audit_events WHERE id = 'event-4')`,
		"listed earlier":     `UPDATE audit_event_scopes SET time = 0 WHERE n = (SELECT n FROM audit_events WHERE id = 'event-4')`,
		"listed later":       `UPDATE audit_event_scopes SET time = (SELECT time FROM audit_events WHERE id = 'event-8') WHERE n = (SELECT n FROM audit_events WHERE id = 'event-4')`,
		"listed as allowed":  `UPDATE audit_event_scopes SET decision = 'allowed' WHERE n = (SELECT n FROM audit_events WHERE id = 'event-4')`,
		"listed for another": `UPDATE audit_event_scopes SET caller = 'nobody' WHERE n = (SELECT n FROM audit_events WHERE id = 'event-4')`,
		"one scope of two":   `DELETE FROM audit_event_scopes WHERE scope = 'api' AND n = (SELECT n FROM audit_events WHERE id = 'event-5')`,
	} {
		t.Run(name, func(t *testing.T) {
			config := newConfig(t)
			s := open(t, config)
			w := auditWriter(t, s, "one")
			for i := range 9 {
				require.NoError(t, w.Record(context.Background(), decided(i)))
			}
			require.NoError(t, w.Close(context.Background()))
			require.NoError(t, s.RotateKeys(context.Background()))
			require.Equal(t, audit.Report{Writers: 1, Events: 9}, verify(t, open(t, config)))

			edit(t, config, statement)
			report := verify(t, s)
			require.NotEmpty(t, report.Findings)
			named := fmt.Sprint(report.Findings)
			if name == "one scope of two" || name == "removed" || name == "number" {
				assert.Contains(t, named, "event-5", "the event, or the first after the gap")
			} else if name != "writer" {
				assert.Contains(t, named, "event-4")
			}
		})
	}
}

// Two stores write one chain: no number is given twice, and nothing is lost.
func TestTwoWritersOfOneChain(t *testing.T) {
	config := newConfig(t)
	const each = 40
	var ends []chan error
	for _, s := range []*store.Store{open(t, config), open(t, config)} {
		w, end := auditWriter(t, s, "shared"), make(chan error, 1)
		ends = append(ends, end)
		go func() {
			var err error
			for i := 0; i < each && err == nil; i++ {
				err = w.Record(context.Background(), decided(i))
			}
			if err == nil {
				err = w.Close(context.Background())
			}
			end <- err
		}()
	}
	for _, end := range ends {
		require.NoError(t, <-end)
	}
	assert.Equal(t, audit.Report{Writers: 1, Events: 2 * each}, verify(t, open(t, config)))
}
