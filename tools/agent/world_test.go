package agent_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/bitbuckettest"
	"bucketgate/bitbucket/sample"
)

// A world is a random Bitbucket. Whatever a person could write in it bears a
// mark that nothing else bears, so that an answer tells where it came from.
type world struct {
	*rand.Rand
	t        testing.TB
	upstream *bitbuckettest.Server
	homes    []*home
	marks    int
	hashes   map[string]bool     // the first twelve digits of each commit
	public   map[string]bool     // full names of repositories that everybody sees
	statuses map[string][]string // by full name, "@" and hash
}

// A home is a repository, with what the sample does not tell again.
type home struct {
	workspace, slug string
	texts           []string // name and description
	parent          string   // full name
	network         *network
	deleted         bool
	branches        []string // that are or were there, as pull requests name them
	pulls           map[int]*pullTexts
}

func (h *home) fullName() string { return h.workspace + "/" + h.slug }

// A network is what forks share.
type network struct {
	commits []string
	homes   []*home
}

// pullTexts are what people wrote at a pull request.
type pullTexts struct {
	said   []string // comments and tasks
	inline []string // paths that comments stand at
}

// The tokens that a mark and a hash are found by.
var tokens = regexp.MustCompile(`mk[0-9]{5}x|[0-9a-f]{12,40}`)

// tokensOf returns the marks in texts, and the hashes of this world by their
// first twelve digits.
func (w *world) tokensOf(texts ...string) []string {
	var found []string
	for _, text := range texts {
		for _, token := range tokens.FindAllString(strings.ToLower(text), -1) {
			if strings.HasPrefix(token, "mk") {
				found = append(found, token)
			} else if w.hashes[token[:12]] {
				found = append(found, token[:12])
			}
		}
	}
	return found
}

func (w *world) mark() string {
	w.marks++
	return fmt.Sprintf("mk%05dx", w.marks)
}

func (w *world) chance(percent int) bool { return w.IntN(100) < percent }

func one[T any](w *world, list []T) T { return list[w.IntN(len(list))] }

func newWorld(t testing.TB, r *rand.Rand) *world {
	w := &world{Rand: r, t: t, hashes: map[string]bool{}, public: map[string]bool{}, statuses: map[string][]string{}}
	for range 2 + w.IntN(2) {
		w.addNetwork("acme")
	}
	if w.chance(30) {
		w.addNetwork("beta")
	}
	return w
}

// The families of names, which patterns are about.
var (
	slugFamilies   = []string{"api-", "web-", "ops.", "lib_"}
	branchFamilies = []string{"main-", "feature/", "feature/x/", "release/", "secret/", "SECRET/", "hot-"}
)

func (w *world) addNetwork(workspace string) {
	n := &network{}
	h := w.plan(n, workspace, "")
	if w.chance(70) {
		w.plan(n, "acme", h.fullName())
	}
	if w.chance(50) {
		w.plan(n, "mallory", h.fullName())
	}
	if w.chance(40) {
		w.plan(n, one(w, []string{"acme", "mallory"}), h.fullName()).deleted = true
	}
}

// plan makes up a repository.
func (w *world) plan(n *network, workspace, parent string) *home {
	h := &home{
		workspace: workspace, slug: one(w, slugFamilies) + w.mark(), parent: parent, network: n,
		texts: []string{"Name " + w.mark(), "Description " + w.mark()}, pulls: map[int]*pullTexts{},
	}
	n.homes = append(n.homes, h)
	w.homes = append(w.homes, h)
	return h
}

// build puts the world into a Bitbucket.
func (w *world) build(upstream *bitbuckettest.Server) {
	w.upstream = upstream
	for _, h := range w.homes {
		h.branches = append(h.branches, "main")
		for range 2 + w.IntN(4) {
			h.branches = append(h.branches, one(w, branchFamilies)+w.mark())
		}
		w.public[h.fullName()] = w.chance(20)
		require.NoError(w.t, upstream.AddRepository(sample.Repository{
			Workspace: h.workspace, Slug: h.slug, Name: h.texts[0], Description: h.texts[1], Private: !w.public[h.fullName()],
			ParentFullName: h.parent, DefaultBranch: one(w, h.branches),
		}))
	}
	for _, h := range w.homes {
		w.commits(h)
	}
	for _, h := range w.homes {
		w.refs(h)
	}
	for _, h := range w.homes {
		w.pullRequests(h)
		w.pipelines(h)
	}
	w.homes = slices.DeleteFunc(w.homes, func(h *home) bool {
		if h.deleted {
			require.NoError(w.t, upstream.DeleteRepository(h.workspace, h.slug))
		}
		return h.deleted
	})
}

