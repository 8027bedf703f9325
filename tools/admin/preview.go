package admin

import (
	"context"

	"bucketgate/internal/manage"
	"bucketgate/policy"
	"bucketgate/tools"
)

type previewScopeInput struct {
	Name       string `json:"name,omitempty" jsonschema:"minLength=1,maxLength=64,description=Of a stored scope"`
	Provider   string `json:"provider,omitempty" jsonschema:"minLength=1,maxLength=64,description=Of a draft"`
	Credential string `json:"credential,omitempty" jsonschema:"minLength=1,maxLength=64,description=Of a draft"`
	rules
	Description string `json:"description,omitempty" jsonschema:"maxLength=1000"`
	Repository  string `json:"repository,omitempty" jsonschema:"minLength=1,maxLength=257,description=Ask whether this one may be reached"`
	Branch      string `json:"branch,omitempty" jsonschema:"minLength=1,maxLength=255,description=And this branch of it"`
	Action      string `json:"action,omitempty" jsonschema:"minLength=1,maxLength=32,description=And this action (read)"`
}

// Target names the repository that is asked about.
func (in previewScopeInput) Target() string { return in.Repository }

// isDraft reports whether the arguments are those of create_scope, of which the
// name may be one, and not the name of a stored scope alone.
func (in previewScopeInput) isDraft() bool {
	return in.Provider != "" || in.Credential != "" || in.Description != "" || in.Actions != nil ||
		in.Repositories != nil || in.ExcludeRepositories != nil || in.Branches != nil || in.ExcludeBranches != nil
}

type previewScopeOutput struct {
	Summary  string   `json:"summary"`
	Matched  int      `json:"matched"`
	Total    int      `json:"total"`
	Names    []string `json:"names" jsonschema:"description=The first that match"`
	Warnings []string `json:"warnings"`
	Allowed  *bool    `json:"allowed,omitempty" jsonschema:"description=Whether the repository with branch and action may be reached"`
	Pattern  string   `json:"pattern,omitempty" jsonschema:"description=What decides that"`
}

func (d desk) previewScope() tools.Tool {
	return tools.DefineAdmin(tools.Tool{
		Name:        "preview_scope",
		Title:       "Preview a scope",
		Description: "Shows what a scope matches in the real workspace, such as 7 of 61, with the first names and the warnings on its patterns: of a stored scope by its name, or of a draft with the arguments of create_scope. With repository (branch, action) it also tells whether that one is allowed and by which pattern. Changes nothing.",
		Effect:      tools.Reads,
	}, func(ctx context.Context, call *tools.AdminCall, in previewScopeInput) (previewScopeOutput, error) {
		q := manage.PreviewQuestion{Stored: in.Name, Repository: in.Repository, Branch: in.Branch, Action: policy.Action(in.Action)}
		switch {
		case in.isDraft() && (in.Provider == "" || in.Credential == ""):
			return previewScopeOutput{}, tools.Invalid("A draft needs provider and credential.", "Give both with the patterns, or give nothing but the name of a stored scope.")
		case in.isDraft():
			q.Stored = ""
			q.Draft = manage.Scope{
				Name: in.Name, Provider: in.Provider, Credential: in.Credential, Description: in.Description,
				Repositories: in.Repositories, ExcludeRepositories: in.ExcludeRepositories,
				Branches: in.Branches, ExcludeBranches: in.ExcludeBranches, Actions: actionsOf(in.Actions),
			}
		case in.Name == "":
			return previewScopeOutput{}, tools.Invalid("There is nothing to preview.", "Give the name of a stored scope, or the arguments of create_scope.")
		}
		preview, err := d.PreviewScope(ctx, actor(call), q)
		if err != nil {
			return previewScopeOutput{}, inWords(call, err, scopeHint)
		}
		out := previewScopeOutput{
			Summary: sentence(preview.Summary()), Matched: preview.Matched, Total: preview.Total,
			Names: texts(preview.Names), Warnings: warningsOf(preview.Warnings),
		}
		if v := preview.Verdict; v != nil {
			out.Allowed, out.Pattern = &v.Allowed, v.Pattern
		}
		return out, nil
	})
}
