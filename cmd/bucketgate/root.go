package main

import (
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func (p program) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "bucketgate",
		Short: "An MCP server for Bitbucket Cloud that keeps agents inside limits",
		Long: `Bucketgate lets AI agents work with Bitbucket Cloud inside limits that you set
and that the server enforces: which repositories, which branches, which actions.

To look around:           bucketgate demo
To serve without set-up:  BITBUCKET_WORKSPACE=acme BITBUCKET_API_TOKEN=… bucketgate stdio
For a set-up that lasts:  bucketgate provider create, then credential create and scope create;
                          each says the next, and bucketgate stdio --scope NAME serves it`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          usage(cobra.NoArgs),
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return p.flagsFromEnvironment(cmd.Flags())
		},
	}
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.SetIn(p.stdin)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return fmt.Errorf("%w: %w", errUsage, err) })
	root.AddCommand(p.stdioCommand(), p.serveCommand(), p.callCommand(), p.checkCommand(), p.demoCommand(), p.versionCommand(),
		p.providerCommand(), p.credentialCommand(), p.scopeCommand(), p.clientCommand(),
		p.applyCommand(), p.exportCommand(), p.auditCommand(),
		p.keysCommand(), p.backupCommand(), p.restoreCommand(), p.doctorCommand())
	p.addCompletion(root)
	return root
}

// usage marks what cobra says of arguments as wrong usage.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return fmt.Errorf("%w: %w; write %s (see %s --help)", errUsage, err, cmd.UseLine(), cmd.CommandPath())
		}
		return nil
	}
}

// flagsFromEnvironment sets each flag that was not given from its environment
// variable: --audit-file is BUCKETGATE_AUDIT_FILE. One that is empty, or that a
// client passed on unexpanded, is a mistake: an audit file that silently is
// none would be found out too late.
func (p program) flagsFromEnvironment(flags *pflag.FlagSet) error {
	var failed error
	flags.VisitAll(func(flag *pflag.Flag) {
		name := environmentName(flag.Name)
		value, ok := p.lookupEnv(name)
		if !ok || flag.Changed || flag.Name == "help" || failed != nil {
			return
		}
		if strings.TrimSpace(value) == "" || unexpanded.MatchString(value) {
			failed = fmt.Errorf("%w: %s is set but empty, or still reads ${…}; set it to a value or leave it out", errUsage, name)
			return
		}
		if err := flags.Set(flag.Name, value); err != nil {
			failed = fmt.Errorf("%w: %s: %w", errUsage, name, err)
		}
	})
	return failed
}

func environmentName(flag string) string {
	return "BUCKETGATE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func (p program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  usage(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(p.stdout, "bucketgate", version())
			return err
		},
	}
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "dev"
	}
	return info.Main.Version
}
