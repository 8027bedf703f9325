package sample

import (
	"net/http"
	"net/url"
	"strings"
)

// apiPath is where the API begins.
const apiPath = "/2.0"

// object is a JSON object on its way out.
type object = map[string]any

// route is one endpoint: the shape of its path below /2.0, the scopes it asks
// for, and what answers it. In a path * is one segment, and ** all of the rest:
// at least one segment, of which the last may be empty.
type route struct {
	path     string
	classic  string // for access tokens
	granular string // for API tokens
	handle   func(*Server, *call) (object, error)
}

// The slice is filled here and never changed.
var routes = []route{
	{"user", "account", "read:user:bitbucket", (*Server).getUser},
	{"workspaces/*", "", "read:workspace:bitbucket", (*Server).getWorkspace},
	{"repositories/*", "repository", "read:repository:bitbucket", (*Server).listRepositories},
	{"repositories/*/*", "repository", "read:repository:bitbucket", (*Server).getRepository},

	{"repositories/*/*/commit/*/statuses", "repository", "read:repository:bitbucket", (*Server).listCommitStatuses},
	{"repositories/*/*/pullrequests", "pullrequest", "read:pullrequest:bitbucket", (*Server).listPullRequests},
	{"repositories/*/*/pullrequests/*", "pullrequest", "read:pullrequest:bitbucket", (*Server).getPullRequest},
	{"repositories/*/*/pullrequests/*/comments", "pullrequest", "read:pullrequest:bitbucket", (*Server).listComments},
	{"repositories/*/*/pullrequests/*/commits", "pullrequest", "read:pullrequest:bitbucket", (*Server).listPullRequestCommits},
	{"repositories/*/*/pullrequests/*/diff", "pullrequest", "read:pullrequest:bitbucket", (*Server).getPullRequestDiff},
	{"repositories/*/*/pullrequests/*/diffstat", "pullrequest", "read:pullrequest:bitbucket", (*Server).getPullRequestDiffstat},
	{"repositories/*/*/pullrequests/*/statuses", "pullrequest", "read:pullrequest:bitbucket", (*Server).listPullRequestStatuses},
	{"repositories/*/*/pullrequests/*/tasks", "pullrequest", "read:pullrequest:bitbucket", (*Server).listTasks},

	// Pipelines are spelt with a slash at the end and without.
	{"repositories/*/*/pipelines", "pipeline", "read:pipeline:bitbucket", (*Server).listPipelines},
	{"repositories/*/*/pipelines/", "pipeline", "read:pipeline:bitbucket", (*Server).listPipelines},
	{"repositories/*/*/pipelines/*", "pipeline", "read:pipeline:bitbucket", (*Server).getPipeline},
	{"repositories/*/*/pipelines/*/steps", "pipeline", "read:pipeline:bitbucket", (*Server).listSteps},
	{"repositories/*/*/pipelines/*/steps/", "pipeline", "read:pipeline:bitbucket", (*Server).listSteps},
	{"repositories/*/*/pipelines/*/steps/*", "pipeline", "read:pipeline:bitbucket", (*Server).getStep},
	{"repositories/*/*/pipelines/*/steps/*/log", "pipeline", "read:pipeline:bitbucket", (*Server).getLog},

	{"repositories/*/*/refs/branches", "repository", "read:repository:bitbucket", (*Server).listBranches},
	{"repositories/*/*/refs/branches/*", "repository", "read:repository:bitbucket", (*Server).getBranch},
	{"repositories/*/*/commit/*", "repository", "read:repository:bitbucket", (*Server).getCommit},
	{"repositories/*/*/merge-base/*", "repository", "read:repository:bitbucket", (*Server).getMergeBase},
	{"repositories/*/*/refs/tags", "repository", "read:repository:bitbucket", (*Server).listTags},
	{"repositories/*/*/refs/tags/*", "repository", "read:repository:bitbucket", (*Server).getTag},
	{"repositories/*/*/commits", "repository", "read:repository:bitbucket", (*Server).listCommits},
	{"repositories/*/*/commits/*", "repository", "read:repository:bitbucket", (*Server).listCommits},
	{"repositories/*/*/src", "repository", "read:repository:bitbucket", (*Server).getMainSource},
	{"repositories/*/*/src/*/**", "repository", "read:repository:bitbucket", (*Server).getSource},
	{"repositories/*/*/filehistory/*/**", "repository", "read:repository:bitbucket", (*Server).listFileHistory},
	{"repositories/*/*/diff/**", "repository", "read:repository:bitbucket", (*Server).getDiff},
	{"repositories/*/*/diffstat/**", "repository", "read:repository:bitbucket", (*Server).listDiffstat},
}

// call is one request on its way to an answer.
type call struct {
	*http.Request
	caller caller
	route  *route // nil when the server has no such endpoint
	vars   []string
	raw    *raw // set by a handler whose answer is no JSON
}

// base is the URL of the API as this client reached it.
func (c *call) base() string { return origin(c.Request) + apiPath }

func origin(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// match finds the route of a request and the decoded values of its stars. The
// path is taken as it came over the wire: an http.ServeMux would clean dot
// segments away, and a client that sends them must be found out.
func match(r *http.Request) (*route, []string) {
	below, ok := strings.CutPrefix(r.URL.EscapedPath(), apiPath+"/")
	if !ok || r.Method != http.MethodGet {
		return nil, nil
	}
	segments := strings.Split(below, "/")
	for i := range routes {
		if vars, ok := routes[i].fit(segments); ok {
			return &routes[i], vars
		}
	}
	return nil, nil
}

func (r *route) fit(segments []string) (vars []string, ok bool) {
	shape := strings.Split(r.path, "/")
	if last := len(shape) - 1; shape[last] == "**" && len(segments) > last {
		rest, ok := unescapeAll(segments[last:])
		if !ok {
			return nil, false
		}
		vars, ok = fit(shape[:last], segments[:last])
		return append(vars, rest), ok
	}
	return fit(shape, segments)
}

func fit(shape, segments []string) (vars []string, ok bool) {
	if len(shape) != len(segments) {
		return nil, false
	}
	for i, want := range shape {
		if want != "*" {
			if want != segments[i] {
				return nil, false
			}
			continue
		}
		value, ok := unescape(segments[i])
		if !ok || value == "" {
			return nil, false
		}
		vars = append(vars, value)
	}
	return vars, true
}

// unescape refuses dot segments: no client has a reason to send one.
func unescape(segment string) (value string, ok bool) {
	value, err := url.PathUnescape(segment)
	return value, err == nil && value != "." && value != ".."
}

// unescapeAll decodes a path, which may end in a slash and is else whole.
func unescapeAll(segments []string) (path string, ok bool) {
	values := make([]string, len(segments))
	for i, segment := range segments {
		if values[i], ok = unescape(segment); !ok || values[i] == "" && i < len(segments)-1 {
			return "", false
		}
	}
	return strings.Join(values, "/"), true
}

// unserved answers a request that no route takes.
func unserved(r *http.Request) error {
	switch strings.TrimSuffix(r.URL.Path, "/") {
	case apiPath + "/repositories", apiPath + "/workspaces":
		return &failure{status: http.StatusGone, message: "CHANGE-2770: this API has been removed."}
	}
	if r.Method != http.MethodGet {
		return &failure{status: http.StatusMethodNotAllowed, message: "Method not allowed"}
	}
	return &failure{status: http.StatusNotFound, message: "Resource not found"}
}
