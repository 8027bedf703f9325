package store

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"time"

	sqlite3 "modernc.org/sqlite/lib"
)

// IsOpen reports whether any process, this one too, has the database that c
// names open. It changes nothing, and is true of a moment only.
//
// Who has it open holds a shared lock on the file for as long; a connection
// that insists on having the file alone is refused then.
func IsOpen(ctx context.Context, c Config) (bool, error) {
	path := absolute(c.Database)
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		return false, nil
	}
	db, err := sql.Open("sqlite", sqliteName(path, time.Millisecond, "&_pragma=locking_mode(EXCLUSIVE)"))
	if err != nil {
		return false, fmt.Errorf("opening the database %s: %w", path, err)
	}
	defer db.Close()
	var tables int
	err = db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_master`).Scan(&tables)
	switch {
	case sqliteHas(err, sqlite3.SQLITE_BUSY):
		return true, nil
	case sqliteHas(err, sqlite3.SQLITE_NOTADB), sqliteHas(err, sqlite3.SQLITE_CORRUPT):
		return false, nil // nobody can have it open
	}
	return false, explain(sqliteDialect, path, err)
}
