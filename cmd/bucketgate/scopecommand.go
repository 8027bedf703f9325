package main

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"bucketgate/internal/manage"
	"bucketgate/internal/store"
	"bucketgate/policy"
)

func (p program) scopeCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "scope", Short: "Manage scopes: what may be reached, with which credential", Args: usage(cobra.NoArgs), RunE: helpOnly}
	cmd.AddCommand(p.scopeList(), p.scopeShow(), p.scopeCreate(), p.scopeUpdate(), p.scopeDelete(), p.scopePreviewCommand())
	return cmd
}

// A scopeView is a scope as it is printed.
type scopeView struct {
	Name                string          `json:"name"`
	Provider            string          `json:"provider"`
	Credential          string          `json:"credential"`
	Description         string          `json:"description,omitempty"`
	Repositories        []string        `json:"repositories"`
	ExcludeRepositories []string        `json:"exclude_repositories,omitempty"`
	Branches            []string        `json:"branches"`
	ExcludeBranches     []string        `json:"exclude_branches,omitempty"`
	Actions             []policy.Action `json:"actions"`
	Version             int64           `json:"version"`
	Warnings            []string        `json:"warnings,omitempty"`
}

func viewScope(r store.Scope) scopeView {
	return scopeView{
		Name: r.Name, Provider: r.Provider, Credential: r.Credential, Description: r.Description,
		Repositories: texts(r.Repositories), ExcludeRepositories: r.ExcludeRepositories,
		Branches: texts(r.Branches), ExcludeBranches: r.ExcludeBranches, Actions: r.Actions, Version: r.Version,
	}
}

var scopeColumns = []string{"NAME", "PROVIDER", "CREDENTIAL", "REPOSITORIES", "BRANCHES", "ACTIONS", "VERSION"}

func (v scopeView) row() []string {
	return []string{
		v.Name, v.Provider, v.Credential, except(orAll(v.Repositories), v.ExcludeRepositories), except(orAll(v.Branches), v.ExcludeBranches),
		orAll(texts(v.Actions)), strconv.FormatInt(v.Version, 10),
	}
}

func (p program) scopeList() *cobra.Command {
	return p.officeCommand("list", "List scopes", cobra.NoArgs, func(f *office, c *invocation) error {
		records, err := f.Scopes(c.ctx)
		if err != nil {
			return err
		}
		return printList(p, c.options, viewsOf(records, viewScope), scopeColumns)
	})
}

func (p program) scopeShow() *cobra.Command {
	return p.officeCommand("show NAME", "Show a scope", cobra.ExactArgs(1), func(f *office, c *invocation) error {
		record, err := f.Scope(c.ctx, c.args[0])
		if err != nil {
			return err
		}
		return printOne(p, c.options, viewScope(record), scopeColumns)
	})
}

// A scopeFlags is what the flags of create and update say.
type scopeFlags struct {
	manage.Scope
	actions []string
}

func addScopeFlags(cmd *cobra.Command, f *scopeFlags) {
	cmd.Flags().StringVar(&f.Provider, "provider", "", "the provider whose workspace it is for")
	cmd.Flags().StringVar(&f.Credential, "credential", "", "the credential of that provider to use")
	cmd.Flags().StringVar(&f.Description, "description", "", "what it is for")
	cmd.Flags().StringArrayVar(&f.Repositories, "repositories", nil, "pattern that a repository's whole slug must match; may be repeated; none is all")
	cmd.Flags().StringArrayVar(&f.ExcludeRepositories, "exclude-repositories", nil, "pattern of repositories to leave out; wins over --repositories")
	cmd.Flags().StringArrayVar(&f.Branches, "branches", nil, "pattern that a branch's whole name must match; may be repeated; none is all")
	cmd.Flags().StringArrayVar(&f.ExcludeBranches, "exclude-branches", nil, "pattern of branches to leave out; wins over --branches")
	cmd.Flags().StringArrayVar(&f.actions, "actions", nil, "what may be done: read (the default)")
}

func actionsOf(names []string) []policy.Action {
	var actions []policy.Action
	for _, name := range names {
		actions = append(actions, policy.Action(name))
	}
	return actions
}

