package main

import (
	"database/sql"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"
)

func TestAuditListAndExport(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	guide(t, env, s)
	must(t, env, "call", "get_repo", "repository=api")
	refused := run(t, env, "", "call", "get_repo", "repository=hidden")
	require.Equal(t, exitFailed, refused.code)

	var denied []map[string]any
	require.NoError(t, json.Unmarshal([]byte(must(t, env, "audit", "list", "--decision", "denied", "--since", "1h", "--output", "json")), &denied))
	require.Len(t, denied, 1)
	assert.Equal(t, "hidden", denied[0]["target"])
	table := must(t, env, "audit", "list", "--tool", "get_repo", "--scope", "team")
	assert.Equal(t, 3, strings.Count(table, "\n"), table)
	assert.Equal(t, 5, strings.Count(must(t, env, "audit", "export"), "\n"), "three creations and two calls")
	assert.Contains(t, must(t, env, "audit", "verify"), "the audit log is whole: 5 events")

	for _, args := range [][]string{{"list", "--decision", "maybe"}, {"list", "--since", "soon"}, {"list", "--limit", "0"}} {
		assert.Equal(t, exitUsage, run(t, env, "", append([]string{"audit"}, args...)...).code, args)
	}
}

func TestAuditVerifyNamesWhatWasEdited(t *testing.T) {
	for name, edit := range map[string]string{
		"changed": `UPDATE audit_events SET target = 'innocent' WHERE seq = 2`,
		"removed": `DELETE FROM audit_events WHERE seq = 2`,
	} {
		t.Run(name, func(t *testing.T) {
			s, env := newBitbucket(t), newHome(t)
			guide(t, env, s)
			db, err := sql.Open("sqlite", filepath.Join(env["XDG_DATA_HOME"], "bucketgate", "bucketgate.db"))
			require.NoError(t, err)
			_, err = db.Exec(edit)
			require.NoError(t, err)
			require.NoError(t, db.Close())
			got := run(t, env, "", "audit", "verify")
			assert.Equal(t, exitFailed, got.code)
			assert.Contains(t, got.stderr, "the audit log was tampered with")
			assert.Empty(t, got.stdout)
		})
	}
}
