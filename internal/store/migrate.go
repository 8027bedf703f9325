package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"
)

//go:embed migrations
var migrations embed.FS

const migrationTries = 5

// checkSchema refuses a database that this program does not know.
func (s *Store) checkSchema(ctx context.Context) error {
	_, _, err := s.schemaVersions(ctx)
	return err
}

// SchemaVersion returns the version of the database that c names, 0 for an empty
// one, and the version that this program works with. It needs no master key and
// changes nothing, but for the index that SQLite keeps beside the file. A newer
// database, and what is none, is an error.
func SchemaVersion(ctx context.Context, c Config) (current, latest int64, err error) {
	path := absolute(c.Database)
	if info, err := os.Stat(path); err != nil {
		return 0, 0, say(ErrUnusable, "the database %s cannot be opened: %v", path, reason(err))
	} else if !info.Mode().IsRegular() {
		return 0, 0, say(ErrUnusable, "the database %s is not a regular file; name the file", path)
	}
	db, err := sql.Open("sqlite", sqliteName(path, c.lockTimeout(), forReading))
	if err != nil {
		return 0, 0, fmt.Errorf("opening the database %s: %w", path, err)
	}
	defer db.Close()
	s := &Store{path: path, dialect: sqliteDialect, writer: db}
	current, latest, err = s.schemaVersions(ctx)
	return current, latest, s.explain(err)
}

func (s *Store) schemaVersions(ctx context.Context) (current, latest int64, err error) {
	if latest, err = s.dialect.latestMigration(); err != nil {
		return 0, 0, err
	}
	if current, err = s.dialect.schema(ctx, s.writer); err != nil {
		return 0, 0, fmt.Errorf("reading the version of the database: %w", err)
	}
	if current > latest {
		return 0, 0, say(ErrNewer, "the database %s is of version %d, and this program knows versions up to %d; use the newer Bucketgate that made it", s.path, current, latest)
	}
	return current, latest, nil
}

// migrate applies the migrations that are missing, each in a transaction of
// its own. Where another process does so at the same moment, one of the two
// fails on a table that is there already, and looks again.
func (s *Store) migrate(ctx context.Context) error {
	var failed error
	for range migrationTries {
		current, latest, err := s.schemaVersions(ctx)
		if err != nil || current == latest {
			return err
		}
		provider, err := s.gooseProvider()
		if err != nil {
			return err
		}
		if _, failed = provider.Up(ctx); ctx.Err() != nil {
			break
		}
	}
	if current, latest, err := s.schemaVersions(ctx); err == nil && current == latest {
		return nil
	}
	return fmt.Errorf("bringing the database up to date: %w", errors.Join(failed, ctx.Err()))
}

func (s *Store) gooseProvider() (*goose.Provider, error) {
	files, err := fs.Sub(migrations, path.Join("migrations", s.dialect.migrations))
	if err != nil {
		return nil, fmt.Errorf("reading the migrations: %w", err)
	}
	provider, err := goose.NewProvider(s.dialect.goose, s.writer, files, goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return nil, fmt.Errorf("reading the migrations: %w", err)
	}
	return provider, nil
}

// latestMigration is the highest number of a migration file.
func (d dialect) latestMigration() (int64, error) {
	files, err := migrations.ReadDir(path.Join("migrations", d.migrations))
	if err != nil {
		return 0, fmt.Errorf("reading the migrations: %w", err)
	}
	var latest int64
	for _, file := range files {
		number, _, _ := strings.Cut(file.Name(), "_")
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading the migrations: the name %s has no number", file.Name())
		}
		latest = max(latest, n)
	}
	return latest, nil
}
