package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"bucketgate/bitbucket"
	"bucketgate/internal/manage"
	"bucketgate/policy"
	"bucketgate/tools"
)

func (p program) checkCommand() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check the credential, the workspace and what the patterns match",
		Long:  "Tells who the credential belongs to, whether the workspace can be reached, and which of its repositories the patterns match.\nThe scope is the stored one that --scope names, or the one that there is, or comes from the environment: see bucketgate stdio --help.",
		Args:  usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := p.openStation(cmd.Context(), o)
			if err != nil {
				return err
			}
			if s.admin {
				return errors.Join(fmt.Errorf("%w: check looks at a scope; leave --admin out", errUsage), s.close())
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), checkTime)
			defer cancel()
			return errors.Join(p.check(ctx, s), s.close())
		},
	}
	addCallFlags(cmd, &o)
	return cmd
}

// checkTime bounds the whole check, which may list a large workspace.
const checkTime = 2 * time.Minute

func (p program) check(ctx context.Context, s *station) error {
	access, err := s.grant().Begin(policy.NoAction, "")
	if err != nil {
		return err
	}
	scope := access.Access()[0]
	preview, err := manage.PreviewScope(ctx, s.client, s.scope())
	if err != nil {
		return s.explain(scope.Workspace, err)
	}
	print := func(what, words string) { fmt.Fprintf(p.stdout, "%-13s %s\n", what, words) }
	print("workspace", scope.Workspace+" can be reached")
	print("credential", p.whoAmI(ctx, s))
	print("repositories", scope.Repositories+": "+preview.Summary())
	print("branches", scope.Branches)
	if preview.Matched == 0 {
		return fmt.Errorf("no repository matches: an agent would reach nothing")
	}
	return nil
}

// whoAmI says whom the credential belongs to. That it may not ask is no
// failure: the workspace has just been listed with it.
func (p program) whoAmI(ctx context.Context, s *station) string {
	name, err := manage.WhoAmI(ctx, s.client, s.scope())
	switch {
	case err == nil && name == "":
		return "works, and belongs to an account without a name"
	case err != nil && !errors.Is(err, bitbucket.ErrCredentialRejected):
		return "works; whom it belongs to could not be found out just now"
	case err != nil:
		return "works; whom it belongs to cannot be asked (an access token has no user, an API token needs read:user:bitbucket)"
	}
	return "works, and belongs to " + name
}

// explain words an error of the client as a tool would.
func (s *station) explain(workspace string, err error) error {
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("interrupted")
	}
	if refused, ok := errors.AsType[*manage.Refused](err); ok {
		return refused // a stored credential without a key that works
	}
	if errors.Is(err, bitbucket.ErrNotFound) {
		return fmt.Errorf("workspace %s was not found, or the credential may not see it: check its slug, and the API's address if you have set one", workspace)
	}
	words := s.toolbox.Words(&tools.About{Kind: "workspace", Name: workspace, Err: err}, "check")
	return fmt.Errorf("%s %s", words.Message, words.Hint)
}
