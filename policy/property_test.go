package policy_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/policy"
	"bucketgate/policy/policytest"
)

// Each property is tried on so many sets of scopes, and with each of them on
// so many names. Compiling the scopes is what takes the time.
const (
	worlds = 400
	tries  = 8
	rounds = worlds * tries
)

// A world draws scopes and names from a small alphabet, so that they meet.
type world struct{ *rand.Rand }

func newWorld(seed uint64) world { return world{rand.New(rand.NewPCG(seed, 7))} }

func (w world) pick(of ...string) string { return of[w.IntN(len(of))] }

func (w world) slug() string {
	var slug strings.Builder
	for range 1 + w.IntN(3) {
		slug.WriteString(w.pick("a", "b", "-"))
	}
	return slug.String()
}

func (w world) branch() string {
	return w.pick("a", "b", "main", "A", "a/b", "b/a", "ab", "a-b", "Main")
}

func (w world) pattern() string {
	switch w.IntN(8) {
	case 0:
		return "(?i:" + w.pattern() + ")"
	case 1:
		return w.pattern() + "|" + w.pattern()
	case 2:
		return "(" + w.pattern() + ")" + w.pick("*", "+", "?", "*?", "{2}")
	case 3:
		return w.pattern() + w.pattern()
	}
	return w.pick("a", "b", "-", ".", ".*", "[ab]", "[b-]", "main", "^a", "b$", "/", `\b`, `\Qa\E`, "A", "") + w.pick("a", "b", ".*", "main")
}

func (w world) patterns() []string {
	var patterns []string
	for range max(0, w.IntN(5)-2) {
		patterns = append(patterns, w.pattern())
	}
	return patterns
}

// definitions draws up to five scopes in two workspaces, with two credentials.
func (w world) definitions() []policy.Definition {
	all := make([]policy.Definition, 1+w.IntN(5))
	for i := range all {
		all[i] = policy.Definition{
			Name: fmt.Sprintf("s%d", i), Workspace: w.pick("acme", "acme", "ACME", "globex"), Credential: w.pick("c1", "c1", "c2"),
			Repositories: w.patterns(), ExcludeRepositories: w.patterns(), Branches: w.patterns(), ExcludeBranches: w.patterns(),
		}
	}
	return all
}

func (w world) call(t *testing.T, definitions []policy.Definition) *policy.Call {
	t.Helper()
	scopes := make([]policy.Scope, len(definitions))
	for i, d := range definitions {
		scopes[i] = policytest.Scope(t, d)
	}
	w.Shuffle(len(scopes), func(i, j int) { scopes[i], scopes[j] = scopes[j], scopes[i] })
	return policytest.Call(t, scopes...)
}

// listAllows is the rule of one list pair in the words of its documentation.
func listAllows(include, exclude []string, name string) bool {
	matches := func(pattern string) bool { return matchesWhole(pattern, name) }
	return !slices.ContainsFunc(exclude, matches) && (len(include) == 0 || slices.ContainsFunc(include, matches))
}

// The oracle: the names of the scopes that allow a repository and, when it is
// not empty, a branch.
func allowing(definitions []policy.Definition, workspace, slug, branch string) []string {
	var names []string
	for _, d := range definitions {
		if strings.EqualFold(d.Workspace, workspace) && listAllows(d.Repositories, d.ExcludeRepositories, slug) &&
			(branch == "" || listAllows(d.Branches, d.ExcludeBranches, branch)) {
			names = append(names, d.Name)
		}
	}
	return names
}

// of keeps the scopes that share a credential.
func of(definitions []policy.Definition, credential string) []policy.Definition {
	return slices.DeleteFunc(slices.Clone(definitions), func(d policy.Definition) bool { return d.Credential != credential })
}

func TestTheCheckAgreesWithTheOracle(t *testing.T) {
	t.Parallel()
	var allowed int
	for seed := range uint64(worlds) {
		w := newWorld(seed)
		definitions := w.definitions()
		call := w.call(t, definitions)
		for range tries {
			about := fmt.Sprintf("seed %d: %+v", seed, definitions)
			if checkName(t, call, definitions, w.pick("acme", "globex"), w.slug(), w.branch(), about) {
				allowed++
			}
		}
	}
	assert.Greater(t, min(allowed, rounds-allowed), rounds/5, "a test of one answer only is none")
}

