package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"bucketgate/internal/manage"
	"bucketgate/internal/secret"
	"bucketgate/internal/store"
)

func (p program) clientCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "client", Short: "Manage clients: agents and admins that connect over HTTP", Args: usage(cobra.NoArgs), RunE: helpOnly}
	cmd.AddCommand(p.clientList(), p.clientShow(), p.clientCreate(), p.clientUpdate(), p.clientDelete(), p.clientKey())
	return cmd
}

// A clientView is a client as it is printed. Key is there only once, when it
// has just been made.
type clientView struct {
	Name      string   `json:"name"`
	Role      string   `json:"role"`
	Scopes    []string `json:"scopes"`
	KeyPrefix string   `json:"key_prefix,omitempty"`
	ExpiresOn string   `json:"expires_at,omitempty"`
	Revoked   bool     `json:"revoked,omitempty"`
	Version   int64    `json:"version"`
	Key       string   `json:"key,omitempty"`
}

func viewClient(r store.Client) clientView {
	v := clientView{Name: r.Name, Role: r.Role, Scopes: texts(r.Scopes), KeyPrefix: r.KeyPrefix, Revoked: !r.RevokedAt.IsZero(), Version: r.Version}
	if !r.ExpiresAt.IsZero() {
		v.ExpiresOn = r.ExpiresAt.UTC().Format(time.RFC3339)
	}
	return v
}

var clientColumns = []string{"NAME", "ROLE", "SCOPES", "KEY", "EXPIRES", "STATE", "VERSION"}

func (v clientView) row() []string {
	state := "active"
	if v.Revoked {
		state = "revoked"
	}
	scopes := "none"
	if len(v.Scopes) > 0 {
		scopes = orAll(v.Scopes)
	}
	return []string{v.Name, v.Role, scopes, v.KeyPrefix, v.ExpiresOn, state, strconv.FormatInt(v.Version, 10)}
}

func (p program) clientList() *cobra.Command {
	return p.officeCommand("list", "List clients", cobra.NoArgs, func(f *office, c *invocation) error {
		records, err := f.Clients(c.ctx)
		if err != nil {
			return err
		}
		return printList(p, c.options, viewsOf(records, viewClient), clientColumns)
	})
}

func (p program) clientShow() *cobra.Command {
	return p.officeCommand("show NAME", "Show a client", cobra.ExactArgs(1), func(f *office, c *invocation) error {
		record, err := f.Client(c.ctx, c.args[0])
		if err != nil {
			return err
		}
		return printOne(p, c.options, viewClient(record), clientColumns)
	})
}

func addClientFlags(cmd *cobra.Command, record *manage.Client, expiresIn *string) {
	cmd.Flags().StringVar(&record.Role, "role", "agent", "agent or admin")
	cmd.Flags().StringArrayVar(&record.Scopes, "scope", nil, "a scope that it may use; may be repeated; none is none")
	cmd.Flags().StringVar(expiresIn, "expires-in", "", "how long its key is good, such as 36h or 90d (default: for ever)")
}

func (p program) clientCreate() *cobra.Command {
	var record manage.Client
	var expiresIn string
	cmd := p.officeCommand("create NAME", "Add a client, and print its key once", cobra.ExactArgs(1), func(f *office, c *invocation) (err error) {
		record.Name = c.args[0]
		if expiresIn != "" {
			if record.ExpiresIn, err = parseDuration(expiresIn); err != nil {
				return err
			}
		}
		created, key, err := f.CreateClient(c.ctx, p.commandLine(), record)
		if err != nil {
			return err
		}
		return p.showKey(c.options, "created client "+created.Name, created, key)
	})
	cmd.Example = "  bucketgate client create ci --scope platform --expires-in 90d"
	addClientFlags(cmd, &record, &expiresIn)
	return cmd
}

// showKey prints a key, once, alone on the last line, so that a script can
// take it from there.
func (p program) showKey(o options, words string, client store.Client, key secret.Text) error {
	if o.output == "json" {
		v := viewClient(client)
		v.Key = key.Reveal()
		return p.printJSON(v)
	}
	_, err := fmt.Fprintf(p.stdout, "%s; this is its key, which is not shown again:\n%s\n", words, key.Reveal())
	return err
}

func (p program) clientUpdate() *cobra.Command {
	var record manage.Client
	var expiresIn string
	var version int64
	cmd := p.officeCommand("update NAME", "Change a client; what is not given stays", cobra.ExactArgs(1), func(f *office, c *invocation) (err error) {
		current, err := f.Client(c.ctx, c.args[0])
		if err != nil {
			return err
		}
		next := manage.Client{Name: current.Name, Role: current.Role, Scopes: current.Scopes}
		c.given("role", func() { next.Role = record.Role })
		c.given("scope", func() { next.Scopes = record.Scopes })
		if expiresIn != "" {
			if next.ExpiresIn, err = parseDuration(expiresIn); err != nil {
				return err
			}
		}
		updated, err := f.UpdateClient(c.ctx, p.commandLine(), versionOr(version, current.Version), next)
		if err != nil {
			return err
		}
		return p.done(c.options, "updated client "+updated.Name, viewClient(updated))
	})
	addClientFlags(cmd, &record, &expiresIn)
	addVersionFlag(cmd, &version)
	return cmd
}

func (p program) clientDelete() *cobra.Command {
	return p.officeCommand("delete NAME", "Revoke a client: its key is not taken any more", cobra.ExactArgs(1), func(f *office, c *invocation) error {
		if err := f.RevokeClient(c.ctx, p.commandLine(), c.args[0]); err != nil {
			return err
		}
		return p.done(c.options, "revoked client "+c.args[0], deletedView{"client", c.args[0]})
	})
}

func (p program) clientKey() *cobra.Command {
	return p.officeCommand("key NAME", "Give a client a new key, and print it once", cobra.ExactArgs(1), func(f *office, c *invocation) error {
		updated, key, err := f.ReplaceClientKey(c.ctx, p.commandLine(), 0, c.args[0])
		if err != nil {
			return err
		}
		return p.showKey(c.options, "client "+updated.Name+" has a new key", updated, key)
	})
}
