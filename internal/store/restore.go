package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"

	"modernc.org/sqlite"

	"bucketgate/internal/secret"
)

// Restore puts a backup in the place of the database that c names. First it
// makes sure that the backup is whole, not newer than this program, and opens
// with the master key. What was in the database until then is kept in a file
// beside it, whose name is returned, with an error too; it is empty where there
// was nothing.
//
// It is one transaction: other processes see the old database or the restored
// one, and one that is killed or fails leaves the old one. Audit events that were
// written after the backup are in the kept file only.
func Restore(ctx context.Context, c Config, backup string) (kept string, err error) {
	path, master, err := c.prepare()
	if err != nil {
		return "", err
	}
	if err := checkBackup(ctx, backup, master); err != nil {
		return "", err
	}
	if err := checkPlace(ctx, c, path); err != nil {
		return "", err
	}
	before, err := setAside(ctx, path, master)
	if err != nil {
		return "", err
	}
	err = createFile(path)
	if err == nil {
		err = copyInto(ctx, path, backup, c.lockTimeout())
	}
	if err != nil {
		err = errors.Join(explain(sqliteDialect, path, fmt.Errorf("restoring: %w", err)), before.putBack())
		return before.kept, err
	}
	s, err := Open(ctx, c) // brings an older schema up to date
	if err != nil {
		return before.kept, err
	}
	// Whoever serves from this database sees another stamp in it, if a record is
	// another one.
	return before.kept, s.Close()
}

// checkPlace refuses to put a backup in the place of another program's records:
// a mistyped path is no word for that. One of ours may be damaged, or newer.
func checkPlace(ctx context.Context, c Config, path string) error {
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		return nil // prepare has looked: there is nothing
	}
	_, _, err := SchemaVersion(ctx, c)
	if errors.Is(err, ErrDamaged) || errors.Is(err, ErrNewer) {
		return nil
	}
	return err
}

func checkBackup(ctx context.Context, backup string, master secret.MasterKey) error {
	info, err := os.Stat(backup)
	switch {
	case err != nil:
		return fmt.Errorf("the backup %s cannot be read: %w", backup, reason(err))
	case !info.Mode().IsRegular():
		return fmt.Errorf("the backup %s is not a regular file", backup)
	}
	db, err := sql.Open("sqlite", sqliteName(absolute(backup), defaultLockTimeout, fromBackup))
	if err != nil {
		return fmt.Errorf("the backup %s cannot be read: %w", backup, err)
	}
	s := &Store{path: backup, dialect: sqliteDialect, master: master, clock: time.Now, writer: db, reader: db, poller: db, closed: make(chan struct{})}
	defer s.Close()
	current, _, err := s.schemaVersions(ctx)
	if err != nil {
		return s.explain(err)
	}
	if current == 0 {
		return say(ErrUnusable, "the backup %s is empty", backup)
	}
	return s.View(ctx, func(tx *Tx) error {
		if err := tx.checkPages(); err != nil {
			return err
		}
		_, err := tx.keyset()
		return err
	})
}

// checkPages reads the whole database.
func (tx *Tx) checkPages() error {
	problems, err := tx.texts(`PRAGMA quick_check(1)`)
	if err != nil {
		return fmt.Errorf("checking the database: %w", err)
	}
	if len(problems) != 1 || problems[0] != "ok" {
		return &said{words: fmt.Sprintf("the database %s is damaged; restore a backup of it", tx.store.path), kind: ErrDamaged, cause: fmt.Errorf("%q", problems)}
	}
	return nil
}

// checkReferences finds a row of which the record that it belongs to is gone.
// SQLite lets nobody make one who did not ask for it.
func (tx *Tx) checkReferences() error {
	tables, err := tx.texts(`SELECT DISTINCT "table" FROM pragma_foreign_key_check ORDER BY 1`)
	if err != nil {
		return fmt.Errorf("checking the database: %w", err)
	}
	var dangling error
	for _, table := range tables {
		dangling = errors.Join(dangling, say(ErrDamaged, "in the database %s a row of %s belongs to a record that is not there: somebody has edited it; restore a backup of it", tx.store.path, table))
	}
	return dangling
}

// Check reads the whole database and opens every sealed value. The error names
// what is damaged.
func (s *Store) Check(ctx context.Context) error {
	return s.View(ctx, func(tx *Tx) error {
		if err := tx.checkPages(); err != nil {
			return err
		}
		var values []sealedValue
		err := tx.each(sealedQuery, nil, func(rows *sql.Rows) error {
			v, err := scanSealed(rows)
			values = append(values, v)
			return err
		})
		if err != nil {
			return fmt.Errorf("reading sealed values: %w", err)
		}
		wrong := tx.checkReferences()
		for _, v := range values {
			_, err := tx.open(v)
			wrong = errors.Join(wrong, err)
		}
		return wrong
	})
}

// A keeping is what was at the place of a restore.
type keeping struct {
	path, kept string // kept is empty where there was nothing
	moved      bool   // it was damaged, and is not at its path any more
}

// setAside keeps what is at the path, as a backup where it can be read and
// under another name where it is damaged.
func setAside(ctx context.Context, path string, master secret.MasterKey) (keeping, error) {
	info, err := os.Stat(path)
	if err != nil || info.Size() == 0 {
		return keeping{}, nil // prepare has looked: there is nothing
	}
	k := keeping{path: path, kept: path + ".before-restore-" + time.Now().UTC().Format("20060102T150405.000000")}
	s, err := connect(path, master, defaultLockTimeout, time.Now)
	if err != nil {
		return keeping{}, err
	}
	defer s.Close()
	if err = s.Backup(ctx, k.kept); !errors.Is(err, ErrDamaged) {
		return k, err
	}
	if err := s.Close(); err != nil {
		return keeping{}, fmt.Errorf("setting the damaged database aside: %w", err)
	}
	k.moved = true
	return k, renameDatabase(path, k.kept)
}

// putBack makes everything as it was after a restore that failed. A copy of a
// database that could be read stays: whatever failed, it cannot be lost.
func (k *keeping) putBack() error {
	if !k.moved {
		return nil
	}
	for _, part := range []string{"-wal", "-shm", "-journal"} { // of what was begun in its place
		_ = os.Remove(k.path + part)
	}
	from := k.kept
	k.kept = ""
	return renameDatabase(from, k.path)
}

// renameDatabase moves a database with its log.
func renameDatabase(from, to string) error {
	for _, part := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(from+part, to+part); err != nil && (part == "" || !os.IsNotExist(err)) {
			return fmt.Errorf("moving the damaged database: %w", err)
		}
	}
	return nil
}

// copyInto replaces all that is in a database, in one transaction of SQLite's.
func copyInto(ctx context.Context, path, backup string, lockTimeout time.Duration) error {
	db, err := sql.Open("sqlite", sqliteName(path, lockTimeout, ""))
	if err != nil {
		return err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	source := sqliteName(absolute(backup), lockTimeout, fromBackup)
	return sqlitePatiently(ctx, lockTimeout, func() error {
		return conn.Raw(func(driver any) error {
			restorer, ok := driver.(interface {
				NewRestore(string) (*sqlite.Backup, error)
			})
			if !ok {
				return errors.New("the driver cannot restore")
			}
			b, err := restorer.NewRestore(source)
			if err != nil {
				return err
			}
			_, err = b.Step(-1)
			return errors.Join(err, b.Finish())
		})
	})
}
