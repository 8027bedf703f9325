package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// newSmallDisk returns a folder on a disk of its own, and what changes how it
// is mounted. Few who run tests may mount one: it is no need of the tests.
func newSmallDisk(t *testing.T) (folder string, remount func(flags uintptr)) {
	t.Helper()
	folder = t.TempDir()
	if err := unix.Mount("tmpfs", folder, "tmpfs", 0, "size=700k"); err != nil {
		t.Skipf("no disk can be mounted here: %v", err)
	}
	// Detached: whoever looks through the temporary files just then has it open.
	t.Cleanup(func() { assert.NoError(t, unix.Unmount(folder, unix.MNT_DETACH)) })
	return folder, func(flags uintptr) {
		require.NoError(t, unix.Mount("tmpfs", folder, "tmpfs", unix.MS_REMOUNT|flags, "size=700k"))
	}
}

func TestTheDiskOfTheDatabaseIsFull(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	folder, _ := newSmallDisk(t)
	env = env.with("BUCKETGATE_DATABASE", filepath.Join(folder, "b.db"))
	guide(t, env, s)
	filler := filepath.Join(folder, "filler")
	require.ErrorIs(t, os.WriteFile(filler, make([]byte, 1<<20), 0o600), unix.ENOSPC)
	full := "is full; nothing was changed"
	assertOneSentence(t, run(t, env, "", "client", "create", "x"), exitFailed, full)
	assertOneSentence(t, run(t, env.without("BUCKETGATE_DATABASE"), "", "provider", "create", "x", "--workspace", "x", "--database", filepath.Join(folder, "new.db")), exitFailed, full)

	// With some room at first, it ends in the middle of the work.
	info, err := os.Stat(filler)
	require.NoError(t, err)
	require.NoError(t, os.Truncate(filler, info.Size()-120<<10))
	made := 0
	for ; made < 200; made++ {
		if got := run(t, env, "", "client", "create", fmt.Sprintf("c%d", made)); got.code != exitDone {
			assertOneSentence(t, got, exitFailed, full)
			assert.NotContains(t, got.stderr, "audit log", "it is the change that was not possible")
			break
		}
	}
	require.Less(t, made, 200)
	copied := filepath.Join(folder, "copy.db")
	assertOneSentence(t, run(t, env, "", "backup", copied), exitFailed, full)
	assert.NoFileExists(t, copied)

	require.NoError(t, os.Remove(filler))
	must(t, env, "audit", "verify")
	must(t, env, "doctor")
	must(t, env, "client", "create", "again")
	must(t, env, "call", "get_repo", "repository=api")
}

// A restore that has no room leaves what was there, and nothing beside it.
func TestARestoreOnAFullDisk(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	folder, _ := newSmallDisk(t)
	path := filepath.Join(folder, "b.db")
	env = env.with("BUCKETGATE_DATABASE", path)
	guide(t, env, s)
	copied := filepath.Join(t.TempDir(), "copy.db")
	must(t, env, "backup", copied)
	damaged := []byte("something has overwritten the file")
	require.NoError(t, os.WriteFile(path, damaged, 0o600))
	filler := filepath.Join(folder, "filler")
	require.ErrorIs(t, os.WriteFile(filler, make([]byte, 1<<20), 0o600), unix.ENOSPC)
	info, err := os.Stat(filler)
	require.NoError(t, err)
	require.NoError(t, os.Truncate(filler, info.Size()-60<<10)) // room to begin
	assertOneSentence(t, run(t, env, "", "restore", copied, "--replace"), exitFailed, "is full; nothing was changed")
	left, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, damaged, left)
	files, err := os.ReadDir(folder)
	require.NoError(t, err)
	assert.Len(t, files, 2, "%v", files)
	require.NoError(t, os.Remove(filler))
	must(t, env, "restore", copied, "--replace")
	must(t, env, "call", "get_repo", "repository=api")
}

// Where it ends after the database was copied, it says where the copy is.
func TestARestoreThatEndsHalfway(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	folder, _ := newSmallDisk(t)
	path := filepath.Join(folder, "b.db")
	env = env.with("BUCKETGATE_DATABASE", path)
	guide(t, env, s)
	copied := filepath.Join(t.TempDir(), "copy.db")
	must(t, env, "backup", copied)
	must(t, env, "client", "create", "after")
	info, err := os.Stat(path)
	require.NoError(t, err)
	filler := filepath.Join(folder, "filler")
	require.ErrorIs(t, os.WriteFile(filler, make([]byte, 1<<20), 0o600), unix.ENOSPC)
	full, err := os.Stat(filler)
	require.NoError(t, err)
	require.NoError(t, os.Truncate(filler, full.Size()-info.Size()-80<<10)) // room for the copy, and to begin
	got := run(t, env, "", "restore", copied, "--replace")
	assertOneSentence(t, got, exitFailed, "is full; nothing was changed; what was there before is kept in "+path+".before-restore-")
	require.NoError(t, os.Remove(filler))
	assert.Contains(t, must(t, env, "client", "list"), "after", "it is one transaction")
	must(t, env, "audit", "verify")
}

func TestTheDiskOfTheDatabaseIsReadOnly(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	folder, remount := newSmallDisk(t)
	env = env.with("BUCKETGATE_DATABASE", filepath.Join(folder, "b.db"))
	guide(t, env, s)
	remount(unix.MS_RDONLY)
	for _, args := range [][]string{{"scope", "list"}, {"client", "create", "x"}, {"stdio", "--scope", "team"}} {
		assertOneSentence(t, run(t, env, "", args...), exitFailed, "this user must be able to read and write the file and its folder")
	}
	doctor := run(t, env, "", "doctor")
	assert.Equal(t, exitFailed, doctor.code)
	assert.Contains(t, doctor.stdout, "problem  database")
	remount(0)
	must(t, env, "call", "get_repo", "repository=api")
}
