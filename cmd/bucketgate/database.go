package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bucketgate/internal/audit"
	"bucketgate/internal/manage"
	"bucketgate/internal/secret"
	"bucketgate/internal/store"
)

// auditWriter is the chain that the processes of one database share.
const auditWriter = "main"

// auditFarewell is how long a command waits for its audit events to be
// written.
const auditFarewell = 10 * time.Second

// unwrittenFarewell is the same where they could not be written just now.
const unwrittenFarewell = 200 * time.Millisecond

// addDatabaseFlags adds the flags of every command that opens the database.
func addDatabaseFlags(cmd *cobra.Command, o *options) {
	cmd.Flags().StringVar(&o.database, "database", "", "file of the database (default bucketgate/bucketgate.db in your data folder)")
	cmd.Flags().StringVar(&o.masterKeyFile, "master-key-file", "", "file of the master key (default bucketgate/master.key in your config folder)")
	cmd.Flags().StringVar(&o.auditHeadFile, "audit-head-file", "", "keep the end of the audit log in this file too, so that a cut tail is found")
}

// An office is the open database with what works on it.
type office struct {
	store *store.Store
	audit *audit.Writer
	*manage.Service
}

// openStore opens the database that the flags name.
func (p program) openStore(ctx context.Context, o options) (*store.Store, error) {
	config, err := p.storeConfig(o)
	if err != nil {
		return nil, err
	}
	return store.Open(ctx, config)
}

func (p program) storeConfig(o options) (store.Config, error) {
	database, err := p.databasePath(o)
	if err != nil {
		return store.Config{}, err
	}
	masterKey, err := p.masterKeyPath(o)
	if err != nil {
		return store.Config{}, err
	}
	return store.Config{Database: database, MasterKey: func() (secret.MasterKey, error) { return loadMasterKey(database, masterKey) }}, nil
}

// loadMasterKey makes a key on first use only: where there is a database, the
// right key is somewhere, and a new one would only hide that.
func loadMasterKey(database, path string) (secret.MasterKey, error) {
	if _, err := os.Stat(database); err == nil {
		key, err := secret.LoadMasterKey(path)
		if errors.Is(err, fs.ErrNotExist) {
			return key, fmt.Errorf("there is no master key at %s, and the database %s needs the one that it was made with: put your copy of it there, or name it with --master-key-file", path, database)
		}
		return key, err
	}
	return secret.LoadOrCreateMasterKey(path)
}

func (p program) databasePath(o options) (string, error) {
	if strings.HasPrefix(o.database, "postgres://") || strings.HasPrefix(o.database, "postgresql://") {
		return "", fmt.Errorf("PostgreSQL comes with a later release; name a file")
	}
	if o.database != "" {
		return o.database, nil
	}
	folder, err := p.userFolder("XDG_DATA_HOME", ".local/share")
	return filepath.Join(folder, "bucketgate", "bucketgate.db"), err
}

// needDatabase refuses where there is no database, which would be made else.
func (p program) needDatabase(o options) error {
	path, err := p.databasePath(o)
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no database at %s; name it with --database, or make one with bucketgate provider create", path)
	}
	return nil // what else is wrong with it, opening it tells
}

func (p program) masterKeyPath(o options) (string, error) {
	if o.masterKeyFile != "" {
		return o.masterKeyFile, nil
	}
	folder, err := p.userFolder("XDG_CONFIG_HOME", ".config")
	return filepath.Join(folder, "bucketgate", "master.key"), err
}

// userFolder returns a folder of the user, by the variable of the XDG base
// directory specification or where the system has its own.
func (p program) userFolder(variable, below string) (string, error) {
	if folder, ok := p.lookupEnv(variable); ok && filepath.IsAbs(folder) {
		return folder, nil
	}
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		return os.UserConfigDir()
	}
	home, ok := p.lookupEnv("HOME")
	if !ok || home == "" {
		return "", fmt.Errorf("HOME is not set: name the file with --database and --master-key-file")
	}
	return filepath.Join(home, below), nil
}

// openOffice opens the database for an admin's work.
func (p program) openOffice(ctx context.Context, o options) (*office, error) {
	db, err := p.openStore(ctx, o)
	if err != nil {
		return nil, err
	}
	writer, err := p.openAuditWriter(ctx, db, o, slog.New(slog.DiscardHandler)) // what goes wrong, the command says
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &office{store: db, audit: writer, Service: manage.New(manage.Config{Store: db, Audit: writer})}, nil
}

func (p program) openAuditWriter(ctx context.Context, db *store.Store, o options, log *slog.Logger) (*audit.Writer, error) {
	config := audit.Config{
		Writer: auditWriter, Key: db.Keyset(), Append: db.AppendAudit, Log: log,
		Last: func(ctx context.Context) (audit.Head, error) { return db.LastAudit(ctx, auditWriter) },
	}
	if o.auditHeadFile != "" {
		head, err := audit.OpenHeadFile(o.auditHeadFile, db.Keyset())
		if err != nil {
			return nil, err
		}
		config.HeadFile = head
	}
	return audit.NewWriter(ctx, config)
}

func (f *office) close() error { return f.closeWithin(auditFarewell) }

func (f *office) closeWithin(patience time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return errors.Join(f.audit.Close(ctx), f.store.Close())
}

// commandLine is who manages by commands: whoever has the machine.
func (p program) commandLine() manage.Actor {
	return manage.Actor{Name: localCaller, Transport: "command line", AnyAPI: true}
}

// inOffice runs a command's work on the open database.
func (p program) inOffice(ctx context.Context, o options, work func(*office) error) error {
	f, err := p.openOffice(ctx, o)
	if err != nil {
		return err
	}
	err = work(f)
	if errors.Is(err, audit.ErrUnavailable) {
		// It has been told, and the log that could not be written then cannot be
		// written now.
		_ = f.closeWithin(unwrittenFarewell)
		return err
	}
	return errors.Join(err, f.close())
}
