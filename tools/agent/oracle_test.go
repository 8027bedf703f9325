package agent_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/sample"
	"bucketgate/policy"
)

// A sight is what one scope may see of a world, worked out without the code
// under test: from its patterns, and from the sample's own graph.
type sight struct {
	*world
	scope   policy.Definition
	account sample.Account
	known   map[subject]tokenSet // what was worked out so far: a world does not change
}

// A subject is what an answer is about.
type subject struct {
	tool   string
	home   *home
	number int // of a pull request or pipeline, 0 for none
}

// A tokenSet is what may stand in an answer.
type tokenSet map[string]bool

func (s tokenSet) add(tokens ...string) {
	for _, token := range tokens {
		s[token] = true
	}
}

// lacks returns the tokens that are not in the set.
func (s tokenSet) lacks(tokens []string) []string {
	return slices.DeleteFunc(slices.Clone(tokens), func(token string) bool { return s[token] })
}

func matches(include, exclude []string, name string) bool {
	match := func(pattern string) bool { return compiled(pattern).MatchString(name) }
	return (len(include) == 0 || slices.ContainsFunc(include, match)) && !slices.ContainsFunc(exclude, match)
}

var patterns sync.Map // what was compiled so far

func compiled(pattern string) *regexp.Regexp {
	if re, ok := patterns.Load(pattern); ok {
		return re.(*regexp.Regexp)
	}
	re := regexp.MustCompile(`\A(?:` + pattern + `)\z`)
	patterns.Store(pattern, re)
	return re
}

// allows reports whether the scope's patterns allow a repository, given by its
// full name.
func (s sight) allows(fullName string) bool {
	workspace, slug, ok := strings.Cut(fullName, "/")
	return ok && workspace == s.scope.Workspace && matches(s.scope.Repositories, s.scope.ExcludeRepositories, slug)
}

func (s sight) allowsBranch(name string) bool {
	return matches(s.scope.Branches, s.scope.ExcludeBranches, name)
}

// isOpen reports whether every branch is allowed.
func (s sight) isOpen() bool { return len(s.scope.Branches)+len(s.scope.ExcludeBranches) == 0 }

// sees reports whether the scope's credential finds the repository too.
func (s sight) sees(h *home) bool {
	return s.allows(h.fullName()) && (s.isPublic(h) || slices.Contains(s.account.Repositories, h.fullName()))
}

// visible are the repositories that the scope sees.
func (s sight) visible() []*home {
	return slices.DeleteFunc(slices.Clone(s.homes), func(h *home) bool { return !s.sees(h) })
}

// heads are the branches of a repository that the scope allows.
func (s sight) heads(h *home) map[string]string {
	heads, err := s.upstream.Branches(h.workspace, h.slug)
	require.NoError(s.t, err)
	maps.DeleteFunc(heads, func(name, _ string) bool { return !s.allowsBranch(name) })
	return heads
}

// names are those of repositories and branches, and what repositories say of
// themselves.
func (s sight) names() tokenSet {
	set := tokenSet{}
	for _, h := range s.homes {
		if s.allows(h.fullName()) {
			set.add(s.tokensOf(h.fullName())...)
		}
	}
	for _, h := range s.visible() {
		set.add(s.tokensOf(h.texts...)...)
		set.add(s.tokensOf(slices.Collect(maps.Keys(s.heads(h)))...)...)
	}
	return set
}

// reached are the commits that the scope allows by their hashes: those that an
// allowed branch reaches, or all where there is no rule for branches.
func (s sight) reached(h *home) map[string]bool {
	all, err := s.upstream.Commits(h.workspace, h.slug)
	require.NoError(s.t, err)
	reached := map[string]bool{}
	if s.isOpen() {
		for hash := range all {
			reached[hash] = true
		}
		return reached
	}
	for name := range s.heads(h) {
		from, err := s.upstream.Reachable(h.workspace, h.slug, name)
		require.NoError(s.t, err)
		maps.Copy(reached, from)
	}
	return reached
}

// commits are the tokens of what is reached: hash, message, author and files.
// What a tree holds was put there by one of its own ancestors.
func (s sight) commits(h *home) tokenSet { return s.content(h, s.reached(h)) }

func (s sight) content(h *home, hashes map[string]bool) tokenSet {
	all, err := s.upstream.Commits(h.workspace, h.slug)
	require.NoError(s.t, err)
	set := tokenSet{}
	for hash := range hashes {
		c := all[hash]
		set.add(s.tokensOf(hash, c.Message, c.Author)...)
		for path, f := range c.Files {
			set.add(s.tokensOf(path, string(f.Content), f.Submodule)...)
		}
	}
	return set
}

