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
	"time"

	"bucketgate/internal/secret"
)

const defaultLockTimeout = 5 * time.Second

// Open opens the database, and makes it with its folder, for this user only,
// where there is none. It brings an older schema up to date and refuses a newer
// one. Of processes that open a new database at once all come to use the same.
func Open(ctx context.Context, c Config) (*Store, error) {
	path, master, err := c.prepare()
	if err != nil {
		return nil, err
	}
	if err := createFile(path); err != nil {
		return nil, err
	}
	s, err := connect(path, master, c.lockTimeout(), c.clock())
	if err != nil {
		return nil, err
	}
	if err := s.begin(ctx, c.lockTimeout()); err != nil {
		return nil, errors.Join(s.explain(err), s.Close())
	}
	return s, nil
}

func (c Config) lockTimeout() time.Duration {
	if c.LockTimeout > 0 {
		return c.LockTimeout
	}
	return defaultLockTimeout
}

func (c Config) clock() func() time.Time {
	if c.Now != nil {
		return c.Now
	}
	return time.Now
}

// prepare looks at the path and asks for the master key. Without one nothing
// is made: a database that nobody can use would be in the way.
func (c Config) prepare() (string, secret.MasterKey, error) {
	if c.Database == "" || c.MasterKey == nil {
		return "", secret.MasterKey{}, errors.New("a store needs a database and a master key")
	}
	path, err := filepath.Abs(c.Database)
	if err != nil {
		return "", secret.MasterKey{}, fmt.Errorf("finding the database %s: %w", c.Database, err)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return "", secret.MasterKey{}, say(ErrUnusable, "the database %s cannot be opened: %v", path, reason(err))
	case info.IsDir():
		return "", secret.MasterKey{}, say(ErrUnusable, "the database %s is a directory; name the file in it", path)
	case !info.Mode().IsRegular():
		return "", secret.MasterKey{}, say(ErrUnusable, "the database %s is not a regular file", path)
	}
	master, err := c.MasterKey()
	return path, master, err
}

// createFile makes an empty file, which SQLite takes for a new database. The
// log and the index beside it get the mode of this one.
func createFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return say(ErrUnusable, "the folder of the database %s cannot be made: %v", path, reason(err))
	}
	// Never opened here where it exists: closing a file drops the locks that
	// this process has on it, which SQLite relies on.
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return say(ErrUnusable, "the database %s cannot be made: %v", path, reason(err))
	}
	return file.Close()
}

// reason is an error of package os without operation and path.
func reason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// connect makes the three pools. Nothing is opened yet.
func connect(path string, master secret.MasterKey, lockTimeout time.Duration, clock func() time.Time) (*Store, error) {
	s := &Store{path: path, dialect: sqliteDialect, master: master, clock: clock, closed: make(chan struct{}), watchers: map[chan struct{}]bool{}}
	for _, pool := range []struct {
		db    **sql.DB
		use   string
		limit int
	}{
		{&s.writer, forWriting, 1},
		{&s.reader, forReading, max(4, runtime.NumCPU())},
		{&s.poller, forReading, 1},
	} {
		db, err := sql.Open("sqlite", sqliteName(path, lockTimeout, pool.use))
		if err != nil {
			return nil, fmt.Errorf("opening the database %s: %w", path, err)
		}
		db.SetMaxOpenConns(pool.limit)
		db.SetMaxIdleConns(pool.limit)
		*pool.db = db
	}
	return s, nil
}

func (s *Store) begin(ctx context.Context, patience time.Duration) error {
	if err := s.checkSchema(ctx); err != nil { // before anything is written
		return err
	}
	if err := sqliteWAL(ctx, s.writer, patience); err != nil {
		return fmt.Errorf("turning the write-ahead log on: %w", err)
	}
	if err := s.migrate(ctx); err != nil {
		return err
	}
	if err := s.Update(ctx, (*Tx).ensureKeyset); err != nil {
		return err
	}
	if err := s.tryToWrite(ctx); err != nil {
		return err
	}
	return s.prepareAudit(ctx)
}

// tryToWrite makes a change and takes it back, so that of a database that is
// read-only an admin hears now, and not an agent at its first call.
func (s *Store) tryToWrite(ctx context.Context) error {
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("trying to write: %w", err)
	}
	defer tx.Rollback()
	result, err := tx.ExecContext(ctx, `UPDATE changes SET stamp = stamp WHERE id = 1`)
	if err != nil {
		return fmt.Errorf("trying to write: %w", err)
	}
	if marked, err := result.RowsAffected(); err != nil || marked != 1 {
		return errors.Join(err, s.unmarked())
	}
	return nil
}

// absolute is the path for a database's name, which has no working folder.
func absolute(path string) string {
	if full, err := filepath.Abs(path); err == nil {
		return full
	}
	return path
}
