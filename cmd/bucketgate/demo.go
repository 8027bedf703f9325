package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"bucketgate/bitbucket/sample"
	"bucketgate/tools"
)

// The demo's scope: the guide's own example, in a workspace of sample data.
const (
	demoWorkspace   = "acme"
	demoUsername    = "demo@example.com"
	demoRepoRegex   = "^duplocloud.*"
	demoBranchRegex = "^(main|develop|release/.*)$"
)

func (p program) demoCommand() *cobra.Command {
	var stdio bool
	var listen string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show what Bucketgate does, with a sample Bitbucket inside the process",
		Long: `Starts a Bitbucket of sample data inside the process, with a provider, a credential, a
scope that allows 8 of its 61 repositories, and a client for an agent and one for an
admin. Plays a few calls, one of them refused, and then serves HTTP until it is
interrupted. Needs no account and no network, and leaves nothing behind.
With --stdio it serves MCP on stdin and stdout instead.`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !stdio {
				return p.serveDemo(cmd.Context(), listen)
			}
			bitbucket, s, err := p.openDemo()
			if err != nil {
				return err
			}
			defer bitbucket.Close()
			return errors.Join(p.serveStdio(cmd.Context(), s), s.close())
		},
	}
	cmd.Flags().BoolVar(&stdio, "stdio", false, "serve MCP on stdin and stdout instead")
	cmd.Flags().StringVar(&listen, "listen", defaultListen, "where to serve HTTP; a free port where this one is taken")
	return cmd
}

// demoToken opens nothing but the sample.
const demoToken = "sample-token"

func newDemoBitbucket() *sample.Server {
	return sample.Demo(sample.Options{InlineLogs: true, Accounts: []sample.Account{{Name: "Demo", Username: demoUsername, Token: demoToken}}})
}

// openDemo starts the sample Bitbucket and wires the mode without set-up to
// it, by the same variables that a user sets.
func (p program) openDemo() (*sample.Server, *station, error) {
	bitbucket := newDemoBitbucket()
	api, err := bitbucket.Start("127.0.0.1:0")
	if err != nil {
		return nil, nil, fmt.Errorf("starting the sample Bitbucket: %w", err)
	}
	variables := map[string]string{
		varWorkspace: demoWorkspace, varUsername: demoUsername, varToken: demoToken, varAPI: api,
		varRepoRegex: demoRepoRegex, varBranchRegex: demoBranchRegex,
	}
	env, err := readEnvironment(func(name string) (string, bool) { value, ok := variables[name]; return value, ok })
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("reading the demo's scope: %w", err), bitbucket.Close())
	}
	s, err := p.stationFor(env, options{})
	if err != nil {
		return nil, nil, errors.Join(err, bitbucket.Close())
	}
	return bitbucket, s, nil
}

// A demoCall is one call that the demo plays, and why it is interesting.
type demoCall struct {
	title     string
	tool      string
	arguments string
}

var demoCalls = []demoCall{
	{"What may I reach?", "my_access", `{}`},
	{"Can you access Duplocloud repo in bitbucket?", "get_repo", `{"repository":"Duplocloud"}`},
	{"Which repositories are there? (61 are, the scope allows 8)", "list_repos", `{"detail":"names"}`},
	{"Which branches does it have? (feature branches are outside the scope)", "list_branches", `{"repository":"duplocloud"}`},
	{"And the payments service? It exists, but outside the scope: no request leaves.", "get_repo", `{"repository":"payments-api"}`},
}

func (p program) playDemo(ctx context.Context, s *station) error {
	fmt.Fprintf(p.stdout, "A sample Bitbucket runs inside this process. The scope of the agent:\n\n"+
		"  workspace     %s\n  repositories  %s\n  branches      %s\n", demoWorkspace, demoRepoRegex, demoBranchRegex)
	for _, call := range demoCalls {
		result := s.toolbox.Run(ctx, tools.Request{Caller: s.caller("demo"), Tool: call.tool, Arguments: json.RawMessage(call.arguments)})
		fmt.Fprintf(p.stdout, "\n%s\n  → %s %s\n  ← %s\n", call.title, call.tool, call.arguments, result.Text)
	}
	return ctx.Err()
}