// commits adds commits on top of any of the network's.
func (w *world) commits(h *home) {
	n := h.network
	for range 6 + w.IntN(8) {
		c := sample.Commit{Message: "Subject " + w.mark() + "\n\nBody " + w.mark(), Author: "Author " + w.mark() + " <" + w.mark() + "@example.com>"}
		for len(n.commits) > 0 && len(c.Parents) < 2 && w.chance(85-55*len(c.Parents)) {
			parent := n.commits[len(n.commits)-1-w.IntN(min(4, len(n.commits)))]
			if !slices.Contains(c.Parents, parent) {
				c.Parents = append(c.Parents, parent)
			}
		}
		c.Files = w.changes(h, c.Parents)
		hash, err := w.upstream.AddCommit(h.workspace, h.slug, c)
		require.NoError(w.t, err)
		n.commits = append(n.commits, hash)
		w.hashes[hash[:12]] = true
	}
}

// changes makes up what a commit changes of its first parent's files.
func (w *world) changes(h *home, parents []string) map[string]sample.File {
	changed := map[string]sample.File{}
	var paths []string
	var before map[string]sample.File
	if len(parents) > 0 {
		var err error
		before, err = w.upstream.Tree(h.workspace, h.slug, parents[0])
		require.NoError(w.t, err)
		paths = slices.Sorted(maps.Keys(before))
	}
	for range w.IntN(4) {
		if len(paths) == 0 || w.chance(50) {
			changed[w.newPath()] = w.newFile(h)
			continue
		}
		path := one(w, paths)
		old := before[path]
		switch w.IntN(4) {
		case 0:
			changed[path] = sample.File{Deleted: true}
		case 1:
			changed[path], changed[w.newPath()] = sample.File{Deleted: true}, old
		default:
			old.Content = append(slices.Clone(old.Content), "line "+w.mark()+"\n"...)
			changed[path] = old
		}
	}
	return changed
}

func (w *world) newPath() string {
	return one(w, []string{"", "docs/", "docs/deep/", "src " + w.mark() + "/", "ünï/"}) + "file-" + w.mark() + one(w, []string{"", ".txt", ".go"})
}

func (w *world) newFile(h *home) sample.File {
	f := sample.File{Content: []byte(strings.Repeat("line "+w.mark()+"\n", 1+w.IntN(3)) + "end " + w.mark() + one(w, []string{"", "\n"}))}
	switch w.IntN(12) {
	case 0:
		f.Content = []byte("\x00binary " + w.mark())
	case 1:
		f = sample.File{Symlink: true, Content: []byte("../" + w.mark())}
	case 2:
		f = sample.File{LFS: true, Content: []byte("version https://git-lfs.github.com/spec/v1\noid sha256:" + w.mark() + "\nsize 12\n")}
	case 3:
		if len(h.network.commits) > 0 {
			f = sample.File{Submodule: one(w, h.network.commits)}
		}
	case 4:
		f.Content = []byte("diff --git a/x b/x\n@@ -1 +1 @@\n+" + w.mark() + "\n")
	}
	return f
}

// refs points branches and tags at commits. A tag may have the name of a
// branch or the first digits of a hash, and so may a branch.
func (w *world) refs(h *home) {
	commits := h.network.commits
	for _, name := range h.branches {
		w.upstream.MustBranch(h.fullName(), name, one(w, commits))
	}
	if w.chance(30) {
		name := one(w, commits)[:one(w, []int{7, 12})]
		h.branches = append(h.branches, name)
		w.upstream.MustBranch(h.fullName(), name, one(w, commits))
	}
	for range w.IntN(4) {
		name := one(w, []string{one(w, h.branches), one(w, commits)[:one(w, []int{7, 12})], "v-" + w.mark()})
		w.upstream.MustTag(h.fullName(), name, one(w, commits))
	}
	h.branches = append(h.branches, "feature/gone-"+w.mark(), "secret/gone-"+w.mark())
}

func (w *world) isPublic(h *home) bool { return w.public[h.fullName()] }

func (w *world) isThere(h *home, branch string) bool {
	_, err := w.upstream.Head(h.workspace, h.slug, branch)
	return err == nil
}

// end makes up one end of a pull request: a branch that is there, or one that
// is gone and was at some commit.
func (w *world) end(h *home) (branch, hash string) {
	branch = one(w, h.branches)
	if !w.isThere(h, branch) || w.chance(20) {
		hash = one(w, h.network.commits)
	}
	return branch, hash
}

