package store

import (
	"context"
	"database/sql"

	"github.com/pressly/goose/v3"
)

// A dialect is all in which one database engine differs from another. Queries
// are written once, with ? for arguments, and stand beside the records that
// they are about.
type dialect struct {
	goose      goose.Dialect
	migrations string // folder below migrations/

	// bind writes the arguments of a query as the engine wants them.
	bind func(query string) string

	// shareLock ends a query within Update that must still be true when the
	// update commits. It is empty where there is one writer at a time anyway.
	shareLock string

	// schema returns the version of the last migration that was applied: 0 for
	// an empty database, and an error for one of another program.
	schema func(ctx context.Context, db *sql.DB) (int64, error)

	// isDuplicate reports an error about a value that must be unique.
	isDuplicate func(error) bool

	// explain returns words, with %s for the name of the database, and the kind
	// of an error of the engine; nil for one that is not of the engine.
	explain func(error) (words string, kind error)
}

func (s *Store) explain(err error) error { return explain(s.dialect, s.path, err) }