// checkName compares what a call answers for one name, from a caller and as a
// row, with the oracle, and returns whether it is allowed.
func checkName(t *testing.T, call *policy.Call, definitions []policy.Definition, workspace, slug, branch, about string) bool {
	t.Helper()
	about = fmt.Sprintf("%s/%s:%s, %s", workspace, slug, branch, about)
	want := allowing(definitions, workspace, slug, "")
	repos, err := call.Repositories(reference(t, workspace+"/"+slug))
	require.Equal(t, len(want) == 0, err != nil, about)
	var got []string
	for _, repo := range repos {
		credential := repo.Account().Credential
		require.Equal(t, allowing(of(definitions, credential), workspace, slug, ""), repo.Scopes(), about)
		require.True(t, strings.EqualFold(workspace, repo.Account().Workspace), about)
		checkBranch(t, of(definitions, credential), repo, branch, about)
		got = append(got, repo.Scopes()...)
	}
	require.ElementsMatch(t, want, got, about)
	for _, list := range call.Workspaces() {
		repo, ok := list.Sees(workspace + "/" + slug)
		var want []string
		if strings.EqualFold(list.Name(), workspace) {
			want = allowing(of(definitions, list.Account().Credential), workspace, slug, "")
		}
		require.Equal(t, want != nil, ok, about)
		require.ElementsMatch(t, want, repo.Scopes(), about)
	}
	return len(want) > 0
}

// A branch is allowed by ONE scope that allows the repository too.
func checkBranch(t *testing.T, definitions []policy.Definition, repo policy.Repo, name, about string) {
	t.Helper()
	want := allowing(definitions, repo.Account().Workspace, repo.Slug(), name)
	branch, err := repo.Branch(name)
	row, ok := repo.Sees(name)
	require.Equal(t, len(want) > 0, err == nil, about)
	require.Equal(t, len(want) > 0, ok, about)
	require.ElementsMatch(t, want, branch.Repo().Scopes(), about)
	require.Equal(t, branch.Repo().Scopes(), row.Repo().Scopes(), about)
}

// Whatever is done with a checked value, in whatever order, its scopes only
// become fewer, stay of one account, and each of them allows what the value
// stands for.
func TestScopesOnlyShrink(t *testing.T) {
	t.Parallel()
	steps, shrunk := 0, 0
	for seed := range uint64(worlds) {
		w := newWorld(seed)
		definitions := w.definitions()
		workspaces := w.call(t, definitions).Workspaces()
		for range tries {
			workspace := workspaces[w.IntN(len(workspaces))]
			held := workspace.Scopes()
			repo, ok := workspace.Sees(workspace.Name() + "/" + w.slug())
			for ok {
				about := fmt.Sprintf("seed %d: %s in %+v", seed, repo.FullName(), definitions)
				scopes := repo.Scopes()
				require.Subset(t, held, scopes, about)
				require.Subset(t, allowing(definitions, workspace.Name(), repo.Slug(), ""), scopes, about)
				require.Equal(t, workspace.Account().Credential, repo.Account().Credential, about)
				require.True(t, strings.EqualFold(workspace.Name(), repo.Account().Workspace), about)
				if steps++; len(scopes) < len(held) {
					shrunk++
				}
				held = scopes
				repo, ok = w.step(repo)
			}
		}
	}
	assert.Greater(t, shrunk, 100)
	assert.Greater(t, steps, rounds/2)
}

// step goes on from a repository to one that Bitbucket returned, or to the
// repository of a branch, or ends.
func (w world) step(repo policy.Repo) (policy.Repo, bool) {
	switch w.IntN(3) {
	case 0:
		return repo.SeesRepository(repo.Account().Workspace + "/" + w.slug())
	case 1:
		branch, ok := repo.Sees(w.branch())
		return branch.Repo(), ok
	}
	return policy.Repo{}, false
}

// Each scope gives what it gives alone: a scope more never takes anything
// away, and two never add up.
func TestScopesDoNotWorkOnEachOther(t *testing.T) {
	t.Parallel()
	for seed := range uint64(worlds) {
		w := newWorld(seed)
		definitions := w.definitions()
		target := w.pick("acme", "globex") + "/" + w.slug() + ":" + w.branch()
		var alone []string
		for _, d := range definitions {
			alone = append(alone, reached(t, w.call(t, []policy.Definition{d}), target)...)
		}
		require.ElementsMatch(t, alone, reached(t, w.call(t, definitions), target), "seed %d: %s in %+v", seed, target, definitions)
	}
}
