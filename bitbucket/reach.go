package bitbucket

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"sync"
	"time"

	"bucketgate/policy"
)

const (
	// headsFor is how long the head of a branch is remembered: a tool that
	// reads ten files of a branch asks for its head once.
	headsFor = 15 * time.Second
	maxHeads = 4096
	// basesFor bounds what is remembered of the commit graph. A base holds for
	// ever, since both ends are hashes, and a branch that is pushed anew has
	// another head; but what was asked an hour ago was
	// asked with a credential that may not see the repository any more.
	basesFor = time.Hour
	maxBases = 16384
	// baselessFor is how long it is remembered that Bitbucket found no merge
	// base. That is no fact of the graph: it says the same of a commit that it
	// does not know yet, such as one that was pushed a moment ago, and of what
	// the credential may not see. So it holds as long as a head does, which
	// spares a caller who asks again and again.
	baselessFor = headsFor
	// maxBranchesTried is from how many branches a commit is looked for that
	// neither the named nor the default branch reaches.
	maxBranchesTried = 16
	triedAtOnce      = 8
)

// A place is a repository as the scopes of a value may see it.
type place struct {
	account policy.Account
	slug    string
}

func placeOf(repo policy.Repo) place {
	p := place{repo.Account(), repo.Slug()}
	p.account.Caller = "" // who asks makes no difference to the answer
	return p
}

type headKey struct {
	place
	branch string
}

type wholeKey struct {
	place
	beginning string
}

type baseKey struct {
	place
	hash, head string
}

// commitRefJSON is what is asked for of a commit that is only looked for.
type commitRefJSON struct {
	Hash       string `json:"hash"`
	Repository struct {
		FullName string `json:"full_name"`
	} `json:"repository"`
}

const commitRefFields = "hash,repository.full_name"

// Head returns the commit that a branch points at, or ErrNotFound. It is
// remembered for 15 seconds.
//
// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-refs/#api-repositories-workspace-repo-slug-refs-branches-name-get
func (c *Client) Head(ctx context.Context, branch policy.Branch) (policy.Commit, error) {
	e, err := at(routeBranch, branch)
	if err != nil {
		return policy.Commit{}, err
	}
	key := headKey{placeOf(branch.Repo()), branch.Name()}
	if hash, ok := c.heads.get(key); ok {
		return pinned(branch, hash)
	}
	body, err := c.fetch(ctx, e, url.Values{"fields": {"name,target.hash,target.repository.full_name"}}.Encode())
	if err != nil {
		return policy.Commit{}, err
	}
	var raw branchJSON
	if json.Unmarshal(body, &raw) != nil {
		return policy.Commit{}, unavailable("it answered something that is no branch")
	}
	// After a rename it may be the branch of another repository.
	if raw.Name != branch.Name() || !branch.Repo().Is(raw.Target.Repository.FullName) {
		return policy.Commit{}, ErrNotFound
	}
	commit, err := pinned(branch, raw.Target.Hash)
	if err == nil {
		c.heads.put(key, commit.Hash())
	}
	return commit, err
}

func pinned(branch policy.Branch, hash string) (policy.Commit, error) {
	commit, ok := branch.PinnedAt(hash)
	if !ok {
		return policy.Commit{}, unavailable("it answered a branch without a whole hash")
	}
	return commit, nil
}

// Commit returns the commit that a hash names where an allowed branch reaches
// it: ErrNotFound when there is none, and a [*policy.Denied], which reads the
// same, when none does. The branches in first are tried first, in order, then
// up to 16 others. Where a scope has no branch patterns and the hash is whole,
// nothing is asked, and a commit that does not exist shows when it is used.
func (c *Client) Commit(ctx context.Context, name policy.CommitName, first []policy.Branch) (policy.Commit, error) {
	if !name.Checked() {
		return policy.Commit{}, ErrUnchecked
	}
	hash, err := c.wholeHash(ctx, name)
	if err != nil {
		return policy.Commit{}, err
	}
	if commit, ok := name.OnAnyBranch(hash); ok {
		return commit, nil
	}
	tried := map[string]bool{}
	for _, branch := range first {
		head, err := c.Head(ctx, branch)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return policy.Commit{}, err
		}
		tried[branch.Name()] = true
		if commit, ok, err := c.reachedFrom(ctx, name, hash, head); ok || err != nil {
			return commit, err
		}
	}
	return c.reachedFromOthers(ctx, name, hash, tried)
}

