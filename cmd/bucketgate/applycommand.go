package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"bucketgate/internal/manage"
)

const applyHelp = `Creates and updates the providers, credentials, scopes and clients of a YAML
file; it never deletes. The plan is shown, then it is applied: all of it, or
nothing where one line is wrong.

Keys do not stand in the file: api_key_env names a variable, api_key_file a file
(from the folder of the YAML file). A credential with neither keeps the stored
key. expires_in counts from when the client was created.`

// An applying is what the flags of apply say.
type applying struct {
	file           string
	dryRun, schema bool
}

func (p program) applyCommand() *cobra.Command {
	var o options
	var a applying
	cmd := &cobra.Command{
		Use: "apply -f FILE", Short: "Create and update records from a YAML file, all or nothing", Long: applyHelp,
		Example: "  bucketgate apply -f bucketgate.yaml --dry-run\n  bucketgate export | bucketgate apply -f -\n  bucketgate apply --schema > bucketgate.schema.json",
		Args:    usage(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return p.apply(cmd.Context(), o, a) },
	}
	cmd.Flags().StringVarP(&a.file, "file", "f", "", "the YAML file; - is stdin")
	cmd.Flags().BoolVar(&a.dryRun, "dry-run", false, "show the plan and change nothing")
	cmd.Flags().BoolVar(&a.schema, "schema", false, "print the JSON Schema of the file, for editors")
	addDatabaseFlags(cmd, &o)
	addOutputFlag(cmd, &o)
	return cmd
}

func (p program) apply(ctx context.Context, o options, a applying) error {
	if err := o.checkOutput(); err != nil {
		return err
	}
	if a.schema {
		return p.printSchema()
	}
	if a.file == "" {
		return fmt.Errorf("%w: name the file with -f FILE, or -f - for stdin", errUsage)
	}
	// A file that is wrong in itself is refused before the database is opened.
	file, err := p.readFile(a.file)
	if err != nil {
		return err
	}
	if a.dryRun {
		return p.planFile(ctx, o, file)
	}
	return p.inOffice(ctx, o, func(f *office) error {
		plan, err := f.Apply(ctx, p.commandLine(), file, func(plan manage.Plan) error {
			if o.output == "json" {
				return nil // one answer, when it is done
			}
			return p.showPlan(o, plan, false)
		})
		if err != nil || o.output != "json" {
			return err
		}
		return p.showPlan(o, plan, false)
	})
}

// planFile shows the plan. Where there is no database yet it is made on one that
// is gone afterwards: to change nothing is to make neither it nor a key.
func (p program) planFile(ctx context.Context, o options, file manage.File) error {
	database, err := p.databasePath(o)
	if err != nil {
		return err
	}
	if _, err := os.Stat(database); errors.Is(err, fs.ErrNotExist) {
		folder, err := os.MkdirTemp("", "bucketgate-dry-run-")
		if err != nil {
			return fmt.Errorf("making room for the plan: %w", err)
		}
		defer os.RemoveAll(folder)
		o.database, o.masterKeyFile, o.auditHeadFile = filepath.Join(folder, "plan.db"), filepath.Join(folder, "plan.key"), ""
	}
	return p.inOffice(ctx, o, func(f *office) error {
		plan, err := f.PlanFile(ctx, p.commandLine(), file)
		if err != nil {
			return err
		}
		return p.showPlan(o, plan, true)
	})
}

func (p program) printSchema() error {
	schema, err := manage.FileSchema()
	if err != nil {
		return err
	}
	_, err = p.stdout.Write(schema)
	return err
}

// readFile reads the file and the secrets that it names.
func (p program) readFile(path string) (manage.File, error) {
	text, err := p.readText(path)
	if err != nil {
		return manage.File{}, err
	}
	return manage.ParseFile(text, manage.Sources{LookupEnv: p.lookupEnv, ReadFile: func(named string) ([]byte, error) {
		if path != "-" && !filepath.IsAbs(named) {
			named = filepath.Join(filepath.Dir(path), named)
		}
		return readCapped(named)
	}})
}

func (p program) readText(path string) ([]byte, error) {
	if path != "-" {
		return readCapped(path)
	}
	text, err := io.ReadAll(io.LimitReader(p.stdin, manage.MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("reading stdin: %w", err)
	}
	return text, nil
}

// readCapped reads no more of a file than what shows that it is too long.
func readCapped(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, manage.MaxFile+1))
}

// A planView is a plan as it is printed in JSON.
type planView struct {
	DryRun    bool         `json:"dry_run"`
	Changes   []changeView `json:"changes"`
	Unchanged int          `json:"unchanged"`
	Warnings  []string     `json:"warnings,omitempty"`
}

type changeView struct {
	Operation manage.Operation `json:"operation"`
	Kind      string           `json:"kind"`
	Name      string           `json:"name"`
	Fields    []string         `json:"fields,omitempty"`
	Note      string           `json:"note,omitempty"`
}

func (p program) showPlan(o options, plan manage.Plan, dryRun bool) error {
	if o.output == "json" {
		view := planView{DryRun: dryRun, Changes: []changeView{}, Unchanged: plan.Count(manage.Unchanged), Warnings: plan.Warnings}
		for _, c := range plan.Changes {
			if c.Operation != manage.Unchanged {
				view.Changes = append(view.Changes, changeView{c.Operation, c.Kind, c.Name, c.Fields, c.Note})
			}
		}
		return p.printJSON(view)
	}
	for _, words := range plan.Warnings {
		fmt.Fprintf(p.stderr, "bucketgate: %s\n", words)
	}
	_, err := fmt.Fprint(p.stdout, plan)
	return err
}

func (p program) exportCommand() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use: "export", Short: "Print all records as the YAML that apply reads, without secrets",
		Example: "  bucketgate export > bucketgate.yaml",
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := p.needDatabase(o); err != nil {
				return err
			}
			return p.inOffice(cmd.Context(), o, func(f *office) error {
				text, err := f.Export(cmd.Context())
				if err != nil {
					return err
				}
				_, err = p.stdout.Write(text)
				return err
			})
		},
	}
	addDatabaseFlags(cmd, &o)
	return cmd
}
