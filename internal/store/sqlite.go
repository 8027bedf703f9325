package store

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// sqliteApplication is what the first migration writes into the file's head.
const sqliteApplication = 1113015124

var sqliteDialect = dialect{
	goose:       goose.DialectSQLite3,
	migrations:  "sqlite",
	bind:        func(query string) string { return query },
	schema:      sqliteSchema,
	isDuplicate: sqliteDuplicate,
	explain:     sqliteExplain,
}

// How a connection is to be used.
const (
	forWriting = "&_txlock=immediate" // a transaction waits at its begin, and not at its first write, where it could not wait
	forReading = "&_query_only=1"
	fromBackup = "&_query_only=1&mode=ro"
)

// sqliteName is the name of a database file for the driver.
func sqliteName(path string, lockTimeout time.Duration, use string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") { // C:/…
		path = "/" + path
	}
	pragmas := "_defensive=1&_dqs=0" +
		"&_pragma=busy_timeout(" + strconv.FormatInt(lockTimeout.Milliseconds(), 10) + ")" +
		"&_pragma=foreign_keys(1)" +
		"&_pragma=synchronous(FULL)" + // a commit is on the disk when it is acknowledged
		"&_pragma=secure_delete(1)" + // a dropped keyset does not linger in free pages
		"&_pragma=trusted_schema(0)" +
		"&_pragma=temp_store(MEMORY)"
	return "file://" + (&url.URL{Path: path}).EscapedPath() + "?" + pragmas + use
}

// sqliteWAL turns the write-ahead log on. It stays on for the file, so that
// this is one question from the second time on. The change does not wait for
// other processes by itself.
func sqliteWAL(ctx context.Context, db *sql.DB, patience time.Duration) error {
	var mode string
	if err := db.QueryRowContext(ctx, `PRAGMA journal_mode`).Scan(&mode); err != nil || mode == "wal" {
		return err
	}
	return sqlitePatiently(ctx, patience, func() error {
		return db.QueryRowContext(ctx, `PRAGMA journal_mode = WAL`).Scan(&mode)
	})
}

// sqlitePatiently repeats what SQLite itself does not repeat while the database
// is busy.
func sqlitePatiently(ctx context.Context, patience time.Duration, do func() error) error {
	end := time.Now().Add(patience)
	for {
		err := do()
		if !sqliteHas(err, sqlite3.SQLITE_BUSY) || time.Now().After(end) {
			return err
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

func sqliteSchema(ctx context.Context, db *sql.DB) (int64, error) {
	var application, tables, goose, programs int64
	// In one statement: between two, another process may have made the tables.
	err := db.QueryRowContext(ctx, `
		SELECT (SELECT application_id FROM pragma_application_id),
			count(CASE WHEN type = 'table' AND name NOT LIKE 'sqlite_%' THEN 1 END),
			count(CASE WHEN name = 'goose_db_version' THEN 1 END),
			count(CASE WHEN type IN ('trigger', 'view') THEN 1 END)
		FROM sqlite_master`).Scan(&application, &tables, &goose, &programs)
	if err != nil {
		return 0, err
	}
	if application != sqliteApplication {
		// Nothing, or what a process leaves that was killed between making the
		// table of versions and the first migration.
		if application == 0 && tables == goose {
			return 0, nil
		}
		return 0, errForeign
	}
	if programs > 0 {
		// A trigger works in every process that writes. It could take a
		// revocation back in the transaction in which it is made.
		return 0, errProgrammed
	}
	var version int64
	err = db.QueryRowContext(ctx, `SELECT COALESCE(max(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&version)
	return version, err
}

func sqliteDuplicate(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && (e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
}

func sqliteHas(err error, code int) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code()&0xff == code
}

// sqliteExplain has a sentence for everything that people meet.
func sqliteExplain(err error) (string, error) {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return "", nil
	}
	const full = "the disk of the database %s is full; nothing was changed"
	if e.Code() == sqlite3.SQLITE_IOERR_SHMSIZE { // no room for the index beside the file
		return full, ErrFull
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return "the database %s is locked by another process; try again when that has finished", ErrLocked
	case sqlite3.SQLITE_READONLY:
		return "the database %s is read-only; this user must be able to write the file and its folder", ErrReadOnly
	case sqlite3.SQLITE_CORRUPT:
		return "the database %s is damaged; restore a backup of it", ErrDamaged
	case sqlite3.SQLITE_NOTADB:
		return "%s is not a Bucketgate database, or is damaged; name another file or restore a backup", ErrDamaged
	case sqlite3.SQLITE_FULL:
		return full, ErrFull
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		return "the database %s cannot be opened; this user must be able to read and write the file and its folder", ErrUnusable
	case sqlite3.SQLITE_IOERR:
		return "the disk of the database %s fails: reading or writing was not possible", ErrUnusable
	}
	return "", nil
}

var (
	errForeign    = errors.New("the database is of another program")
	errProgrammed = errors.New("the database holds a trigger or a view")
)

// explain puts the engine's errors into words, and leaves others as they are.
func explain(d dialect, name string, err error) error {
	if _, ok := errors.AsType[*said](err); err == nil || ok {
		return err
	}
	if errors.Is(err, errForeign) {
		return say(ErrUnusable, "%s is a database of another program; name another file", name)
	}
	if errors.Is(err, errProgrammed) {
		return say(ErrDamaged, "the database %s holds a trigger or a view, which Bucketgate never makes: somebody has edited it; restore a backup of it", name)
	}
	if words, kind := d.explain(err); kind != nil {
		return &said{words: strings.Replace(words, "%s", name, 1), kind: kind, cause: err}
	}
	return err
}
