package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"bucketgate/internal/manage"
	"bucketgate/internal/store"
)

func (p program) providerCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "provider", Short: "Manage providers: Bitbucket workspaces", Args: usage(cobra.NoArgs), RunE: helpOnly}
	cmd.AddCommand(p.providerList(), p.providerShow(), p.providerCreate(), p.providerUpdate(), p.providerDelete())
	return cmd
}

// helpOnly is for a command that only holds others.
func helpOnly(cmd *cobra.Command, _ []string) error { return cmd.Help() }

// A providerView is a provider as it is printed.
type providerView struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	Workspace   string `json:"workspace"`
	Description string `json:"description,omitempty"`
	API         string `json:"api_url"`
	Version     int64  `json:"version"`
}

func viewProvider(r store.Provider) providerView {
	return providerView{r.Name, r.Type, r.Workspace, r.Description, r.API, r.Version}
}

var providerColumns = []string{"NAME", "WORKSPACE", "API", "DESCRIPTION", "VERSION"}

func (v providerView) row() []string {
	return []string{v.Name, v.Workspace, v.API, v.Description, strconv.FormatInt(v.Version, 10)}
}

func (p program) providerList() *cobra.Command {
	return p.officeCommand("list", "List providers", cobra.NoArgs, func(f *office, c *invocation) error {
		records, err := f.Providers(c.ctx)
		if err != nil {
			return err
		}
		return printList(p, c.options, viewsOf(records, viewProvider), providerColumns)
	})
}

func (p program) providerShow() *cobra.Command {
	return p.officeCommand("show NAME", "Show a provider", cobra.ExactArgs(1), func(f *office, c *invocation) error {
		record, err := f.Provider(c.ctx, c.args[0])
		if err != nil {
			return err
		}
		return printOne(p, c.options, viewProvider(record), providerColumns)
	})
}

func (p program) providerCreate() *cobra.Command {
	var record manage.Provider
	cmd := p.officeCommand("create NAME --workspace SLUG", "Add a provider", cobra.ExactArgs(1), func(f *office, c *invocation) error {
		record.Name = c.args[0]
		created, err := f.CreateProvider(c.ctx, p.commandLine(), record)
		if err != nil {
			return err
		}
		return p.done(c.options, "created provider "+created.Name+"; next: bucketgate credential create NAME --provider "+shellWord(created.Name), viewProvider(created))
	})
	cmd.Long = "Adds a provider: a workspace of Bitbucket Cloud. It is the first of three steps; credential create and scope create follow."
	cmd.Example = "  bucketgate provider create acme --workspace acme"
	addProviderFlags(cmd, &record)
	needFlags(cmd, "workspace")
	return cmd
}

func (p program) providerUpdate() *cobra.Command {
	var record manage.Provider
	var version int64
	cmd := p.officeCommand("update NAME", "Change a provider; what is not given stays", cobra.ExactArgs(1), func(f *office, c *invocation) error {
		current, err := f.Provider(c.ctx, c.args[0])
		if err != nil {
			return err
		}
		next := manage.Provider{Name: current.Name, Type: current.Type, Workspace: current.Workspace, Description: current.Description, API: current.API}
		c.given("workspace", func() { next.Workspace = record.Workspace })
		c.given("type", func() { next.Type = record.Type })
		c.given("description", func() { next.Description = record.Description })
		c.given("api-url", func() { next.API = record.API })
		updated, err := f.UpdateProvider(c.ctx, p.commandLine(), versionOr(version, current.Version), next)
		if err != nil {
			return err
		}
		return p.done(c.options, "updated provider "+updated.Name, viewProvider(updated))
	})
	addProviderFlags(cmd, &record)
	addVersionFlag(cmd, &version)
	return cmd
}

func addProviderFlags(cmd *cobra.Command, record *manage.Provider) {
	cmd.Flags().StringVar(&record.Workspace, "workspace", "", "slug of the workspace, as in the address of its page")
	cmd.Flags().StringVar(&record.Type, "type", "bitbucket", "type of the provider")
	cmd.Flags().StringVar(&record.Description, "description", "", "what it is for")
	cmd.Flags().StringVar(&record.API, "api-url", "", "address of the API (default https://api.bitbucket.org/2.0)")
}

func (p program) providerDelete() *cobra.Command {
	return p.officeCommand("delete NAME", "Remove a provider that has no credential", cobra.ExactArgs(1), func(f *office, c *invocation) error {
		if err := f.DeleteProvider(c.ctx, p.commandLine(), c.args[0]); err != nil {
			return err
		}
		return p.done(c.options, "deleted provider "+c.args[0], deletedView{"provider", c.args[0]})
	})
}
