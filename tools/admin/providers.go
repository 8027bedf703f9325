package admin

import (
	"context"
	"fmt"

	"bucketgate/internal/manage"
	"bucketgate/internal/store"
	"bucketgate/tools"
)

const providerHint = "{list_providers} shows the names; {create_provider} adds one. workspace is the slug in the address of its page; api_url may only be Bitbucket Cloud's, or what the server was started to allow."

type provider struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	Workspace   string `json:"workspace"`
	Description string `json:"description,omitempty"`
	APIURL      string `json:"api_url"`
	change
}

func viewProvider(r store.Provider) provider {
	return provider{r.Name, r.Type, r.Workspace, r.Description, r.API, changeOf(r.Meta)}
}

type listProvidersOutput struct {
	Summary    string     `json:"summary"`
	Providers  []provider `json:"providers"`
	Total      int        `json:"total"`
	NextCursor string     `json:"next_cursor,omitempty"`
}

func (d desk) listProviders() tools.Tool {
	return tools.DefineAdmin(tools.Tool{
		Name:        "list_providers",
		Title:       "List providers",
		Description: "Lists providers: the Bitbucket workspaces that credentials and scopes belong to. Shows each one's version, which an update needs.",
		Effect:      tools.Reads,
	}, func(ctx context.Context, call *tools.AdminCall, in listing) (listProvidersOutput, error) {
		records, err := d.Providers(ctx)
		if err == nil && in.Name != "" {
			records, err = only(d.Provider(ctx, in.Name))
		}
		if err != nil {
			return listProvidersOutput{}, inWords(call, err, providerHint)
		}
		p, err := pageOf(call, in, records, func(r store.Provider) string { return r.Name }, viewProvider)
		if err != nil {
			return listProvidersOutput{}, err
		}
		return listProvidersOutput{p.summary("provider"), p.rows, p.total, p.next}, nil
	})
}

// only is the list of one record.
func only[R any](record R, err error) ([]R, error) {
	if err != nil {
		return nil, err
	}
	return []R{record}, nil
}

type createProviderInput struct {
	named
	Workspace   string `json:"workspace" jsonschema:"minLength=1,maxLength=128,description=Slug of the workspace as in the address of its page"`
	Type        string `json:"type,omitempty" jsonschema:"enum=bitbucket"`
	Description string `json:"description,omitempty" jsonschema:"maxLength=1000"`
	APIURL      string `json:"api_url,omitempty" jsonschema:"maxLength=512,description=Leave out for https://api.bitbucket.org/2.0"`
}

type providerOutput struct {
	Summary   string   `json:"summary"`
	Provider  provider `json:"provider"`
	NextSteps []string `json:"next_steps"`
}

func (d desk) createProvider() tools.Tool {
	return tools.DefineAdmin(tools.Tool{
		Name:        "create_provider",
		Title:       "Add a provider",
		Description: "Adds a provider: a Bitbucket workspace. The first step of a set-up; create_credential is the next.",
		Effect:      tools.Adds,
	}, func(ctx context.Context, call *tools.AdminCall, in createProviderInput) (providerOutput, error) {
		created, err := d.CreateProvider(ctx, actor(call), manage.Provider{
			Name: in.Name, Type: in.Type, Workspace: in.Workspace, Description: in.Description, API: in.APIURL,
		})
		if err != nil {
			return providerOutput{}, inWords(call, err, providerHint)
		}
		return providerOutput{
			fmt.Sprintf("Provider %s was created for workspace %s at %s.", created.Name, created.Workspace, created.API), viewProvider(created),
			[]string{fmt.Sprintf("%s with provider %q adds its key.", call.ToolName("create_credential"), created.Name)},
		}, nil
	})
}

type updateProviderInput struct {
	named
	versioned
	Workspace   *string `json:"workspace,omitempty" jsonschema:"maxLength=128"`
	Type        string  `json:"type,omitempty" jsonschema:"enum=bitbucket"`
	Description *string `json:"description,omitempty" jsonschema:"maxLength=1000"`
	APIURL      *string `json:"api_url,omitempty" jsonschema:"maxLength=512"`
}

func (d desk) updateProvider() tools.Tool {
	return tools.DefineAdmin(tools.Tool{
		Name:        "update_provider",
		Title:       "Change a provider",
		Description: "Changes a provider; what is left out stays. Workspace and api_url cannot change once it has a credential: the key would go elsewhere.",
		Effect:      tools.Changes,
	}, func(ctx context.Context, call *tools.AdminCall, in updateProviderInput) (providerOutput, error) {
		current, err := d.Provider(ctx, in.Name)
		if err != nil {
			return providerOutput{}, inWords(call, err, providerHint)
		}
		updated, err := d.UpdateProvider(ctx, actor(call), in.Version, manage.Provider{
			Name: current.Name, Type: current.Type, Workspace: given(in.Workspace, current.Workspace),
			Description: given(in.Description, current.Description), API: given(in.APIURL, current.API),
		})
		if err != nil {
			return providerOutput{}, inWords(call, err, providerHint)
		}
		return providerOutput{fmt.Sprintf("Provider %s was changed; it is at version %d.", updated.Name, updated.Version), viewProvider(updated), []string{}}, nil
	})
}

func (d desk) deleteProvider() tools.Tool {
	return tools.DefineAdmin(tools.Tool{
		Name:        "delete_provider",
		Title:       "Remove a provider",
		Description: "Removes a provider that no credential and no scope belongs to; otherwise it is refused with their names.",
		Effect:      tools.Changes,
	}, func(ctx context.Context, call *tools.AdminCall, in named) (deleted, error) {
		if err := d.DeleteProvider(ctx, actor(call), in.Name); err != nil {
			return deleted{}, inWords(call, err, providerHint)
		}
		return deleted{"Provider " + in.Name + " was removed."}, nil
	})
}
