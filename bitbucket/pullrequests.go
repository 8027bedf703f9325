package bitbucket

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"

	"bucketgate/policy"
)

const (
	maxPullRequestPage = 50 // more is answered with 400, unlike in other lists
	maxText            = 8000
	maxReviewers       = 20
)

// A PullRequestState tells pull requests apart.
type PullRequestState string

// The states of a pull request.
const (
	Open       PullRequestState = "OPEN"
	Merged     PullRequestState = "MERGED"
	Declined   PullRequestState = "DECLINED"
	Superseded PullRequestState = "SUPERSEDED"
)

// A PullRequest is what a scope may see of one. Of a source that the scope
// hides it holds nothing: no repository, no branch, no hash. Text in it was
// written by others and is cleaned.
type PullRequest struct {
	PullRequest       policy.PullRequest // the right to ask for more of it
	Title             string
	Description       string // several lines
	State             PullRequestState
	Draft             bool
	Author            string // display name
	Source            string // branch; "" where the scope hides it
	SourceRepository  string // full name
	SourceCommit      string // hash, or the beginning of it
	Destination       string // branch
	DestinationCommit string
	Comments, Tasks   int
	Reviewers         []Reviewer
	CreatedOn         time.Time
	UpdatedOn         time.Time

	ends     Ends
	nickname string // of the author, for filters
}

// A Reviewer is one who was asked to look at a pull request.
type Reviewer struct {
	Name  string // display name
	State string // "approved", "changes_requested" or ""
}

// PullRequestOptions say which pull requests are wanted.
type PullRequestOptions struct {
	ListOptions
	States []PullRequestState // none for all
	Author string             // part of the display name or nickname, case ignored
}

type personJSON struct {
	DisplayName string `json:"display_name"`
	Nickname    string `json:"nickname"`
}

func (p *personJSON) name() string {
	if p == nil {
		return ""
	}
	if name := cleanText(p.DisplayName, maxShortText); name != "" {
		return name
	}
	return cleanText(p.Nickname, maxShortText)
}

type endJSON struct {
	Branch struct {
		Name string `json:"name"`
	} `json:"branch"`
	Commit *struct {
		Hash string `json:"hash"`
	} `json:"commit"`
	Repository *struct { // null where a fork was deleted
		FullName string `json:"full_name"`
	} `json:"repository"`
}

func (e endJSON) end() policy.End {
	end := policy.End{Branch: e.Branch.Name}
	if e.Repository != nil {
		end.FullName = e.Repository.FullName
	}
	return end
}

func (e endJSON) hash() string {
	if e.Commit == nil {
		return ""
	}
	return hash(e.Commit.Hash)
}

// pullRequestJSON is the pull request object of
// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-pullrequests/.
type pullRequestJSON struct {
	ID           int                   `json:"id"`
	Title        string                `json:"title"`
	Description  string                `json:"description"`
	State        string                `json:"state"`
	Draft        bool                  `json:"draft"`
	Author       *personJSON           `json:"author"`
	Source       endJSON               `json:"source"`
	Destination  endJSON               `json:"destination"`
	CommentCount int                   `json:"comment_count"`
	TaskCount    int                   `json:"task_count"`
	CreatedOn    string                `json:"created_on"`
	UpdatedOn    string                `json:"updated_on"`
	Participants rows[participantJSON] `json:"participants"`
}

type participantJSON struct {
	Role  string      `json:"role"`
	State string      `json:"state"`
	User  *personJSON `json:"user"`
}

var (
	pullRequestRowFields = []string{
		"id", "title", "state", "draft", "author.display_name", "author.nickname", "comment_count", "task_count", "created_on", "updated_on",
		"source.branch.name", "source.commit.hash", "source.repository.full_name",
		"destination.branch.name", "destination.commit.hash", "destination.repository.full_name",
	}
	pullRequestFields = append([]string{
		"description", "participants.role", "participants.state", "participants.user.display_name", "participants.user.nickname",
	}, pullRequestRowFields...)
)

// PullRequests returns the pull requests of a repository whose destination the
// scopes allow, the last changed first: all, or those of a branch that is one
// of their ends. The branch may be the zero one.
//
// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-pullrequests/#api-repositories-workspace-repo-slug-pullrequests-get
func (c *Client) PullRequests(ctx context.Context, repo policy.Repo, branch policy.Branch, o PullRequestOptions) (Page[PullRequest], error) {
	e, err := at(routePullRequests, repo)
	if err != nil {
		return Page[PullRequest]{}, err
	}
	filter, open := o.filter(branch, repo.Unrestricted())
	local := !open && (o.Query != "" || o.Author != "")
	return filtered(filter, o.From, func(q string) (Page[PullRequest], error) {
		length := maxPullRequestPage
		if open && (q != "" || o.Query == "" && o.Author == "" && !branch.Checked()) {
			length = min(o.Limit, maxPullRequestPage)
		}
		query := listQuery("-updated_on", q, length, prefixed("values.", pullRequestRowFields)...)
		for _, state := range o.States {
			query.Add("state", string(state))
		}
		w := walk[pullRequestJSON]{client: c, endpoint: e, query: query}
		return collect(ctx, w, o.ListOptions, local,
			func(raw pullRequestJSON) (PullRequest, bool) { return newPullRequest(raw, repo) },
			func(p PullRequest) bool { return o.matches(p, branch) })
	})
}

// filter returns the q expression of a list. The branch was judged, and may be
// part of a request; the caller's text only where nothing is hidden.
func (o PullRequestOptions) filter(branch policy.Branch, open bool) (q string, _ bool) {
	var terms []string
	if branch.Checked() {
		terms = append(terms, exactly(branch.Name(), "destination.branch.name", "source.branch.name"))
	}
	if open {
		terms = append(terms, contains(o.Query, "title"), contains(o.Author, "author.display_name", "author.nickname"))
	}
	return and(terms...), open
}

