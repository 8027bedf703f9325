package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"bucketgate/internal/secret"
	"bucketgate/internal/store"
)

// A backupView is a copy that was made, or put in place, as it is printed.
type backupView struct {
	File      string `json:"file"`
	Database  string `json:"database"`
	MasterKey string `json:"master_key_file"` // which is not in the backup
	Kept      string `json:"kept,omitempty"`
	KeptHead  string `json:"kept_audit_head_file,omitempty"`
}

func (p program) backupCommand() *cobra.Command {
	cmd := p.existingOfficeCommand("backup FILE", "Copy the database into a new file, while servers run", cobra.ExactArgs(1), func(f *office, c *invocation) error {
		v, err := p.backupPaths(c.options, c.args[0])
		if err != nil {
			return err
		}
		if err := f.Backup(c.ctx, p.commandLine(), v.File); err != nil {
			return err
		}
		return p.done(c.options, fmt.Sprintf("copied the database into %s; the master key is not in it, and without it the copy is of no use: keep a copy of %s elsewhere", v.File, v.MasterKey), v)
	})
	cmd.Long = `Writes the database as it is at this moment into a new file that only you can
read. A file that exists is refused. The master key is not in the copy: keep it
elsewhere, for nobody can use the copy without it.`
	cmd.Example = "  bucketgate backup bucketgate-$(date +%F).db"
	return cmd
}

func (p program) backupPaths(o options, file string) (backupView, error) {
	database, err := p.databasePath(o)
	if err != nil {
		return backupView{}, err
	}
	masterKey, err := p.masterKeyPath(o)
	return backupView{File: file, Database: database, MasterKey: masterKey}, err
}

func (p program) restoreCommand() *cobra.Command {
	var o options
	var replace bool
	cmd := &cobra.Command{
		Use: "restore FILE", Short: "Put a backup in the place of the database", Args: usage(cobra.ExactArgs(1)),
		Long: `Puts a backup in the place of the database, all of it or nothing, if it is whole,
not newer than this program, and opens with the master key, which is not in the
backup. Stop servers first. With --replace a database that is there already is
replaced, and kept in a file beside it; what was written after the backup, audit
events too, is then in that file only. So is a head file that
--audit-head-file names.`,
		RunE: func(cmd *cobra.Command, args []string) error { return p.restore(cmd.Context(), o, args[0], replace) },
	}
	cmd.Flags().BoolVar(&replace, "replace", false, "replace the database that is there, and keep it in a file beside it")
	addDatabaseFlags(cmd, &o)
	addOutputFlag(cmd, &o)
	return cmd
}

func (p program) restore(ctx context.Context, o options, file string, replace bool) error {
	if err := o.checkOutput(); err != nil {
		return err
	}
	v, err := p.backupPaths(o, file)
	if err != nil {
		return err
	}
	config := store.Config{Database: v.Database, MasterKey: func() (secret.MasterKey, error) { return masterKeyOfBackup(v.MasterKey) }}
	if err := mayReplace(ctx, config, replace); err != nil {
		return err
	}
	if v.Kept, err = store.Restore(ctx, config, v.File); err != nil {
		if v.Kept != "" {
			return fmt.Errorf("%w; what was there before is kept in %s", err, v.Kept)
		}
		return err
	}
	if v.KeptHead, err = setHeadFileAside(o.auditHeadFile); err != nil {
		return fmt.Errorf("the database is restored, but its audit log cannot go on: %w", err)
	}
	err = p.inOffice(ctx, o, func(f *office) error { return f.NoteRestore(ctx, p.commandLine(), v.File, v.Kept) })
	if err != nil {
		return fmt.Errorf("the database is restored, but its audit log cannot go on: %w", err)
	}
	words := fmt.Sprintf("restored %s from %s", v.Database, v.File)
	if v.Kept != "" {
		words += "; what was there before is kept in " + v.Kept
	}
	if v.KeptHead != "" {
		words += ", its head file in " + v.KeptHead
	}
	return p.done(o, words, v)
}

// masterKeyOfBackup never makes a key: the one that opens the backup is
// somewhere, and a new one would only hide that.
func masterKeyOfBackup(path string) (secret.MasterKey, error) {
	key, err := secret.LoadMasterKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		return key, fmt.Errorf("there is no master key at %s; a backup does not hold it: put your copy of it there, or name it with --master-key-file", path)
	}
	return key, err
}

// mayReplace refuses to replace a database without being told, and while a
// process has it open: a server that writes audit events goes on from one that
// the restored database does not have, and the chain would break there.
func mayReplace(ctx context.Context, config store.Config, replace bool) error {
	info, err := os.Stat(config.Database)
	if err != nil || info.Size() == 0 {
		return nil // nothing, or what store.Restore tells
	}
	if !replace {
		return fmt.Errorf("there is a database at %s already; say --replace to put the backup in its place, and it is kept in a file beside it", config.Database)
	}
	open, err := store.IsOpen(ctx, config)
	if err != nil {
		return err
	}
	if open {
		return fmt.Errorf("another process has the database %s open; stop the servers that use it, then restore", config.Database)
	}
	return nil
}

// setHeadFileAside keeps the head file for the database that it belongs to: of
// the restored one it would say that its end was cut off. It returns the name
// that it has now, none where there was no file.
func setHeadFileAside(path string) (kept string, err error) {
	if path == "" {
		return "", nil
	}
	kept = path + ".before-restore-" + time.Now().UTC().Format("20060102T150405.000000")
	err = os.Rename(path, kept)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return kept, err
}
