package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// Backup writes a copy of the database as it is at one moment into a new file,
// which only this user may read, while everybody goes on. What is sealed in the
// database is sealed in the copy: without the master key, of which there must be
// a copy elsewhere, it is of no use. A file that exists is refused.
func (s *Store) Backup(ctx context.Context, path string) error {
	// Made here and empty, which SQLite accepts: left to SQLite, others could
	// read it.
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("there is a file %s already; a backup never overwrites one", path)
	}
	if err != nil {
		return fmt.Errorf("the backup %s cannot be made: %w", path, reason(err))
	}
	defer file.Close()
	if err = vacuumInto(ctx, s.path, path); err == nil {
		err = errors.Join(file.Sync(), syncFolder(filepath.Dir(path)))
	}
	if err != nil {
		os.Remove(path)
		return backupFailed(s.path, path, err)
	}
	return nil
}

// backupFailed names the file that is at fault. A full disk is the copy's.
func backupFailed(database, path string, err error) error {
	name := database
	if words, kind := sqliteExplain(err); words != "" && (kind == ErrFull || kind == ErrUnusable || kind == ErrReadOnly) {
		name = path
	}
	return fmt.Errorf("making the backup %s: %w", path, explain(sqliteDialect, name, err))
}

// vacuumInto copies what is in the database and not what was: free pages stay
// behind. It has a connection of its own, so that writers need not wait.
func vacuumInto(ctx context.Context, database, path string) error {
	db, err := sql.Open("sqlite", sqliteName(database, defaultLockTimeout, ""))
	if err != nil {
		return err
	}
	defer db.Close()
	// The whole path: a name such as file:copy.db is an address to SQLite, and
	// would lead to another file than the one that was made for the copy.
	_, err = db.ExecContext(ctx, `VACUUM INTO ?`, absolute(path))
	return err
}

// syncFolder makes a new name in a folder outlive a power cut. Windows has no
// such call for folders.
func syncFolder(folder string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	handle, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(handle.Sync(), handle.Close())
}