func (o PullRequestOptions) matches(p PullRequest, branch policy.Branch) bool {
	return (!branch.Checked() || p.Destination == branch.Name() || p.Source == branch.Name()) &&
		(o.Query == "" || holds(o.Query, p.Title)) &&
		(o.Author == "" || holds(o.Author, p.Author, p.nickname))
}

// IsListed reports whether [Client.PullRequests] lists this pull request, which
// it has listed for another scope, for a repository and branch too.
func (p PullRequest) IsListed(repo policy.Repo, branch policy.Branch) bool {
	destination := policy.End{FullName: p.PullRequest.Repo().FullName(), Branch: p.Destination}
	seen, ok := repo.SeesPullRequest(p.PullRequest.Number(), destination, policy.End{FullName: p.SourceRepository, Branch: p.Source})
	source, _ := seen.Source()
	return ok && (!branch.Checked() || p.Destination == branch.Name() || source.Name() == branch.Name())
}

// PullRequest returns the pull request of this number, or ErrNotFound: also
// where its destination is not allowed, which is for the log a [*policy.Denied].
//
// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-pullrequests/#api-repositories-workspace-repo-slug-pullrequests-pull-request-id-get
func (c *Client) PullRequest(ctx context.Context, repo policy.Repo, number int) (PullRequest, error) {
	e, err := at(routePullRequest, repo)
	if err != nil {
		return PullRequest{}, err
	}
	e.pull = number
	body, err := c.fetch(ctx, e, url.Values{"fields": {strings.Join(pullRequestFields, ",")}}.Encode())
	if err != nil {
		return PullRequest{}, err
	}
	var raw pullRequestJSON
	if json.Unmarshal(body, &raw) != nil || raw.ID != number {
		return PullRequest{}, unavailable("it answered something that is no pull request")
	}
	p, ok := newPullRequest(raw, repo)
	if !ok {
		return PullRequest{}, repo.Refuse("pull request " + strconv.Itoa(number) + " goes into a branch that the scopes do not allow")
	}
	return p, nil
}

// Ends are the commits at both ends of a pull request. It keeps their hashes
// inside, as Bitbucket named them, so that nobody can put others in their place.
type Ends struct {
	endsPull                    policy.PullRequest
	endsSource, endsDestination string
}

// Ends returns the commits at both ends of the pull request.
func (p PullRequest) Ends() Ends { return p.ends }

// Checked reports whether the value came from a check.
func (e Ends) Checked() bool { return e.endsPull.Checked() }

// Account returns what requests for the ends are made with.
func (e Ends) Account() policy.Account { return e.endsPull.Account() }

// PullRequestChanges returns the right to read what lies between the ends of a
// pull request: ErrNotFound where the scopes hide its source. Bitbucket names
// the ends by the first digits of their hashes; where a scope has branch
// patterns, it is asked for the whole ones first.
func (c *Client) PullRequestChanges(ctx context.Context, ends Ends) (policy.Comparison, error) {
	if comparison, ok := ends.endsPull.ChangesBetween(ends.endsSource, ends.endsDestination); ok {
		return comparison, nil
	}
	from, into, ok := ends.endsPull.EndNames(ends.endsSource, ends.endsDestination)
	if !ok {
		return policy.Comparison{}, ErrNotFound
	}
	source, err := c.wholeHash(ctx, from)
	if err != nil {
		return policy.Comparison{}, err
	}
	destination, err := c.wholeHash(ctx, into)
	if err != nil {
		return policy.Comparison{}, err
	}
	comparison, ok := ends.endsPull.ChangesBetween(source, destination)
	if !ok {
		return policy.Comparison{}, ErrNotFound
	}
	return comparison, nil
}

func newPullRequest(raw pullRequestJSON, repo policy.Repo) (PullRequest, bool) {
	pull, ok := repo.SeesPullRequest(raw.ID, raw.Destination.end(), raw.Source.end())
	if !ok {
		return PullRequest{}, false
	}
	p := PullRequest{
		PullRequest:       pull,
		Title:             cleanText(raw.Title, maxName),
		Description:       cleanLines(raw.Description, maxText),
		State:             pullRequestState(raw.State),
		Draft:             raw.Draft,
		Author:            raw.Author.name(),
		Destination:       raw.Destination.Branch.Name,
		DestinationCommit: raw.Destination.hash(),
		Comments:          raw.CommentCount,
		Tasks:             raw.TaskCount,
		CreatedOn:         instant(raw.CreatedOn),
		UpdatedOn:         instant(raw.UpdatedOn),
	}
	if raw.Author != nil {
		p.nickname = raw.Author.Nickname
	}
	if source, ok := pull.Source(); ok {
		p.Source, p.SourceRepository, p.SourceCommit = source.Name(), source.Repo().FullName(), raw.Source.hash()
	}
	p.ends = Ends{pull, p.SourceCommit, p.DestinationCommit}
	for _, participant := range raw.Participants[:min(len(raw.Participants), maxReviewers)] {
		if participant.Role == "REVIEWER" {
			p.Reviewers = append(p.Reviewers, Reviewer{participant.User.name(), reviewState(participant.State)})
		}
	}
	return p, true
}

// pullRequestState keeps the states that are known: the text goes to an agent.
func pullRequestState(text string) PullRequestState {
	switch state := PullRequestState(text); state {
	case Open, Merged, Declined, Superseded:
		return state
	}
	return "UNKNOWN"
}

func reviewState(text string) string {
	if text == "approved" || text == "changes_requested" {
		return text
	}
	return ""
}
