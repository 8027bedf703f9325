package sample

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// work is what people and builds add to a repository beside its commits.
type work struct {
	pullRequests []*pullRequest // by ID, from 1
	statuses     []BuildStatus
	pipelines    []*Pipeline // by number, from 1
	posts        int         // counts comments and tasks, for their IDs
}

// The states of a pull request. A draft or a queued one is OPEN.
const (
	Open       = "OPEN"
	Merged     = "MERGED"
	Declined   = "DECLINED"
	Superseded = "SUPERSEDED"
)

var pullRequestStates = []string{Open, Merged, Declined, Superseded}

// PullRequest is what AddPullRequest takes. SourceBranch is required; the rest
// may be left out.
type PullRequest struct {
	ID          int    // given by AddPullRequest
	Title       string // made of the branches when empty
	Description string
	State       string // Open when empty
	Reason      string // why it was declined
	Draft       bool
	Queued      bool
	Author      string // Sample Author when empty

	// SourceRepository is the full name of where the source branch is; empty
	// means the repository of the pull request itself. The hashes are full
	// ones, of any commits. An empty hash stands for the head of the branch:
	// the one of the moment while the pull request is open and the branch
	// there, and else the one of when it was added or left being open.
	SourceRepository  string
	SourceBranch      string
	SourceHash        string
	DestinationBranch string // the default branch when empty
	DestinationHash   string

	MergeHash         string // of a merged one; the destination's when empty
	ClosedBy          string // of one that is not open; the author when empty
	CloseSourceBranch bool
	Participants      []Participant // reviewers among them
	CreatedOn         time.Time     // follows the one before when zero
	UpdatedOn         time.Time     // CreatedOn when zero
}

// Participant is somebody who takes part in a pull request.
type Participant struct {
	Name     string
	Reviewer bool
	State    string // approved, changes_requested or empty
}

type pullRequest struct {
	PullRequest
	source   *repository // kept when that is deleted
	within   *repository
	comments []Comment
	tasks    []Task
	// What the heads were when they were last known.
	sourceWas, destinationWas string
}

// AddPullRequest adds a pull request to a repository and returns its ID; those
// of a repository count from 1. It fails when a repository, a branch without a
// hash to go with it, or a state is missing.
func (s *Server) AddPullRequest(workspace, slug string, p PullRequest) (id int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.own(workspace, slug)
	if err != nil {
		return 0, fmt.Errorf("adding pull request: %w", err)
	}
	added := &pullRequest{PullRequest: p.withDefaults(r), source: r, within: r}
	if p.SourceRepository != "" {
		workspace, slug, _ := strings.Cut(p.SourceRepository, "/")
		if added.source, err = s.own(workspace, slug); err != nil {
			return 0, fmt.Errorf("adding pull request: %w", err)
		}
	}
	if err := added.check(); err != nil {
		return 0, fmt.Errorf("adding pull request: %w", err)
	}
	r.work.pullRequests = append(r.work.pullRequests, added)
	return added.ID, nil
}

func (p PullRequest) withDefaults(r *repository) PullRequest {
	p.ID = len(r.work.pullRequests) + 1
	p.State = cmp.Or(p.State, Open)
	p.Author = cmp.Or(p.Author, "Sample Author")
	p.DestinationBranch = cmp.Or(p.DestinationBranch, r.DefaultBranch)
	p.Title = cmp.Or(p.Title, fmt.Sprintf("Merge %s into %s", p.SourceBranch, p.DestinationBranch))
	p.Participants = slices.Clone(p.Participants)
	if p.CreatedOn.IsZero() {
		p.CreatedOn = firstDay.AddDate(0, 1, p.ID)
	}
	if p.UpdatedOn.IsZero() {
		p.UpdatedOn = p.CreatedOn
	}
	return p
}

// check looks at what a new or a changed pull request says, and remembers the
// heads.
func (p *pullRequest) check() error {
	if !slices.Contains(pullRequestStates, p.State) {
		return fmt.Errorf("%q is no state", p.State)
	}
	p.sourceWas, p.destinationWas = p.sourceHash(), p.destinationHash()
	switch {
	case p.SourceBranch == "" || p.DestinationBranch == "":
		return fmt.Errorf("a branch has no name")
	case p.sourceWas == "":
		return fmt.Errorf("%s has no branch %q", p.source.fullName(), p.SourceBranch)
	case p.destinationWas == "":
		return fmt.Errorf("%s has no branch %q", p.within.fullName(), p.DestinationBranch)
	}
	return nil
}

// EditPullRequest changes a pull request, for instance where it leads. The ID
// and the source repository stay what they are.
func (s *Server) EditPullRequest(workspace, slug string, id int, edit func(*PullRequest)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.ownPullRequest(workspace, slug, id)
	if err != nil {
		return fmt.Errorf("editing pull request: %w", err)
	}
	changed := *p
	changed.sourceWas, changed.destinationWas = p.sourceHash(), p.destinationHash()
	changed.PullRequest = p.PullRequest.clone()
	edit(&changed.PullRequest)
	changed.ID, changed.SourceRepository = p.ID, p.SourceRepository
	if changed.SourceBranch != p.SourceBranch {
		changed.sourceWas = ""
	}
	if changed.DestinationBranch != p.DestinationBranch {
		changed.destinationWas = ""
	}
	if err := changed.check(); err != nil {
		return fmt.Errorf("editing pull request: %w", err)
	}
	*p = changed
	return nil
}

// PullRequests returns the pull requests of a repository by ID, with all that
// was left out filled in as a client would be told: SourceRepository is empty
// if that repository was deleted.
func (s *Server) PullRequests(workspace, slug string) []PullRequest {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, err := s.own(workspace, slug)
	if err != nil {
		return nil
	}
	var all []PullRequest
	for _, p := range r.work.pullRequests {
		row := p.PullRequest.clone()
		row.SourceHash, row.DestinationHash = p.sourceHash(), p.destinationHash()
		row.SourceRepository = p.source.fullName()
		if p.source.deleted() {
			row.SourceRepository = ""
		}
		all = append(all, row)
	}
	return all
}

func (p PullRequest) clone() PullRequest {
	p.Participants = slices.Clone(p.Participants)
	return p
}

func (s *Server) ownPullRequest(workspace, slug string, id int) (*pullRequest, error) {
	r, err := s.own(workspace, slug)
	if err != nil {
		return nil, err
	}
	if p := r.pullRequest(id); p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("%s has no pull request %d", r.fullName(), id)
}

// pullRequest is nil where there is none of the ID.
func (r *repository) pullRequest(id int) *pullRequest {
	if id < 1 || id > len(r.work.pullRequests) {
		return nil
	}
	return r.work.pullRequests[id-1]
}

func (p *pullRequest) sourceHash() string {
	return p.end(p.SourceHash, p.source, p.SourceBranch, p.sourceWas)
}

func (p *pullRequest) destinationHash() string {
	return p.end(p.DestinationHash, p.within, p.DestinationBranch, p.destinationWas)
}

// end is the commit of one end: the one given, else the head of the branch,
// else what that was.
func (p *pullRequest) end(given string, r *repository, branch, was string) string {
	if given != "" {
		return given
	}
	if p.State == Open || was == "" {
		if i := r.branchIndex(branch); i >= 0 {
			return r.branches[i].head.hash
		}
	}
	return was
}

// deleted says whether the repository is in its workspace no more.
func (r *repository) deleted() bool { return !slices.Contains(r.workspace.repos, r) }