func (p program) scopeCreate() *cobra.Command {
	var flags scopeFlags
	cmd := p.officeCommand("create NAME --provider P --credential C", "Add a scope", cobra.ExactArgs(1), func(f *office, c *invocation) error {
		record := flags.Scope
		record.Name, record.Actions = c.args[0], actionsOf(flags.actions)
		created, warnings, err := f.CreateScope(c.ctx, p.commandLine(), record)
		if err != nil {
			return err
		}
		return p.scopeDone(c.options, "created scope "+created.Name+"; next: bucketgate scope preview "+shellWord(created.Name)+", and bucketgate stdio --scope "+shellWord(created.Name)+" serves it", created, warnings)
	})
	cmd.Long = "Adds a scope: which repositories, which branches and which actions, with which credential. A pattern must match the\nwhole name; bucketgate scope preview shows what it matches, also before the scope is there."
	cmd.Example = "  bucketgate scope create platform --provider acme --credential reader --repositories '^duplocloud-.*' --branches '^main$'"
	addScopeFlags(cmd, &flags)
	needFlags(cmd, "provider", "credential")
	return cmd
}

func (p program) scopeUpdate() *cobra.Command {
	var flags scopeFlags
	var version int64
	cmd := p.officeCommand("update NAME", "Change a scope; what is not given stays, a list that is given replaces the whole list", cobra.ExactArgs(1), func(f *office, c *invocation) error {
		current, err := f.Scope(c.ctx, c.args[0])
		if err != nil {
			return err
		}
		record := manage.Scope{
			Name: current.Name, Provider: current.Provider, Credential: current.Credential, Description: current.Description,
			Repositories: current.Repositories, ExcludeRepositories: current.ExcludeRepositories,
			Branches: current.Branches, ExcludeBranches: current.ExcludeBranches, Actions: current.Actions,
		}
		c.given("provider", func() { record.Provider = flags.Provider })
		c.given("credential", func() { record.Credential = flags.Credential })
		c.given("description", func() { record.Description = flags.Description })
		c.given("repositories", func() { record.Repositories = flags.Repositories })
		c.given("exclude-repositories", func() { record.ExcludeRepositories = flags.ExcludeRepositories })
		c.given("branches", func() { record.Branches = flags.Branches })
		c.given("exclude-branches", func() { record.ExcludeBranches = flags.ExcludeBranches })
		c.given("actions", func() { record.Actions = actionsOf(flags.actions) })
		if flags.AllRepositories && len(flags.Repositories) > 0 || flags.AllBranches && len(flags.Branches) > 0 {
			return fmt.Errorf("%w: patterns and all of them cannot both be meant", errUsage)
		}
		if slices.Contains(flags.Repositories, "") || slices.Contains(flags.Branches, "") {
			return fmt.Errorf("%w: an empty string is not a pattern; to allow all say --all-repositories or --all-branches", errUsage)
		}
		if flags.AllRepositories {
			record.AllRepositories, record.Repositories = true, nil
		}
		if flags.AllBranches {
			record.AllBranches, record.Branches = true, nil
		}
		updated, warnings, err := f.UpdateScope(c.ctx, p.commandLine(), versionOr(version, current.Version), record)
		if err != nil {
			return err
		}
		return p.scopeDone(c.options, "updated scope "+updated.Name, updated, warnings)
	})
	addScopeFlags(cmd, &flags)
	cmd.Flags().BoolVar(&flags.AllRepositories, "all-repositories", false, "take the repository patterns away: all may be reached")
	cmd.Flags().BoolVar(&flags.AllBranches, "all-branches", false, "take the branch patterns away: all may be reached")
	addVersionFlag(cmd, &version)
	return cmd
}

// scopeDone answers with the scope, and tells the linter's words on stderr,
// where they do not disturb who reads stdout.
func (p program) scopeDone(o options, words string, scope store.Scope, warnings []policy.Warning) error {
	v := viewScope(scope)
	for _, w := range warnings {
		line := fmt.Sprintf("%s: %s %s", w.Field, w.Pattern, w.Words)
		v.Warnings = append(v.Warnings, line)
		fmt.Fprintf(p.stderr, "bucketgate: %s\n", line)
	}
	return p.done(o, words, v)
}

func (p program) scopeDelete() *cobra.Command {
	return p.officeCommand("delete NAME", "Remove a scope that no client holds", cobra.ExactArgs(1), func(f *office, c *invocation) error {
		if err := f.DeleteScope(c.ctx, p.commandLine(), c.args[0]); err != nil {
			return err
		}
		return p.done(c.options, "deleted scope "+c.args[0], deletedView{"scope", c.args[0]})
	})
}
