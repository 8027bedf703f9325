package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"bucketgate/internal/audit"
	"bucketgate/internal/manage"
	"bucketgate/internal/store"
	"bucketgate/policy"
	"bucketgate/tools"
)

// storedStation wires stored scopes: those that --scope names, or the one that
// there is.
func (p program) storedStation(ctx context.Context, o options) (*station, error) {
	if o.admin {
		return p.adminStation(ctx, o)
	}
	if o.auditFile != "" {
		return nil, errAuditFile
	}
	if len(o.scopes) == 0 && !p.hasDatabase(o) {
		return nil, errNoScope
	}
	db, err := p.openStore(ctx, o)
	if err != nil {
		return nil, err
	}
	s, err := p.stationOn(ctx, db, o)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

func (p program) stationOn(ctx context.Context, db *store.Store, o options) (*station, error) {
	names, err := chooseScopes(ctx, db, o.scopes)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	roster, err := manage.NewRoster(ctx, db, p.log(), names...)
	if err != nil {
		stop()
		return nil, err
	}
	writer, err := p.openAuditWriter(ctx, db, o, p.log())
	if err != nil {
		stop()
		return nil, err
	}
	f := &office{store: db, audit: writer}
	client, toolbox, err := p.agentToolbox(ctx, f, roster, o, nil)
	if err != nil {
		stop()
		return nil, err
	}
	return &station{
		client:  client,
		grant:   func() policy.Grant { return roster.Grant(localCaller, names) },
		scope:   func() policy.Scope { return roster.Scope(names[0]) },
		close:   func() error { stop(); return f.close() },
		toolbox: toolbox,
	}, nil
}

var errAuditFile = errors.New("--audit-file is for the mode without set-up; stored scopes have their audit log in the database, see bucketgate audit")

// errNoScope names both ways to have one.
var errNoScope = errors.New("there is no scope to serve: set " + varWorkspace + " and " + varToken + " for one scope from the environment (see bucketgate stdio --help), or store one with bucketgate provider create, credential create and scope create")

// cursors are sealed with a key of the database, so that they outlive the
// process and open in any other one.
func (f *office) cursors() (tools.Cursors, error) {
	key, err := f.store.Keyset().Derive("cursors", 32)
	if err != nil {
		return tools.Cursors{}, err
	}
	return tools.NewCursors(key)
}

// recorder writes events for the life of calls. One is written also for a
// caller who has gone.
func (f *office) recorder(ctx context.Context) func(audit.Event) error {
	ctx = context.WithoutCancel(ctx)
	return func(e audit.Event) error { return f.audit.Record(ctx, e) }
}

// hasDatabase reports whether there is a database to look for scopes in: a
// command that only reads must not make one.
func (p program) hasDatabase(o options) bool {
	path, err := p.databasePath(o)
	if err != nil {
		return o.database != "" // named, and to be told why it cannot be used
	}
	_, err = os.Stat(path)
	return o.database != "" || err == nil
}

// chooseScopes returns the names of the stored scopes to serve.
func chooseScopes(ctx context.Context, db *store.Store, wanted []string) ([]string, error) {
	scopes, err := manage.New(manage.Config{Store: db}).Scopes(ctx)
	if err != nil {
		return nil, err
	}
	var known []string
	for _, s := range scopes {
		known = append(known, s.Name)
	}
	for _, name := range wanted {
		if !slices.Contains(known, name) {
			return nil, manage.UnknownScope(name, known)
		}
	}
	switch {
	case len(wanted) > 0:
		return wanted, nil
	case len(known) == 0:
		return nil, errNoScope
	case len(known) > 1:
		return nil, fmt.Errorf("there are several stored scopes: name those to serve with --scope, of %s", strings.Join(known, ", "))
	}
	return known, nil
}
