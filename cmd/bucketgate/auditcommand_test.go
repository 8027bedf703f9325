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

	var denied struct{ Events []map[string]any }
	require.NoError(t, json.Unmarshal([]byte(must(t, env, "audit", "list", "--decision", "denied", "--since", "1h", "--output", "json")), &denied))
	require.Len(t, denied.Events, 1)
	assert.Equal(t, "hidden", denied.Events[0]["target"])
	table := must(t, env, "audit", "list", "--tool", "get_repo", "--scope", "team")
	assert.Equal(t, 3, strings.Count(table, "\n"), table)
	assert.Equal(t, 5, strings.Count(must(t, env, "audit", "export"), "\n"), "three creations and two calls")
	assert.Contains(t, must(t, env, "audit", "verify"), "the audit log is whole: 5 events")

	for _, args := range [][]string{{"list", "--decision", "maybe"}, {"list", "--since", "soon"}, {"list", "--limit", "0"}, {"list", "--cursor", "x"}} {
		assert.Equal(t, exitUsage, run(t, env, "", append([]string{"audit"}, args...)...).code, args)
	}
}

// Page by page, while events come in between, every event that was there at the
// begin comes once, and none that came after it.
func TestAuditListPageByPage(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	guide(t, env, s)
	for range 4 {
		must(t, env, "call", "get_repo", "repository=api")
	}
	seen := map[string]bool{}
	page := func(args ...string) eventsView {
		var v eventsView
		require.NoError(t, json.Unmarshal([]byte(must(t, env, append([]string{"audit", "list", "--output", "json", "--limit", "3"}, args...)...)), &v))
		for _, e := range v.Events {
			assert.False(t, seen[e.ID], "%s is on two pages", e.Tool)
			seen[e.ID] = true
		}
		return v
	}
	first := page()
	must(t, env, "call", "my_access")
	second := page("--cursor", first.NextCursor)
	must(t, env, "call", "my_access")
	third := page("--cursor", second.NextCursor)
	assert.Equal(t, []int{3, 3, 1}, []int{len(first.Events), len(second.Events), len(third.Events)})
	assert.Equal(t, "create_provider", third.Events[0].Tool, "the oldest comes last")
	assert.Empty(t, third.NextCursor)

	table := run(t, env, "", "audit", "list", "--tool", "get_repo", "--limit", "3")
	assert.Regexp(t, `\Abucketgate: there are older events; the same command with --cursor \S+ goes on\n\z`, table.stderr)
	whole := run(t, env, "", "audit", "list", "--tool", "get_repo", "--limit", "4")
	assert.Empty(t, whole.stderr, "there are four, and no more")
	empty := must(t, env, "audit", "list", "--tool", "nosuch", "--output", "json")
	assert.JSONEq(t, `{"events":[]}`, empty)
}

// What a caller has sent, or somebody has put into the database, writes nothing to the terminal of who lists the events.
func TestAuditListIsPlain(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	guide(t, env, s)
	run(t, env, "", "call", "get_repo", "repository=api")
	editDatabase(t, env, `UPDATE audit_events SET target = 'a"b' || char(27) || '[31m' || char(9) || char(8238) || char(10) || 'local' WHERE tool = 'get_repo'`)
	must(t, env, "provider", "update", "acme", "--description", "two\nlines \x1b[31m")
	table := must(t, env, "audit", "list", "--tool", "get_repo")
	assert.Contains(t, table, `a"b\x1b[31m\t\u202e\nlocal`)
	assert.Equal(t, 2, strings.Count(table, "\n"))
	for _, command := range []string{"list", "show acme"} {
		assert.Contains(t, must(t, env, append([]string{"provider"}, strings.Fields(command)...)...), `two\nlines \x1b[31m`)
	}
}

// After a cut nothing is written any more, and what is left can be looked at.
func TestACutLogCanBeRead(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	env = env.with("BUCKETGATE_AUDIT_HEAD_FILE", filepath.Join(t.TempDir(), "head"))
	guide(t, env, s)
	editDatabase(t, env, `DELETE FROM audit_events WHERE seq = 3`)
	assert.Equal(t, exitFailed, run(t, env, "", "client", "create", "bot").code)
	assert.Equal(t, exitFailed, run(t, env, "", "audit", "verify").code)
	assert.Contains(t, must(t, env, "audit", "list"), "create_credential")
	assert.Equal(t, 2, strings.Count(must(t, env, "audit", "export"), "\n"))
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
