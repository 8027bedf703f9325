package bitbucket

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
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
	// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-refs/#api-repositories-workspace-repo-slug-refs-branches-name-get
	routeBranch route = "/repositories/{workspace}/{repo_slug}/refs/branches/{name}"
	// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-commits/#api-repositories-workspace-repo-slug-commit-commit-get
	routeCommit route = "/repositories/{workspace}/{repo_slug}/commit/{commit}"
	// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-commits/#api-repositories-workspace-repo-slug-commits-revision-get
	routeCommits route = "/repositories/{workspace}/{repo_slug}/commits/{commit}"
	// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-commits/#api-repositories-workspace-repo-slug-merge-base-revspec-get
	routeMergeBase route = "/repositories/{workspace}/{repo_slug}/merge-base/{revspec}"
	// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-pullrequests/#api-repositories-workspace-repo-slug-pullrequests-get
	routePullRequests route = "/repositories/{workspace}/{repo_slug}/pullrequests"
	// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-pullrequests/#api-repositories-workspace-repo-slug-pullrequests-pull-request-id-get
	routePullRequest route = "/repositories/{workspace}/{repo_slug}/pullrequests/{pull_request_id}"
	// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-pullrequests/#api-repositories-workspace-repo-slug-pullrequests-pull-request-id-comments-get
	routePullRequestComments route = "/repositories/{workspace}/{repo_slug}/pullrequests/{pull_request_id}/comments"
	// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-pullrequests/#api-repositories-workspace-repo-slug-pullrequests-pull-request-id-tasks-get
	routePullRequestTasks route = "/repositories/{workspace}/{repo_slug}/pullrequests/{pull_request_id}/tasks"
	// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-pullrequests/#api-repositories-workspace-repo-slug-pullrequests-pull-request-id-statuses-get
	routePullRequestStatuses route = "/repositories/{workspace}/{repo_slug}/pullrequests/{pull_request_id}/statuses"
	// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-pullrequests/#api-repositories-workspace-repo-slug-pullrequests-pull-request-id-commits-get
	routePullRequestCommits route = "/repositories/{workspace}/{repo_slug}/pullrequests/{pull_request_id}/commits"
	// The spec is the one that a pull request's own diff redirects to.
	// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-commits/#api-repositories-workspace-repo-slug-diff-spec-get
	routeDiff route = "/repositories/{workspace}/{repo_slug}/diff/{spec}"
	// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-commits/#api-repositories-workspace-repo-slug-diffstat-spec-get
	routeDiffstat route = "/repositories/{workspace}/{repo_slug}/diffstat/{spec}"
	// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-pipelines/#api-repositories-workspace-repo-slug-pipelines-get
	routePipelines route = "/repositories/{workspace}/{repo_slug}/pipelines"
	// The number stands in for the uuid, as in the addresses of Bitbucket's pages.
	// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-pipelines/#api-repositories-workspace-repo-slug-pipelines-pipeline-uuid-get
	routePipeline route = "/repositories/{workspace}/{repo_slug}/pipelines/{build_number}"
	// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-pipelines/#api-repositories-workspace-repo-slug-pipelines-pipeline-uuid-steps-get
	routeSteps route = "/repositories/{workspace}/{repo_slug}/pipelines/{pipeline_uuid}/steps"
	// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-pipelines/#api-repositories-workspace-repo-slug-pipelines-pipeline-uuid-steps-step-uuid-log-get
	routeStepLog route = "/repositories/{workspace}/{repo_slug}/pipelines/{pipeline_uuid}/steps/{step_uuid}/log"
	// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-source/#api-repositories-workspace-repo-slug-src-commit-path-get
	routeFile route = "/repositories/{workspace}/{repo_slug}/src/{commit}/{path}"
	// The same endpoint, asked for a folder: with a slash at its end.
	routeFolder route = "/repositories/{workspace}/{repo_slug}/src/{commit}/{folder}"
	// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-users/#api-user-get
	routeUser route = "/user"
)

// An endpoint is a route with its segments filled in from a checked value.
type endpoint struct {
	account policy.Account
	route   route
	segments
}

