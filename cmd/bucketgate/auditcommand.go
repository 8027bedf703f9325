package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"bucketgate/internal/audit"
	"bucketgate/internal/store"
)

func (p program) auditCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "audit", Short: "Read and verify the audit log", Args: usage(cobra.NoArgs), RunE: helpOnly}
	cmd.AddCommand(p.auditList(), p.auditVerify(), p.auditExport())
	return cmd
}

// auditFlags choose events.
type auditFlags struct {
	filter                 audit.Filter
	decision, since, until string
	limit                  int
	cursor                 string
}

func addAuditFlags(cmd *cobra.Command, f *auditFlags) {
	cmd.Flags().StringVar(&f.filter.Caller, "caller", "", "of this caller")
	cmd.Flags().StringVar(&f.filter.Tool, "tool", "", "of this tool")
	cmd.Flags().StringVar(&f.filter.Scope, "scope", "", "that are about this scope")
	cmd.Flags().StringVar(&f.decision, "decision", "", "allowed or denied")
	cmd.Flags().StringVar(&f.since, "since", "", "from this time on (RFC 3339), or this long ago, such as 36h or 7d")
	cmd.Flags().StringVar(&f.until, "until", "", "before this time (RFC 3339), or this long ago")
}

func (f *auditFlags) read() (_ audit.Filter, err error) {
	if f.decision != "" && f.decision != string(audit.Allowed) && f.decision != string(audit.Denied) {
		return audit.Filter{}, fmt.Errorf("%w: --decision is allowed or denied", errUsage)
	}
	f.filter.Decision = audit.Decision(f.decision)
	if f.filter.Since, err = parseMoment(f.since); err != nil {
		return audit.Filter{}, err
	}
	f.filter.Until, err = parseMoment(f.until)
	return f.filter, err
}

// parseMoment reads a time, or how long ago it was.
func parseMoment(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	ago, err := parseDuration(text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: %q is no time; write one such as 2027-01-31T08:00:00Z, or how long ago, such as 36h or 7d", errUsage, text)
	}
	return time.Now().Add(-ago), nil
}

// An eventView is an event as it is listed.
type eventView audit.Event

var eventColumns = []string{"TIME", "CALLER", "FROM", "TOOL", "SCOPE", "TARGET", "DECISION", "REASON"}

func (v eventView) row() []string {
	return []string{v.Time.UTC().Format(time.RFC3339), v.Caller, v.From, v.Tool, v.Scope, v.Target, string(v.Decision), v.Reason}
}

// An eventsView is a page of events as it is printed.
type eventsView struct {
	Events     []eventView `json:"events"`
	NextCursor string      `json:"next_cursor,omitempty"` // there are more
}

func (p program) printEvents(o options, events []eventView, next string) error {
	if o.output == "json" {
		return p.printJSON(eventsView{events, next})
	}
	if err := printList(p, o, events, eventColumns); err != nil {
		return err
	}
	if next != "" {
		fmt.Fprintf(p.stderr, "bucketgate: there are older events; the same command with --cursor %s goes on\n", next)
	}
	return nil
}

func (p program) auditList() *cobra.Command {
	var flags auditFlags
	cmd := p.auditReader("list", "List events, the newest first", func(db *store.Store, c *invocation) error {
		filter, err := flags.read()
		if err != nil {
			return err
		}
		if flags.limit < 1 || flags.limit > maxEvents {
			return fmt.Errorf("%w: --limit is from 1 to %d; audit export writes all", errUsage, maxEvents)
		}
		records, next, err := db.ListAudit(c.ctx, filter, flags.limit, store.AuditCursor(flags.cursor))
		if errors.Is(err, store.ErrCursor) {
			return fmt.Errorf("%w: --cursor takes what an earlier list gave to go on with", errUsage)
		}
		if err != nil {
			return err
		}
		return p.printEvents(c.options, viewsOf(records, func(r audit.Record) eventView { return eventView(r.Event) }), string(next))
	})
	addAuditFlags(cmd, &flags)
	cmd.Flags().IntVar(&flags.limit, "limit", 50, "at most so many")
	cmd.Flags().StringVar(&flags.cursor, "cursor", "", "go on where an earlier list with the same filters ended")
	return cmd
}

const maxEvents = 10_000

func (p program) auditExport() *cobra.Command {
	var flags auditFlags
	cmd := p.auditReader("export", "Write events, one JSON object on a line", func(db *store.Store, c *invocation) error {
		filter, err := flags.read()
		if err != nil {
			return err
		}
		writers, err := db.AuditWriters(c.ctx)
		if err != nil {
			return err
		}
		_, err = audit.Export(p.stdout, filter, func(take func(audit.Record) error) error {
			for _, writer := range writers {
				if err := db.EachAudit(c.ctx, writer, take); err != nil {
					return err
				}
			}
			return nil
		})
		return err
	})
	addAuditFlags(cmd, &flags)
	return cmd
}

// auditReader is a command that opens the database without a writer of events:
// one refuses to go on after a cut, and then an admin wants to read the log.
func (p program) auditReader(use, short string, read func(*store.Store, *invocation) error) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use: use, Short: short, Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.checkOutput(); err != nil {
				return err
			}
			if err := p.needDatabase(o); err != nil {
				return err
			}
			db, err := p.openStore(cmd.Context(), o)
			if err != nil {
				return err
			}
			defer db.Close()
			return read(db, &invocation{ctx: cmd.Context(), options: o, cmd: cmd})
		},
	}
	addDatabaseFlags(cmd, &o)
	addOutputFlag(cmd, &o)
	return cmd
}

func (p program) auditVerify() *cobra.Command {
	return p.auditReader("verify", "Find a changed, missing or moved event; with --audit-head-file also a cut end", func(db *store.Store, c *invocation) error {
		return p.verifyAudit(c.ctx, c.options, db)
	})
}

func (p program) verifyAudit(ctx context.Context, o options, db *store.Store) error {
	report, err := p.readAudit(ctx, o, db)
	if err != nil {
		return err
	}
	if !report.OK() {
		return tampered(report)
	}
	return p.done(o, fmt.Sprintf("the audit log is whole: %d events", report.Events), struct {
		OK     bool  `json:"ok"`
		Events int64 `json:"events"`
	}{true, report.Events})
}

func tampered(report audit.Report) error {
	return fmt.Errorf("the audit log was tampered with: %s", report.Findings[0])
}

// readAudit verifies the audit log, against the head file where the options
// name one.
func (p program) readAudit(ctx context.Context, o options, db *store.Store) (audit.Report, error) {
	var heads audit.Heads // before the writers, and these before the records: what is written meanwhile is no finding
	if o.auditHeadFile != "" {
		var err error
		if heads, err = audit.ReadHeads(o.auditHeadFile, db.Keyset()); err != nil {
			return audit.Report{}, err
		}
	}
	writers, err := db.AuditWriters(ctx)
	if err != nil {
		return audit.Report{}, err
	}
	return audit.Verify(ctx, writers, db.EachAudit, db.Keyset(), heads)
}
