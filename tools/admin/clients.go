package admin

import (
	"context"
	"fmt"
	"strings"
	"time"

	"bucketgate/internal/manage"
	"bucketgate/internal/store"
	"bucketgate/tools"
)

const clientHint = "{list_clients} shows the names; {create_client} adds one. role is agent or admin; scopes are names of stored scopes; expires_in is such as 36h or 90d."

type client struct {
	Name      string   `json:"name"`
	Role      string   `json:"role"`
	Scopes    []string `json:"scopes" jsonschema:"description=None means none"`
	Key       string   `json:"key" jsonschema:"description=Whether it is set; never the key"`
	ExpiresAt string   `json:"expires_at,omitempty"`
	LastUsed  string   `json:"last_used_at,omitempty"`
	Revoked   bool     `json:"revoked,omitempty"`
	LeftOut   int      `json:"left_out,omitempty" jsonschema:"description=So many scopes are not shown; bucketgate client show shows all"`
	change
}

func viewClient(r store.Client) client {
	v := client{
		Name: r.Name, Role: r.Role, Key: clientKeyWords(r), ExpiresAt: timestamp(r.ExpiresAt), LastUsed: timestamp(r.LastUsedAt),
		Revoked: !r.RevokedAt.IsZero(), change: changeOf(r.Meta),
	}
	shown, leftOut := some(r.Scopes)
	v.Scopes, v.LeftOut = texts(shown), leftOut
	return v
}

func clientKeyWords(r store.Client) string {
	switch {
	case !r.RevokedAt.IsZero():
		return "revoked"
	case r.KeyPrefix == "":
		return "not set: it cannot connect yet"
	}
	return "set, begins with " + r.KeyPrefix
}

type listClientsOutput struct {
	Summary    string   `json:"summary"`
	Clients    []client `json:"clients"`
	Total      int      `json:"total"`
	NextCursor string   `json:"next_cursor,omitempty"`
}

func (d desk) listClients() tools.Tool {
	return tools.DefineAdmin(tools.Tool{
		Name:        "list_clients",
		Title:       "List clients",
		Description: "Lists clients: the agents and admins that connect over HTTP with a key of their own, with the scopes that each may use; revoked ones too. No key is ever shown.",
		Effect:      tools.Reads,
	}, func(ctx context.Context, call *tools.AdminCall, in listing) (listClientsOutput, error) {
		records, err := d.findClients(ctx, in.Name)
		if err != nil {
			return listClientsOutput{}, inWords(call, err, clientHint)
		}
		p, err := pageOf(call, in, records, func(r store.Client) string { return r.Name }, viewClient)
		if err != nil {
			return listClientsOutput{}, err
		}
		return listClientsOutput{p.summary("client"), p.rows, p.total, p.next}, nil
	})
}

// findClients returns all clients or the one of the name, revoked ones too.
func (d desk) findClients(ctx context.Context, name string) ([]store.Client, error) {
	records, err := d.Clients(ctx)
	if err != nil || name == "" {
		return records, err
	}
	for _, r := range records {
		if r.Name == name {
			return []store.Client{r}, nil
		}
	}
	return only(d.Client(ctx, name)) // which says what may be meant
}

type createClientInput struct {
	named
	Role      string   `json:"role,omitempty" jsonschema:"enum=agent,enum=admin,description=agent where it is left out"`
	Scopes    []string `json:"scopes,omitempty" jsonschema:"description=Names of scopes that it may use; none means none"`
	ExpiresIn string   `json:"expires_in,omitempty" jsonschema:"maxLength=32,description=How long it is good from now such as 36h or 90d; for ever where it is left out"`
}

type clientOutput struct {
	Summary   string   `json:"summary"`
	Client    client   `json:"client"`
	NextSteps []string `json:"next_steps"`
}

