package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"bucketgate/internal/manage"
)

func (p program) stdioCommand() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "stdio",
		Short: "Serve MCP on stdin and stdout",
		Long: `Serves MCP on stdin and stdout; nothing else is ever written to stdout.

It serves stored scopes: those that --scope names, or the one that there is. See
bucketgate provider create --help for how to store one.

Without any set-up one scope comes from the environment:
  BITBUCKET_WORKSPACE     slug of the workspace
  BITBUCKET_API_TOKEN     an API token, or a repository, project or workspace access token
  BITBUCKET_USERNAME      email of the Atlassian account; leave out for access tokens
  BITBUCKET_REPO_REGEX    pattern that a repository's whole slug must match; leave out for all
  BITBUCKET_BRANCH_REGEX  pattern that a branch's whole name must match; leave out for all
  BITBUCKET_API_URL       leave out for https://api.bitbucket.org/2.0

Without these variables it serves the stored scope, and with --admin the tools
that manage providers, credentials, scopes and clients.`,
		Example: `  BITBUCKET_WORKSPACE=acme BITBUCKET_USERNAME=me@example.com BITBUCKET_API_TOKEN=… \
  BITBUCKET_REPO_REGEX='^duplocloud-.*' BITBUCKET_BRANCH_REGEX='^main$' bucketgate stdio
  bucketgate stdio --scope platform`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := p.openStation(cmd.Context(), o)
			if err != nil {
				return err
			}
			return errors.Join(p.serveStdio(cmd.Context(), s), s.close())
		},
	}
	addCallFlags(cmd, &o)
	cmd.Flags().Var(newLasting(&o.linkTTL, manage.DefaultLinkTTL), "link-ttl", "with --admin: how long a one-time link is good, such as 10m")
	cmd.Flags().StringVar(&o.toolPrefix, "tool-prefix", "", "put before each tool's name, for clients that mix servers")
	return cmd
}

// serveStdio serves until stdin ends. An interrupt is a way to end, not a
// failure.
func (p program) serveStdio(ctx context.Context, s *station) error {
	err := s.server(p.log()).ServeStdio(ctx, p.stdin, p.stdout)
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// addCallFlags adds the flags of every command that calls tools.
func addCallFlags(cmd *cobra.Command, o *options) {
	cmd.Flags().StringArrayVar(&o.scopes, "scope", nil, "a stored scope; may be repeated; not with BITBUCKET_WORKSPACE")
	cmd.Flags().BoolVar(&o.admin, "admin", false, "the admin's tools; not with BITBUCKET_WORKSPACE")
	cmd.Flags().StringVar(&o.auditFile, "audit-file", "", "with BITBUCKET_WORKSPACE: append each decision to this file, one JSON object on a line")
	addDatabaseFlags(cmd, o)
}