// behind returns a commit and all that it descends from.
func (s sight) behind(h *home, from ...string) map[string]bool {
	all, err := s.upstream.Commits(h.workspace, h.slug)
	require.NoError(s.t, err)
	seen := map[string]bool{}
	for len(from) > 0 {
		hash := from[0]
		from = from[1:]
		if c, ok := all[hash]; ok && !seen[hash] {
			seen[hash] = true
			from = append(from, c.Parents...)
		}
	}
	return seen
}

// pull returns whether a pull request is shown, and whether its source is too.
func (s sight) pull(p sample.PullRequest) (shown, whole bool) {
	shown = s.allowsBranch(p.DestinationBranch)
	return shown, shown && s.allows(p.SourceRepository) && s.allowsBranch(p.SourceBranch)
}

// pullRow are the tokens of a pull request in a list.
func (s sight) pullRow(h *home, p sample.PullRequest) tokenSet {
	set := tokenSet{}
	shown, whole := s.pull(p)
	if shown {
		set.add(s.tokensOf(h.fullName(), p.Title, p.Author, p.DestinationBranch)...)
	}
	if whole {
		set.add(s.tokensOf(p.SourceRepository, p.SourceBranch)...)
	}
	return set
}

// pullRequest are the tokens of one with all that belongs to it.
func (s sight) pullRequest(h *home, p sample.PullRequest) tokenSet {
	set := s.pullRow(h, p)
	shown, whole := s.pull(p)
	if shown {
		set.add(s.tokensOf(p.Description)...)
		set.add(s.tokensOf(h.pulls[p.ID].said...)...)
		for _, participant := range p.Participants {
			set.add(s.tokensOf(participant.Name)...)
		}
	}
	if whole {
		set.add(s.tokensOf(h.pulls[p.ID].inline...)...)
		set.add(s.tokensOf(s.statuses[p.SourceRepository+"@"+p.SourceHash]...)...)
		maps.Copy(set, s.content(h, s.behind(h, p.SourceHash, p.DestinationHash)))
	}
	if whole && s.isOpen() { // Bitbucket may take a tag for the first digits of an end
		maps.Copy(set, s.commits(h))
	}
	return set
}

// runs reports whether a pipeline is shown.
func (s sight) runs(h *home, p sample.Pipeline) bool {
	switch {
	case s.isOpen():
		return true
	case p.Target.PullRequest > 0:
		return s.allowsBranch(p.Target.Source) && s.allowsBranch(p.Target.Destination)
	case p.Target.RefName != "" && p.Target.RefType == "branch":
		return s.allowsBranch(p.Target.RefName)
	}
	return s.reached(h)[p.Target.Hash]
}

// pipeline are the tokens of one with its steps and logs.
func (s sight) pipeline(h *home, p sample.Pipeline) tokenSet {
	set := tokenSet{}
	if !s.runs(h, p) {
		return set
	}
	set.add(s.tokensOf(h.fullName(), p.Creator, p.Target.Hash, p.Target.RefName)...)
	for _, step := range p.Steps {
		set.add(s.tokensOf(step.Name, string(step.Log))...)
	}
	return set
}

// allowed are the tokens that may stand in an answer.
func (s sight) allowed(about subject) tokenSet {
	if _, ok := s.known[about]; !ok {
		s.known[about] = s.workOut(about)
	}
	return s.known[about]
}

func (s sight) workOut(about subject) tokenSet {
	set, h := s.names(), about.home
	if h == nil || !s.sees(h) {
		return set
	}
	switch about.tool {
	case "list_branches", "list_commits", "get_commit", "compare", "list_files", "get_file":
		maps.Copy(set, s.commits(h))
	case "list_pull_requests":
		for _, p := range s.upstream.PullRequests(h.workspace, h.slug) {
			maps.Copy(set, s.pullRow(h, p))
		}
	case "get_pull_request":
		for _, p := range s.upstream.PullRequests(h.workspace, h.slug) {
			if p.ID == about.number {
				maps.Copy(set, s.pullRequest(h, p))
			}
		}
	case "list_pipelines", "get_pipeline":
		for _, p := range s.upstream.Pipelines(h.workspace, h.slug) {
			if about.number == 0 || p.Number == about.number {
				maps.Copy(set, s.pipeline(h, p))
			}
		}
	}
	return set
}
