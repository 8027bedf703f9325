package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bucketgate/internal/manage"
)

// An invocation is one run of a command on the open database.
type invocation struct {
	ctx     context.Context
	args    []string
	options options
	cmd     *cobra.Command
}

// given calls set when the flag was given, on the command line or by its
// variable.
func (c *invocation) given(flag string, set func()) {
	if c.cmd.Flags().Changed(flag) {
		set()
	}
}

// officeCommand is a command that works on the open database, which is made
// where there is none.
func (p program) officeCommand(use, short string, args cobra.PositionalArgs, work func(*office, *invocation) error) *cobra.Command {
	return p.officeCommandAfter(func(options) error { return nil }, use, short, args, work)
}

// existingOfficeCommand is officeCommand for what makes no sense on a database
// that is new: there is one, or it says so.
func (p program) existingOfficeCommand(use, short string, args cobra.PositionalArgs, work func(*office, *invocation) error) *cobra.Command {
	return p.officeCommandAfter(p.needDatabase, use, short, args, work)
}

func (p program) officeCommandAfter(check func(options) error, use, short string, args cobra.PositionalArgs, work func(*office, *invocation) error) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use: use, Short: short, Args: usage(args),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.checkOutput(); err != nil {
				return err
			}
			if err := check(o); err != nil {
				return err
			}
			return p.inOffice(cmd.Context(), o, func(f *office) error {
				return work(f, &invocation{ctx: cmd.Context(), args: args, options: o, cmd: cmd})
			})
		},
	}
	addDatabaseFlags(cmd, &o)
	addOutputFlag(cmd, &o)
	return cmd
}

// needFlags refuses to begin without flags that have no default.
func needFlags(cmd *cobra.Command, names ...string) {
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		for _, name := range names {
			if !cmd.Flags().Changed(name) {
				return fmt.Errorf("%w: --%s is missing; write %s (see %s --help)", errUsage, name, cmd.UseLine(), cmd.CommandPath())
			}
		}
		return nil
	}
}

func addVersionFlag(cmd *cobra.Command, version *int64) {
	cmd.Flags().Int64Var(version, "version", 0, "refuse when the record has another version by now")
}

// versionOr is the version that the caller insists on, or the one that was
// just read: between reading and writing nobody else's change is lost.
func versionOr(given, read int64) int64 {
	if given != 0 {
		return given
	}
	return read
}

// A view is a record as it is printed.
type view interface{ row() []string }

// viewsOf is never nil: an empty list is printed as one.
func viewsOf[R any, V view](records []R, of func(R) V) []V {
	views := make([]V, len(records))
	for i, record := range records {
		views[i] = of(record)
	}
	return views
}

func printList[V view](p program, o options, views []V, columns []string) error {
	rows := make([][]string, len(views))
	for i, v := range views {
		rows[i] = v.row()
	}
	return p.print(o, views, columns, rows)
}

func printOne[V view](p program, o options, v V, columns []string) error {
	if o.output == "json" {
		return p.printJSON(v)
	}
	for i, cell := range v.row() {
		if _, err := fmt.Fprintf(p.stdout, "%-20s %s\n", strings.ToLower(columns[i]), plainCell(cell)); err != nil {
			return err
		}
	}
	return nil
}

type deletedView struct {
	Kind string `json:"deleted"`
	Name string `json:"name"`
}

// shellWord quotes a name for a shell where it needs it.
func shellWord(name string) string { return manage.ShellWord(name) }

// parseDuration reads what a flag says.
func parseDuration(text string) (time.Duration, error) {
	d, ok := manage.ParseDuration(text)
	if !ok {
		return 0, fmt.Errorf("%w: %q is no duration; write one such as 36h or 90d", errUsage, text)
	}
	return d, nil
}

// orAll words an empty list of patterns.
func orAll(patterns []string) string {
	if len(patterns) == 0 {
		return "all"
	}
	return strings.Join(patterns, ", ")
}

func except(include string, exclude []string) string {
	if len(exclude) == 0 {
		return include
	}
	return include + " except " + strings.Join(exclude, ", ")
}

func date(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}

func texts[S ~string](list []S) []string {
	out := make([]string, 0, len(list))
	for _, s := range list {
		out = append(out, string(s))
	}
	return slices.Clip(out)
}
