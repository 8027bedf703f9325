package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"time"

	"bucketgate/bitbucket"
	"bucketgate/internal/audit"
	"bucketgate/policy"
	"bucketgate/server"
	"bucketgate/tools"
	"bucketgate/tools/admin"
	"bucketgate/tools/agent"
)

// localCaller is who calls over stdio and on the command line.
const localCaller = "local"

// An options is what the commands that call tools have in common.
type options struct {
	scopes     []string
	admin      bool
	database   string
	auditFile  string
	toolPrefix string

	masterKeyFile string
	auditHeadFile string
	output        string
	linkTTL       time.Duration
	oneCall       bool // the program ends with its one call, and no page can be served
}

// toolPrefix keeps names within what clients take
// (https://modelcontextprotocol.io/specification/2025-11-25/server/tools#tool-names).
var toolPrefix = regexp.MustCompile(`\A[A-Za-z0-9_-]{0,32}\z`)

// A station is a toolbox wired up for one caller, and the client behind it.
type station struct {
	admin   bool // the tools are an admin's, and there is no client and no scope
	client  *bitbucket.Client
	toolbox *tools.Toolbox
	grant   func() policy.Grant // as it is now
	scope   func() policy.Scope // the one that check looks at
	close   func() error
}

// openStation wires the mode without set-up where its variables are set, and
// stored scopes otherwise.
func (p program) openStation(ctx context.Context, o options) (*station, error) {
	if !toolPrefix.MatchString(o.toolPrefix) {
		return nil, fmt.Errorf("%w: --tool-prefix takes up to 32 letters, digits, '_' and '-'", errUsage)
	}
	env, err := readEnvironment(p.lookupEnv)
	if errors.Is(err, errNoEnvironment) {
		return p.storedStation(ctx, o)
	}
	if err != nil {
		return nil, err
	}
	if err := o.refuseWithEnvironment(); err != nil {
		return nil, err
	}
	for _, line := range env.warnings() {
		fmt.Fprintf(p.stderr, "bucketgate: %s\n", line)
	}
	return p.stationFor(env, o)
}

func (p program) stationFor(env environment, o options) (*station, error) {
	cursors, err := tools.NewCursors([]byte(env.credential.APIKey.Reveal()))
	if err != nil {
		return nil, err
	}
	record, closeAudit, err := openAudit(o.auditFile, p.stderr)
	if err != nil {
		return nil, err
	}
	client := bitbucket.New(bitbucket.Config{
		Credential:   func(context.Context, string) (bitbucket.Credential, error) { return env.credential, nil },
		AllowAddress: func(hostPort string) bool { return env.explicit && hostPort == bitbucket.HostPort(env.credential.API) },
		UserAgent:    userAgent(),
	})
	grant := policy.NewGrant(localCaller, env.scope)
	return &station{
		client: client,
		grant:  func() policy.Grant { return grant },
		scope:  func() policy.Scope { return env.scope },
		close:  closeAudit,
		toolbox: &tools.Toolbox{
			Tools: agent.Tools(client), Prompts: agent.Prompts(), Cursors: cursors, Record: record,
			Log: p.log(), Prefix: o.toolPrefix, LintNotice: true,
		},
	}, nil
}

func userAgent() string { return "bucketgate/" + version() }

// openAudit returns where decisions go: all of them to the file if there is
// one, refusals to stderr for whoever watches.
func openAudit(path string, stderr io.Writer) (record func(audit.Event) error, closeFile func() error, err error) {
	if path == "" {
		return func(e audit.Event) error { audit.WriteRefusal(stderr, e); return nil }, func() error { return nil }, nil
	}
	file, err := audit.OpenFile(path)
	if err != nil {
		return nil, nil, err
	}
	return func(e audit.Event) error {
		audit.WriteRefusal(stderr, e)
		return file.Record(e)
	}, file.Close, nil
}

func (p program) log() *slog.Logger { return slog.New(slog.NewTextHandler(p.stderr, nil)) }

// refuseWithEnvironment refuses what would choose another scope than the one
// that the variables say.
func (o options) refuseWithEnvironment() error {
	given := ""
	switch {
	case len(o.scopes) > 0:
		given = "--scope"
	case o.admin:
		given = "--admin"
	case o.database != "":
		given = "BUCKETGATE_DATABASE"
	default:
		return nil
	}
	return fmt.Errorf("%s is set, and so is %s: the first is a scope of its own, the second asks for stored ones; unset one of them", varWorkspace, given)
}

func (s *station) caller(transport string) tools.Caller {
	if s.admin {
		return tools.Caller{Name: localCaller, Role: "admin", Transport: transport}
	}
	return tools.Caller{Name: localCaller, Role: "agent", Transport: transport, Grant: s.grant()}
}

func (s *station) server(log *slog.Logger) *server.Server {
	instructions := agent.Instructions
	if s.admin {
		instructions = admin.Instructions
	}
	return server.New(server.Config{
		Name: "bucketgate", Version: version(), Instructions: instructions, Toolbox: s.toolbox, Log: log,
		Caller: func(context.Context) tools.Caller { return s.caller("stdio") },
	})
}