// wholeHash asks which commit the beginning of a hash means. The answer is
// remembered; of a hash that is whole nothing is asked.
//
// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-commits/#api-repositories-workspace-repo-slug-commit-commit-get
func (c *Client) wholeHash(ctx context.Context, name policy.CommitName) (string, error) {
	if name.IsFull() {
		return name.Hash(), nil
	}
	key := wholeKey{placeOf(name.Repo()), name.Hash()}
	if hash, ok := c.wholes.get(key); ok {
		return hash, nil
	}
	e, err := at(routeCommit, name)
	if err != nil {
		return "", err
	}
	raw, err := c.commitRef(ctx, e)
	if err != nil {
		return "", err
	}
	// Of a word like "deadbeef" Bitbucket may take a branch for the commit.
	if !name.Means(raw.Hash) || !name.Repo().Is(raw.Repository.FullName) {
		return "", ErrNotFound
	}
	c.wholes.put(key, raw.Hash)
	return raw.Hash, nil
}

func (c *Client) commitRef(ctx context.Context, e endpoint) (commitRefJSON, error) {
	body, err := c.fetch(ctx, e, url.Values{"fields": {commitRefFields}}.Encode())
	if err != nil {
		return commitRefJSON{}, err
	}
	var raw commitRefJSON
	if json.Unmarshal(body, &raw) != nil || raw.Hash == "" {
		return commitRefJSON{}, unavailable("it answered something that is no commit")
	}
	return raw, nil
}

// reachedFrom asks whether a head reaches the commit: the merge base of a
// commit and one that descends from it is the commit itself. The answer is
// remembered.
//
// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-commits/#api-repositories-workspace-repo-slug-merge-base-revspec-get
func (c *Client) reachedFrom(ctx context.Context, name policy.CommitName, hash string, head policy.Commit) (policy.Commit, bool, error) {
	if head.Hash() == hash {
		commit, ok := name.ReachedFrom(head, hash, hash)
		return commit, ok, nil
	}
	key := baseKey{placeOf(head.Repo()), hash, head.Hash()}
	base, err := c.rememberedBase(ctx, key, head)
	if err != nil {
		return policy.Commit{}, false, err
	}
	commit, ok := name.ReachedFrom(head, hash, base)
	return commit, ok, nil
}

func (c *Client) rememberedBase(ctx context.Context, key baseKey, head policy.Commit) (string, error) {
	if base, known := c.bases.get(key); known {
		return base, nil
	}
	if _, known := c.baseless.get(key); known {
		return "", nil
	}
	base, err := c.mergeBase(ctx, key.hash, head)
	switch {
	case err != nil:
		return "", err
	case base == "":
		c.baseless.put(key, base)
	default:
		c.bases.put(key, base)
	}
	return base, nil
}

// mergeBase returns the hash of the best common ancestor, "" where there is
// none.
func (c *Client) mergeBase(ctx context.Context, hash string, head policy.Commit) (string, error) {
	e, err := at(routeMergeBase, head)
	if err != nil {
		return "", err
	}
	e.commit, e.revspec = "", hash+".."+head.Hash()
	raw, err := c.commitRef(ctx, e)
	switch {
	case errors.Is(err, ErrNotFound):
		return "", nil // unrelated, or there is no such commit
	case err != nil:
		return "", err
	case !head.Repo().Is(raw.Repository.FullName):
		return "", nil
	}
	return raw.Hash, nil
}

// reachedFromOthers tries the other branches that the scopes allow. How many
// requests that takes depends on them and on the commit, never on a branch that
// is hidden.
func (c *Client) reachedFromOthers(ctx context.Context, name policy.CommitName, hash string, tried map[string]bool) (policy.Commit, error) {
	others, err := c.Branches(ctx, name.Repo(), ListOptions{Limit: maxBranchesTried + len(tried), Detail: Rows, Budget: NewBudget(3)})
	if err != nil {
		return policy.Commit{}, err
	}
	var heads []policy.Commit
	for _, row := range others.Rows {
		head, ok := row.Branch.PinnedAt(row.Commit)
		if tried[row.Name] || !ok {
			continue
		}
		c.heads.put(headKey{placeOf(row.Branch.Repo()), row.Name}, row.Commit)
		heads = append(heads, head)
	}
	for len(heads) > 0 {
		some := heads[:min(triedAtOnce, len(heads))]
		if commit, ok, err := c.reachedFromOne(ctx, name, hash, some); ok || err != nil {
			return commit, err
		}
		heads = heads[len(some):]
	}
	return policy.Commit{}, name.Unreached()
}

// reachedFromOne tries some heads side by side.
func (c *Client) reachedFromOne(ctx context.Context, name policy.CommitName, hash string, heads []policy.Commit) (policy.Commit, bool, error) {
	type outcome struct {
		commit policy.Commit
		ok     bool
		err    error
	}
	outcomes := make([]outcome, len(heads))
	var group sync.WaitGroup
	for i, head := range heads {
		group.Go(func() {
			o := &outcomes[i]
			o.commit, o.ok, o.err = c.reachedFrom(ctx, name, hash, head)
		})
	}
	group.Wait()
	var failed error
	for _, o := range outcomes {
		if o.ok {
			return o.commit, true, nil
		}
		failed = errors.Join(failed, o.err)
	}
	return policy.Commit{}, false, failed
}