// segments are the parts of a path that differ from one request to the next,
// each "" where the route has none.
type segments struct {
	slug    string // of the repository
	branch  string
	commit  string // hash, or the beginning of one
	revspec string // two hashes with ".." between them
	file    string // path of a file or folder, its parts separated by "/"
	spec    string // what is compared: see specSegment
	pull    int    // number of the pull request
	build   int    // number of the pipeline
	run     string // uuid of the pipeline, as Bitbucket returned it
	step    string // uuid of its step
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
	switch v := value.(type) {
	case policy.Repo:
		e.slug = v.Slug()
	case policy.Branch:
		e.slug, e.branch = v.Repo().Slug(), v.Name()
	case policy.CommitName:
		e.slug, e.commit = v.Repo().Slug(), v.Hash()
	case policy.Commit:
		e.slug, e.commit = v.Repo().Slug(), v.Hash()
	case policy.PullRequest:
		e.slug, e.pull = v.Repo().Slug(), v.Number()
	case policy.Comparison:
		e.slug, e.spec = v.Repo().Slug(), specOf(v)
	case policy.Pipeline:
		e.slug, e.build = v.Repo().Slug(), v.Number()
	case policy.Path:
		e.slug, e.commit, e.file = v.Commit().Repo().Slug(), v.Commit().Hash(), v.Text()
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
	var path strings.Builder
	for i, part := range strings.Split(string(e.route), "/") {
		if i > 0 {
			path.WriteByte('/')
		}
		filled, err := e.fill(part)
		if err != nil {
			return "", err
		}
		path.WriteString(filled)
	}
	return path.String(), nil
}

var (
	uuidSegment = regexp.MustCompile(`\A\{[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\}\z`)
	hashSegment = regexp.MustCompile(`\A[0-9a-f]{7,40}\z`)
	// A commit; two of them, the new side first; or a pull request's source with
	// the repository that it lies in and its destination.
	specSegment    = regexp.MustCompile(`\A(?:[0-9a-f]{7,40}|[0-9a-f]{40}\.\.[0-9a-f]{40}|[A-Za-z0-9_.-]+/[a-z0-9_.-]+:[0-9a-f]{7,40}\r[0-9a-f]{7,40})\z`)
	revspecSegment = regexp.MustCompile(`\A[0-9a-f]{40}\.\.[0-9a-f]{40}\z`)
)

// fill returns one part of a route with its segment in it, escaped.
func (e endpoint) fill(part string) (string, error) {
	switch part {
	case "{workspace}":
		return plainSegment(e.account.Workspace)
	case "{repo_slug}":
		return plainSegment(e.slug)
	case "{name}":
		return fileSegments(e.branch, "%2F") // one segment of the path: Bitbucket takes the name so and no other way
	case "{commit}":
		return matching(e.commit, hashSegment)
	case "{revspec}":
		return matching(e.revspec, revspecSegment)
	case "{spec}":
		spec, err := matching(e.spec, specSegment)
		return strings.Replace(spec, "\r", "%0D", 1), err
	case "{pull_request_id}":
		return numberSegment(e.pull)
	case "{build_number}":
		return numberSegment(e.build)
	case "{pipeline_uuid}":
		uuid, err := matching(e.run, uuidSegment)
		return url.PathEscape(uuid), err
	case "{step_uuid}":
		uuid, err := matching(e.step, uuidSegment)
		return url.PathEscape(uuid), err
	case "{path}":
		if e.file == "" {
			return "", nil // the root, which is asked for with a slash at its end
		}
		return fileSegments(e.file, "/")
	case "{folder}":
		if e.file == "" {
			return "", nil // the root: the slash before it is the one at its end
		}
		folder, err := fileSegments(e.file, "/")
		return folder + "/", err
	}
	return part, nil
}

// specOf returns the spec of a comparison: of two hashes of one repository the
// new one stands first, the reverse of git. Where one is only the beginning of
// a hash, as in pull requests, or lies in a fork, it is the spec that
// Bitbucket's own redirect of a pull request's diff leads to.
func specOf(c policy.Comparison) string {
	source, newer, older := c.Sides()
	switch {
	case older == "":
		return newer
	case source == c.Repo().FullName() && len(newer) == 40 && len(older) == 40:
		return newer + ".." + older
	}
	return source + ":" + newer + "\r" + older
}

func numberSegment(number int) (string, error) {
	if number < 1 {
		return "", fmt.Errorf("refusing the number %d", number)
	}
	return strconv.Itoa(number), nil
}

func plainSegment(segment string) (string, error) {
	if segment == "" || segment == "." || segment == ".." || strings.ContainsAny(segment, "/\\{}%") {
		return "", fmt.Errorf("refusing path segment %q", segment)
	}
	return url.PathEscape(segment), nil
}

func matching(segment string, shape *regexp.Regexp) (string, error) {
	if !shape.MatchString(segment) {
		return "", fmt.Errorf("refusing path segment %q", segment)
	}
	return segment, nil
}

// fileSegments escapes a name that may hold slashes.
func fileSegments(name, slash string) (string, error) {
	parts := strings.Split(name, "/")
	for i, part := range parts {
		if part == "" || part == "." || part == ".." {
			return "", fmt.Errorf("refusing path segment %q", name)
		}
		parts[i] = url.PathEscape(part)
	}
	return strings.Join(parts, slash), nil
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