func (w *world) pullRequests(h *home) {
	for range w.IntN(9) {
		from := h
		if w.chance(35) {
			from = one(w, h.network.homes)
		}
		p := sample.PullRequest{
			Title: "Title " + w.mark(), Description: "Description " + w.mark(), Author: "Author " + w.mark(), SourceRepository: from.fullName(),
			State: one(w, []string{sample.Open, sample.Open, sample.Merged, sample.Declined, sample.Superseded}), Draft: w.chance(20),
			Participants: []sample.Participant{{Name: "Reviewer " + w.mark(), Reviewer: w.chance(70), State: one(w, []string{"", "approved"})}},
			ClosedBy:     "Closer " + w.mark(), Reason: "Reason " + w.mark(),
		}
		p.SourceBranch, p.SourceHash = w.end(from)
		p.DestinationBranch, p.DestinationHash = w.end(h)
		if p.State == sample.Merged {
			p.MergeHash = one(w, h.network.commits)
		}
		id, err := w.upstream.AddPullRequest(h.workspace, h.slug, p)
		require.NoError(w.t, err)
		h.pulls[id] = w.discussion(h, id)
	}
	for _, p := range w.upstream.PullRequests(h.workspace, h.slug) {
		if w.chance(15) { // a tag with the name that the pull request's own end has
			w.upstream.MustTag(h.fullName(), one(w, []string{p.SourceHash, p.DestinationHash})[:12], one(w, h.network.commits))
		}
		if w.chance(60) {
			workspace, slug, _ := strings.Cut(p.SourceRepository, "/")
			status := sample.BuildStatus{Hash: p.SourceHash, Key: "key" + w.mark(), Name: "Status " + w.mark(), Description: "Said " + w.mark()}
			require.NoError(w.t, w.upstream.AddStatus(workspace, slug, status))
			at := p.SourceRepository + "@" + p.SourceHash
			w.statuses[at] = append(w.statuses[at], status.Name, status.Description)
		}
	}
}

// discussion adds comments and tasks, and returns what of them may be shown.
func (w *world) discussion(h *home, id int) *pullTexts {
	texts := &pullTexts{}
	for range w.IntN(3) {
		c := sample.Comment{Author: "Commenter " + w.mark(), Text: "Comment " + w.mark(), Deleted: w.chance(15), Pending: w.chance(15)}
		if w.chance(50) {
			c.Inline = &sample.Inline{Path: "at/" + w.mark(), To: 3, Context: "context " + w.mark()}
		}
		_, err := w.upstream.AddComment(h.workspace, h.slug, id, c)
		require.NoError(w.t, err)
		if c.Deleted || c.Pending {
			continue
		}
		texts.said = append(texts.said, c.Author, c.Text)
		if c.Inline != nil {
			texts.inline = append(texts.inline, c.Inline.Path)
		}
	}
	for range w.IntN(2) {
		task := sample.Task{Creator: "Creator " + w.mark(), Text: "Task " + w.mark()}
		_, err := w.upstream.AddTask(h.workspace, h.slug, id, task)
		require.NoError(w.t, err)
		texts.said = append(texts.said, task.Creator, task.Text)
	}
	return texts
}

// pipelines adds runs of pipelines on branches, tags, commits and pull
// requests. Those of forks run none here, as on the real service.
func (w *world) pipelines(h *home) {
	tags, err := w.upstream.Tags(h.workspace, h.slug)
	require.NoError(w.t, err)
	var own []int
	for _, p := range w.upstream.PullRequests(h.workspace, h.slug) {
		if p.SourceRepository == h.fullName() {
			own = append(own, p.ID)
		}
	}
	for range w.IntN(9) {
		p := sample.Pipeline{
			Creator: "Builder " + w.mark(), Variables: []sample.Variable{{Key: "KEY", Value: w.mark()}},
			State: one(w, []string{"", "", "IN_PROGRESS"}), Target: sample.Target{Hash: one(w, h.network.commits), Selector: sample.Selector{Type: "custom", Pattern: w.mark()}},
		}
		kind := w.IntN(4)
		switch {
		case kind == 0 && len(own) > 0:
			p.Target = sample.Target{PullRequest: one(w, own)}
		case kind == 1 && len(tags) > 0:
			p.Target.RefType, p.Target.RefName = "tag", one(w, slices.Sorted(maps.Keys(tags)))
		case kind == 2:
		default:
			p.Target.RefName = one(w, h.branches)
		}
		for range w.IntN(3) {
			p.Steps = append(p.Steps, sample.Step{
				Name: "Step " + w.mark(), Image: "image:" + w.mark(), Script: []string{w.mark()}, State: one(w, []string{"", "IN_PROGRESS"}),
				Log: []byte("first " + w.mark() + "\nlast " + w.mark() + "\n"),
			})
		}
		_, err := w.upstream.AddPipeline(h.workspace, h.slug, p)
		require.NoError(w.t, err)
	}
}
