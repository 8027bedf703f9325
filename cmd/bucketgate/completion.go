package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bucketgate/internal/manage"
	"bucketgate/internal/store"
)

// completionTime is how long a shell that waits for names is kept waiting.
const completionTime = time.Second

// A completion is a function that completes a name, as cobra wants it.
type completion = func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective)

// addCompletion makes the shell complete names of records, in flags and where a
// command takes one.
func (p program) addCompletion(cmd *cobra.Command) {
	for flag, complete := range map[string]completion{
		"scope": p.completeNames("scope"), "provider": p.completeNames("provider"), "credential": p.completeNames("credential"),
		"output": oneOf("table", "json"), "decision": oneOf("allowed", "denied"), "role": oneOf("agent", "admin"), "actions": oneOf("read"),
	} {
		if cmd.Flags().Lookup(flag) != nil {
			_ = cmd.RegisterFlagCompletionFunc(flag, complete) // fails where it is registered twice only
		}
	}
	if kind, ok := takesName(cmd); ok {
		complete := p.completeNames(kind)
		cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp // one name is taken
			}
			return complete(cmd, args, begun)
		}
	}
	for _, child := range cmd.Commands() {
		p.addCompletion(child)
	}
}

// takesName reports whether the command's argument is the name of a record that
// there is, and of which kind.
func takesName(cmd *cobra.Command) (kind string, ok bool) {
	if cmd.Parent() == nil || cmd.Name() == "create" || !strings.Contains(cmd.Use, "NAME") {
		return "", false
	}
	kind = cmd.Parent().Name()
	return kind, slices.Contains([]string{"provider", "credential", "scope", "client"}, kind)
}

func oneOf(words ...string) completion {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return words, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeNames completes from the database. Whatever is wrong with it, there is
// nothing to complete: a shell is no place for words about that.
func (p program) completeNames(kind string) completion {
	return func(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		ctx, stop := context.WithTimeout(context.Background(), completionTime)
		defer stop()
		var names []string
		for _, name := range p.storedNames(ctx, cmd, kind) {
			if strings.HasPrefix(name, begun) {
				names = append(names, name)
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// storedNames makes and changes nothing: no database, no key, no newer schema.
func (p program) storedNames(ctx context.Context, cmd *cobra.Command, kind string) []string {
	_ = p.flagsFromEnvironment(cmd.Flags())
	var o options
	o.database, _ = cmd.Flags().GetString("database")
	o.masterKeyFile, _ = cmd.Flags().GetString("master-key-file")
	provider, _ := cmd.Flags().GetString("provider")
	config, err := p.storeConfig(o)
	if err != nil {
		return nil
	}
	config.LockTimeout = completionTime / 4
	if current, latest, err := store.SchemaVersion(ctx, config); err != nil || current != latest {
		return nil
	}
	db, err := store.Open(ctx, config)
	if err != nil {
		return nil
	}
	defer db.Close()
	return namesOf(ctx, manage.New(manage.Config{Store: db}), kind, provider)
}

// namesOf returns the names of the records of a kind, each once. On an error
// there is none.
func namesOf(ctx context.Context, service *manage.Service, kind, provider string) []string {
	var names []string
	switch kind {
	case "provider":
		all, _ := service.Providers(ctx)
		names = mapped(all, func(r store.Provider) string { return r.Name })
	case "credential":
		all, _ := service.Credentials(ctx, provider)
		names = mapped(all, func(r store.Credential) string { return r.Name })
	case "scope":
		all, _ := service.Scopes(ctx)
		names = mapped(all, func(r store.Scope) string { return r.Name })
	case "client":
		all, _ := service.Clients(ctx)
		all = slices.DeleteFunc(all, func(r store.Client) bool { return !r.RevokedAt.IsZero() })
		names = mapped(all, func(r store.Client) string { return r.Name })
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func mapped[R any](records []R, name func(R) string) []string {
	names := make([]string, len(records))
	for i, record := range records {
		names[i] = name(record)
	}
	return names
}