func (d desk) createClient() tools.Tool {
	return tools.DefineAdmin(tools.Tool{
		Name:        "create_client",
		Title:       "Add a client",
		Description: "Adds an agent or an admin that connects over HTTP, with the scopes that it may use. It has no key yet: next_steps says how a person makes one and sees it, once, on the command line or in the console.",
		Effect:      tools.Adds,
	}, func(ctx context.Context, call *tools.AdminCall, in createClientInput) (clientOutput, error) {
		lasts, err := parseLasting(in.ExpiresIn)
		if err != nil {
			return clientOutput{}, err
		}
		created, err := d.CreateClientWithoutKey(ctx, actor(call), manage.Client{Name: in.Name, Role: in.Role, Scopes: in.Scopes, ExpiresIn: lasts})
		if err != nil {
			return clientOutput{}, inWords(call, err, clientHint)
		}
		return clientOutput{
			clientSummary(created, "was created") + " It has no key yet and cannot connect.", viewClient(created),
			[]string{
				fmt.Sprintf("On the server's machine: bucketgate client key %q makes its key and shows it once.", created.Name),
				"Or in the console, at the client's page.",
			},
		}, nil
	})
}

func parseLasting(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	lasts, err := manage.ParseLasting(text)
	if err != nil {
		return 0, tools.Invalid(`"expires_in" is no duration.`, "Write one such as 36h or 90d.")
	}
	return lasts, nil
}

func clientSummary(c store.Client, what string) string {
	words := fmt.Sprintf("Client %s %s: role %s, ", c.Name, what, c.Role)
	switch {
	case c.Role == "admin":
		words += "which manages everything"
	case len(c.Scopes) == 0:
		words += "no scopes, so that it reaches nothing"
	default:
		words += "scopes " + shorten(strings.Join(c.Scopes, ", "), 400)
	}
	if !c.ExpiresAt.IsZero() {
		words += "; it expires at " + timestamp(c.ExpiresAt)
	}
	return words + "."
}

type updateClientInput struct {
	named
	versioned
	Role      string   `json:"role,omitempty" jsonschema:"enum=agent,enum=admin"`
	Scopes    []string `json:"scopes,omitempty" jsonschema:"description=Replaces all scopes; an empty list means none"`
	ExpiresIn string   `json:"expires_in,omitempty" jsonschema:"maxLength=32,description=From now such as 36h or 90d"`
}

func (d desk) updateClient() tools.Tool {
	return tools.DefineAdmin(tools.Tool{
		Name:        "update_client",
		Title:       "Change a client",
		Description: "Changes a client's role, scopes or expiry; what is left out stays, and so does its key. Takes effect within a second.",
		Effect:      tools.Changes,
	}, func(ctx context.Context, call *tools.AdminCall, in updateClientInput) (clientOutput, error) {
		lasts, err := parseLasting(in.ExpiresIn)
		if err != nil {
			return clientOutput{}, err
		}
		current, err := d.Client(ctx, in.Name)
		if err != nil {
			return clientOutput{}, inWords(call, err, clientHint)
		}
		next := manage.Client{Name: current.Name, Role: current.Role, Scopes: givenList(in.Scopes, current.Scopes), ExpiresIn: lasts}
		if in.Role != "" {
			next.Role = in.Role
		}
		updated, err := d.UpdateClient(ctx, actor(call), in.Version, next)
		if err != nil {
			return clientOutput{}, inWords(call, err, clientHint)
		}
		return clientOutput{clientSummary(updated, fmt.Sprintf("was changed, and is at version %d", updated.Version)), viewClient(updated), []string{}}, nil
	})
}

func (d desk) deleteClient() tools.Tool {
	return tools.DefineAdmin(tools.Tool{
		Name:        "delete_client",
		Title:       "Revoke a client",
		Description: "Revokes a client for good: its key is refused within a second. Its name stays for the audit log and cannot be given again.",
		Effect:      tools.Changes,
	}, func(ctx context.Context, call *tools.AdminCall, in named) (deleted, error) {
		if err := d.RevokeClient(ctx, actor(call), in.Name); err != nil {
			return deleted{}, inWords(call, err, clientHint)
		}
		return deleted{"Client " + in.Name + " was revoked; its key is not taken any more."}, nil
	})
}
