package console

import (
	"net/http"

	"bucketgate/internal/audit"
	"bucketgate/internal/store"
)

// A step is one of the six that lead to an agent's first answer.
type step struct {
	Title, Words string
	Path, Button string
	Done, Next   bool
}

type homeView struct {
	frame
	Counts  store.Counts
	Steps   []step
	Left    int // steps that are not done
	Denied  []audit.Event
	Welcome bool // nothing is set up yet
}

// deniedRows is how many refusals the first page shows.
const deniedRows = 5

func (c *Console) home(w http.ResponseWriter, r *http.Request) error {
	service, ctx := c.config.Service, r.Context()
	counts, err := service.Counts(ctx)
	if err != nil {
		return err
	}
	providers, err := service.ProviderSummaries(ctx)
	if err != nil {
		return err
	}
	tried, err := c.anyCall(r)
	if err != nil {
		return err
	}
	denied, _, err := service.AuditEvents(ctx, audit.Filter{Decision: audit.Denied}, deniedRows, "")
	if err != nil {
		return err
	}
	view := &homeView{frame: frame{Title: "Overview", Nav: "home"}, Counts: counts, Denied: denied, Welcome: counts.Providers == 0}
	view.Steps = c.steps(counts, providers, tried)
	for i := range view.Steps {
		if view.Steps[i].Done {
			continue
		}
		if view.Left == 0 {
			view.Steps[i].Next = true
		}
		view.Left++
	}
	return c.show(w, r, http.StatusOK, "home", view)
}

// anyCall reports whether a repository or its branches were asked for already.
func (c *Console) anyCall(r *http.Request) (bool, error) {
	for _, tool := range []string{askRepository, askBranches} {
		events, _, err := c.config.Service.AuditEvents(r.Context(), audit.Filter{Tool: tool}, 1, "")
		if err != nil || len(events) > 0 {
			return len(events) > 0, err
		}
	}
	return false, nil
}

// steps are the guide's. From the third on they need a provider: the one that
// has most of what comes before.
func (c *Console) steps(counts store.Counts, providers []store.ProviderSummary, tried bool) []step {
	name := ""
	for _, p := range providers {
		if name == "" || p.Credentials > 0 && p.Scopes == 0 {
			name = p.Name
		}
	}
	of := func(parts ...string) string {
		if name == "" {
			return ""
		}
		return path(append([]string{"providers", name}, parts...)...)
	}
	list := []step{
		{Title: "Open the source control providers", Words: "A provider is a Bitbucket workspace.", Path: "/admin/providers", Button: "Open providers", Done: counts.Providers > 0},
		{Title: "Add a provider", Words: "A name, and the slug of your workspace.", Path: "/admin/new-provider", Button: "Add a provider", Done: counts.Providers > 0},
		{Title: "Add credentials", Words: "An API token that may read repositories. It is sealed, and agents never see it.", Path: of("new-credential"), Button: "Add a credential", Done: counts.Credentials > 0},
		{Title: "Add a scope", Words: "Which repositories and branches an agent may reach. You see what matches while you type.", Path: of("new-scope"), Button: "Add a scope", Done: counts.Scopes > 0},
	}
	if c.config.Try != nil {
		list = append(list, step{Title: "Try it", Words: "Choose the scope and ask for a repository, as a ticket would.", Path: "/admin/try", Button: "Try it", Done: tried})
	}
	return append(list, step{Title: "Let an agent ask", Words: "Give it a key and a snippet. The overview shows when it has asked for the first time.", Path: "/admin/new-client", Button: "Add a client", Done: counts.Used > 0})
}
