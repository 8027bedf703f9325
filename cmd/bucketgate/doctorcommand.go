package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bucketgate/internal/manage"
	"bucketgate/internal/secret"
	"bucketgate/internal/store"
)

const doctorHelp = `Looks over the database, the master key, the records and the audit log, and says
on one line each whether it is well, or what is wrong and what to do. It changes
nothing, and asks Bitbucket nothing: for that see bucketgate credential test.
Exits 1 when something is wrong.`

func (p program) doctorCommand() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use: "doctor", Short: "Say what is wrong with the set-up, and what to do", Long: doctorHelp, Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.checkOutput(); err != nil {
				return err
			}
			d := &doctor{program: p, options: o}
			d.examine(cmd.Context())
			return d.tell()
		},
	}
	addDatabaseFlags(cmd, &o)
	addOutputFlag(cmd, &o)
	return cmd
}

// A doctor collects findings. It uses no office: one makes a database where
// there is none, and a writer of audit events refuses to open after a cut.
type doctor struct {
	program  program
	options  options
	findings []manage.Finding
}

func (d *doctor) well(check, format string, args ...any) {
	d.findings = append(d.findings, manage.Finding{Check: check, OK: true, Words: fmt.Sprintf(format, args...)})
}

func (d *doctor) problem(check string, err error, advice string) {
	d.findings = append(d.findings, manage.Finding{Check: check, Words: err.Error(), Advice: advice})
}

// examine goes from the outside in, and no further than where what follows
// would say the same again.
func (d *doctor) examine(ctx context.Context) {
	database, masterKey, ok := d.paths()
	if !ok || !d.schema(ctx, database) {
		return
	}
	d.folder(filepath.Dir(database))
	if !d.masterKey(masterKey) {
		return
	}
	// With the key that is there now: it must not be made in between.
	config := store.Config{Database: database, MasterKey: func() (secret.MasterKey, error) { return secret.LoadMasterKey(masterKey) }}
	db, err := store.Open(ctx, config)
	if err != nil {
		d.problem(placeOf(err), err, "")
		return
	}
	defer db.Close()
	d.well("master key", "%s is the right one, and only you can read it", masterKey)
	d.contents(ctx, db)
}

func placeOf(err error) string {
	if errors.Is(err, secret.ErrWrongMasterKey) {
		return "master key"
	}
	return "database"
}

func (d *doctor) paths() (database, masterKey string, ok bool) {
	database, err := d.program.databasePath(d.options)
	if err == nil {
		masterKey, err = d.program.masterKeyPath(d.options)
	}
	if err == nil {
		err = d.program.needDatabase(d.options)
	}
	if err != nil {
		d.problem("database", err, "")
	}
	return database, masterKey, err == nil
}

// schema looks at the version before anything opens the database, which would
// bring it up to date.
func (d *doctor) schema(ctx context.Context, database string) bool {
	current, latest, err := store.SchemaVersion(ctx, store.Config{Database: database})
	switch {
	case err != nil:
		d.problem("database", err, "")
	case current == 0:
		d.problem("database", fmt.Errorf("%s is empty", database), "put a backup in its place with bucketgate restore, or begin with bucketgate provider create")
	case current < latest:
		d.problem("database", fmt.Errorf("%s is of version %d, and this program works with %d", database, current, latest),
			"keep a copy of the file; any other command then brings it up to date")
	default:
		d.well("database", "%s, version %d", database, current)
		return true
	}
	return false
}

// folder tries what SQLite does: it keeps its log in a file beside the
// database.
func (d *doctor) folder(folder string) {
	file, err := os.CreateTemp(folder, ".bucketgate-doctor-*")
	if err != nil {
		d.problem("folder", fmt.Errorf("nothing can be written into %s: %w", folder, cause(err)), "make it writable for this user, and make room on the disk")
		return
	}
	_, err = file.Write(make([]byte, 4096))
	if err := errors.Join(err, file.Close(), os.Remove(file.Name())); err != nil {
		d.problem("folder", fmt.Errorf("nothing can be written into %s: %w", folder, cause(err)), "make room on the disk")
		return
	}
	d.well("folder", "%s can be written", folder)
}

// cause is an error of package os without operation and path.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

func (d *doctor) masterKey(path string) bool {
	_, err := secret.LoadMasterKey(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.problem("master key", fmt.Errorf("there is none at %s", path), "put your copy of it there, or name it with --master-key-file; without it what is sealed in the database is lost")
	case err != nil:
		d.problem("master key", err, "")
	}
	return err == nil
}

func (d *doctor) contents(ctx context.Context, db *store.Store) {
	if err := db.Check(ctx); err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") { // one for each value
			d.problem("contents", errors.New(line), "")
		}
	} else {
		d.well("contents", "the file is whole, and every sealed value opens")
	}
	findings, err := manage.New(manage.Config{Store: db}).Checkup(ctx, time.Now())
	if err != nil {
		d.problem("records", err, "")
	}
	d.findings = append(d.findings, findings...)
	d.auditLog(ctx, db)
}

func (d *doctor) auditLog(ctx context.Context, db *store.Store) {
	report, err := d.program.readAudit(ctx, d.options, db)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.problem("audit log", err, "if somebody has taken the head file away, events may be missing at the end; if there never was one, leave --audit-head-file out")
	case err != nil:
		d.problem("audit log", err, "")
	case !report.OK():
		d.problem("audit log", tampered(report), "find out who can write the database; an older backup shows what was there")
	default:
		d.well("audit log", "%s, and the chain is whole", counted(int(report.Events), "event", "events"))
	}
}

// A doctorView is the findings as they are printed.
type doctorView struct {
	OK     bool          `json:"ok"`
	Checks []findingView `json:"checks"`
}

type findingView struct {
	Check  string `json:"check"`
	OK     bool   `json:"ok"`
	Words  string `json:"words"`
	Advice string `json:"advice,omitempty"`
}

func (d *doctor) tell() error {
	v := doctorView{OK: true}
	for _, f := range d.findings {
		v.OK = v.OK && f.OK
		v.Checks = append(v.Checks, findingView(f))
	}
	if err := d.print(v); err != nil {
		return err
	}
	if !v.OK {
		return errAnswered
	}
	return nil
}

func (d *doctor) print(v doctorView) error {
	if d.options.output == "json" {
		return d.program.printJSON(v)
	}
	for _, f := range v.Checks {
		state, words := "ok", f.Words
		if !f.OK {
			state = "problem"
		}
		if f.Advice != "" {
			words += "; " + f.Advice
		}
		if _, err := fmt.Fprintf(d.program.stdout, "%-8s %-12s %s\n", state, f.Check, plainCell(words)); err != nil {
			return err
		}
	}
	return nil
}
