package audit

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func event(target string) Event {
	return Event{ID: NewID(), Time: time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC), Caller: "local", Role: "agent", Transport: "http", From: "192.0.2.7",
		Tool: "get_repo", Scope: "environment", Target: target, Decision: Denied, Reason: "matches no pattern", GrantVersion: "1f"}
}

func TestFileHasOneObjectOnALine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.ndjson")
	file, err := OpenFile(path)
	require.NoError(t, err)
	var writers sync.WaitGroup
	for range 20 {
		writers.Go(func() { assert.NoError(t, file.Record(event("line\nbreak"))) })
	}
	writers.Wait()
	require.NoError(t, file.Close())
	require.Error(t, file.Record(event("x")), "what is not written is an error")

	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n")
	require.Len(t, lines, 20)
	ids := map[string]bool{}
	for _, line := range lines {
		var fields map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &fields))
		ids[fields["id"].(string)] = true
		assert.Equal(t, "denied", fields["decision"])
		assert.Equal(t, "2026-05-04T03:02:01Z", fields["time"])
		for _, name := range []string{"id", "time", "caller", "role", "transport", "tool", "scope", "target", "decision", "reason", "grant_version"} {
			assert.Contains(t, fields, name)
		}
	}
	assert.Len(t, ids, 20)
}

func TestAFileThatCannotBeOpened(t *testing.T) {
	_, err := OpenFile(t.TempDir())
	assert.ErrorContains(t, err, "opening the audit file")
}

func TestRefusalsAreOneLineWhateverTheTarget(t *testing.T) {
	var out bytes.Buffer
	WriteRefusal(&out, event("a\nb\x1b[31m"))
	assert.Equal(t, "bucketgate: refused get_repo \"a\\nb\\x1b[31m\": matches no pattern\n", out.String())
	out.Reset()
	allowed := event("api")
	allowed.Decision = Allowed
	WriteRefusal(&out, allowed)
	assert.Empty(t, out.String())
}
