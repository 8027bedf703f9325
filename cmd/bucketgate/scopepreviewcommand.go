package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"bucketgate/internal/manage"
	"bucketgate/policy"
)

// A scopePreviewView is a preview as it is printed.
type scopePreviewView struct {
	Summary  string   `json:"summary"`
	Matched  int      `json:"matched"`
	Total    int      `json:"total"`
	Names    []string `json:"names"`
	Warnings []string `json:"warnings"`
	Allowed  *bool    `json:"allowed,omitempty"`
	Pattern  string   `json:"pattern,omitempty"`
}

// draftFlags are the flags that a stored scope has its own answer to.
var draftFlags = []string{"repositories", "exclude-repositories", "branches", "exclude-branches", "provider", "credential"}

func (p program) scopePreviewCommand() *cobra.Command {
	var draft manage.Scope
	var repository, branch, action string
	cmd := p.officeCommand("preview [NAME]", "Show what a stored or a drafted scope matches in the real workspace", cobra.MaximumNArgs(1), func(f *office, c *invocation) error {
		q := manage.PreviewQuestion{Draft: draft, Repository: repository, Branch: branch, Action: policy.Action(action)}
		if len(c.args) == 1 {
			q.Stored = c.args[0]
		}
		if err := c.checkPreview(q); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(c.ctx, checkTime)
		defer cancel()
		service, err := f.asking(ctx)
		if err != nil {
			return err
		}
		preview, err := service.PreviewScope(ctx, p.commandLine(), q)
		if err != nil {
			return err
		}
		return p.printPreview(c.options, preview)
	})
	cmd.Long = "Name a stored scope, or draft one with the flags of scope create. It changes nothing."
	cmd.Flags().StringArrayVar(&draft.Repositories, "repositories", nil, "pattern that a repository's whole slug must match; may be repeated")
	cmd.Flags().StringArrayVar(&draft.ExcludeRepositories, "exclude-repositories", nil, "pattern of repositories to leave out")
	cmd.Flags().StringArrayVar(&draft.Branches, "branches", nil, "pattern that a branch's whole name must match; may be repeated")
	cmd.Flags().StringArrayVar(&draft.ExcludeBranches, "exclude-branches", nil, "pattern of branches to leave out")
	cmd.Flags().StringVar(&draft.Provider, "provider", "", "the provider of a draft")
	cmd.Flags().StringVar(&draft.Credential, "credential", "", "the credential of a draft")
	cmd.Flags().StringVar(&repository, "repository", "", "ask whether this repository may be reached, and by which pattern")
	cmd.Flags().StringVar(&branch, "branch", "", "ask about this branch of it too")
	cmd.Flags().StringVar(&action, "action", "", "ask about this action (default read)")
	return cmd
}

func (c *invocation) checkPreview(q manage.PreviewQuestion) error {
	if q.Stored == "" {
		if q.Draft.Provider == "" || q.Draft.Credential == "" {
			return fmt.Errorf("%w: name a stored scope, or draft one with --provider, --credential and patterns", errUsage)
		}
		return nil
	}
	for _, flag := range draftFlags {
		if c.cmd.Flags().Changed(flag) {
			return fmt.Errorf("%w: --%s drafts a scope; leave it out, or leave the name %q out", errUsage, flag, q.Stored)
		}
	}
	return nil
}

func (p program) printPreview(o options, preview manage.ScopePreview) error {
	v := scopePreviewView{
		Summary: preview.Summary(), Matched: preview.Matched, Total: preview.Total, Names: texts(preview.Names), Warnings: []string{},
	}
	for _, w := range preview.Warnings {
		v.Warnings = append(v.Warnings, fmt.Sprintf("%s: %s %s", w.Field, w.Pattern, w.Words))
	}
	if verdict := preview.Verdict; verdict != nil {
		v.Allowed, v.Pattern = &verdict.Allowed, verdict.Pattern
	}
	if o.output == "json" {
		return p.printJSON(v)
	}
	lines := []string{preview.Preview.Summary()}
	if preview.Verdict != nil {
		lines = append([]string{preview.Verdict.Words}, lines...)
	}
	for _, words := range v.Warnings {
		lines = append(lines, "warning: "+words)
	}
	for _, line := range lines {
		if _, err := fmt.Fprintln(p.stdout, line); err != nil {
			return err
		}
	}
	return nil
}
