package store_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"bucketgate/internal/secret"
	"bucketgate/internal/store"
)

// asNobody runs do with files as a user sees them who owns nothing. For root
// every file is writable; on Linux one thread can give that up.
func asNobody(t *testing.T, do func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		do()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with its user
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETFSUID, 65534, 0, 0); int(errno) != 0 {
			t.Errorf("changing the user: %v", errno)
			return
		}
		do()
	}()
	<-done
}

func TestReadOnlyDatabase(t *testing.T) {
	config := closedDatabase(t)
	master, err := config.MasterKey()
	require.NoError(t, err)
	config.MasterKey = func() (secret.MasterKey, error) { return master, nil }
	folder := filepath.Dir(config.Database)
	for f := folder; len(f) > len(os.TempDir()); f = filepath.Dir(f) {
		require.NoError(t, os.Chmod(f, 0o755))
	}
	openIt := func() {
		var s *store.Store
		if s, err = store.Open(context.Background(), config); err == nil {
			s.Close()
		}
	}
	require.NoError(t, os.Chmod(config.Database, 0o444))
	require.NoError(t, os.Chmod(folder, 0o777))
	asNobody(t, openIt)
	words := "is read-only; this user must be able to write the file and its folder"
	requireSentence(t, err, store.ErrReadOnly, config, words)

	require.NoError(t, os.Chmod(config.Database, 0o666))
	require.NoError(t, os.Chmod(folder, 0o555))
	asNobody(t, openIt)
	requireSentence(t, err, store.ErrReadOnly, config, words)

	require.NoError(t, os.Chmod(config.Database, 0o000))
	asNobody(t, openIt)
	requireSentence(t, err, store.ErrUnusable, config, "cannot be opened")
	require.NoError(t, os.Chmod(folder, 0o700))
	require.NoError(t, os.Chmod(config.Database, 0o600))
}
