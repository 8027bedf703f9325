package bitbucket

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"bucketgate/policy"
)

// A route is the path of an endpoint, as the API reference writes it. The type
// is not exported and its values are constants, so that no path is ever made
// of somebody's text.
type route string

const (
	// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-repositories/#api-repositories-workspace-get
	routeRepositories route = "/repositories/{workspace}"
	// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-repositories/#api-repositories-workspace-repo-slug-get
	routeRepository route = "/repositories/{workspace}/{repo_slug}"
	// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-refs/#api-repositories-workspace-repo-slug-refs-branches-get
	routeBranches route = "/repositories/{workspace}/{repo_slug}/refs/branches"
	// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-users/#api-user-get
	routeUser route = "/user"
)

// An endpoint is a route with its segments filled in from a checked value.
type endpoint struct {
	account policy.Account
	route   route
	slug    string // of the repository, "" where the route has none
}

// A checked value of package policy.
type checked interface {
	Checked() bool
	Account() policy.Account
}

// at returns the endpoint for a checked value. One that was not checked, such
// as a zero value, ends here: ErrUnchecked.
func at(r route, value checked) (endpoint, error) {
	if !value.Checked() {
		return endpoint{}, ErrUnchecked
	}
	e := endpoint{account: value.Account(), route: r}
	if repo, ok := value.(policy.Repo); ok {
		e.slug = repo.Slug()
	}
	return e, nil
}

// isRepository reports whether the endpoint lies below one repository. A 403
// there may mean that the repository is hidden.
func (e endpoint) isRepository() bool { return e.slug != "" }

// path fills the segments in. Each is refused, although policy has judged it,
// when it could change the path: url.PathEscape leaves ".." as it is, and a
// later join would climb out of the prefix.
func (e endpoint) path() (string, error) {
	path := string(e.route)
	for placeholder, segment := range map[string]string{"{workspace}": e.account.Workspace, "{repo_slug}": e.slug} {
		if !strings.Contains(path, placeholder) {
			continue
		}
		if segment == "" || segment == "." || segment == ".." || strings.ContainsAny(segment, "/\\{}%") {
			return "", fmt.Errorf("refusing path segment %q", segment)
		}
		path = strings.Replace(path, placeholder, url.PathEscape(segment), 1)
	}
	return path, nil
}

// newRequest builds the one request to Bitbucket; there is no other place that
// does. The credential is added here and only for the address it belongs to.
func (c *Client) newRequest(ctx context.Context, e endpoint, rawQuery string) (*http.Request, error) {
	path, err := e.path()
	if err != nil {
		return nil, err
	}
	credential, err := c.config.Credential(ctx, e.account.Credential)
	if err != nil {
		return nil, fmt.Errorf("reading the credential: %w", err)
	}
	if credential.API != e.account.API {
		return nil, fmt.Errorf("the credential belongs to another address than the scope's provider")
	}
	if credential.APIKey.IsZero() {
		return nil, fmt.Errorf("%w: its key is not set", ErrCredentialRejected) // a request without one would be a stranger's
	}
	address := e.account.API + path
	if rawQuery != "" {
		address += "?" + rawQuery
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("building the request: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.config.UserAgent)
	if credential.Username != "" {
		req.SetBasicAuth(credential.Username, credential.APIKey.Reveal())
	} else {
		req.Header.Set("Authorization", "Bearer "+credential.APIKey.Reveal())
	}
	return req, nil
}
