// Package manage is the management service: providers, credentials, scopes and
// their previews. The command line, the admin tools and the console are faces
// of it and hold no rule of their own.
package manage

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"bucketgate/bitbucket"
	"bucketgate/internal/store"
	"bucketgate/policy"
)

const (
	previewPages = 100 // of the workspace's list, for one preview
	previewNames = 10  // shown
)

// A Preview tells what a scope's repository patterns match in the real
// workspace.
type Preview struct {
	Matched int
	Total   int
	More    bool     // the workspace has more repositories than were counted
	Names   []string // the first that match
}

// Summary returns the preview in words: "7 of 61 repositories match".
func (p Preview) Summary() string {
	words := fmt.Sprintf("%d of %d repositories match", p.Matched, p.Total)
	if p.More {
		words = fmt.Sprintf("%d of the first %d repositories match", p.Matched, p.Total)
	}
	if len(p.Names) == 0 {
		return words
	}
	words += ": " + strings.Join(p.Names, ", ")
	if p.Matched > len(p.Names) {
		words += ", …"
	}
	return words
}

// PreviewScope lists the whole workspace and counts what the scope allows. It
// is for admins: what a scope hides must not be counted for anybody else.
func PreviewScope(ctx context.Context, client *bitbucket.Client, scope policy.Scope) (Preview, error) {
	page, err := client.UnjudgedRepositories(ctx, policy.UnjudgedWorkspace(scope), bitbucket.NewBudget(previewPages))
	if err != nil {
		return Preview{}, fmt.Errorf("listing the workspace: %w", err)
	}
	return count(page, scope), nil
}

func count(page bitbucket.Page[string], scope policy.Scope) Preview {
	preview := Preview{Total: len(page.Rows), More: page.Next != nil}
	for _, fullName := range page.Rows {
		allowed, _ := scope.AllowsRepository(fullName)
		if !allowed {
			continue
		}
		preview.Matched++
		if len(preview.Names) < previewNames {
			_, slug, _ := strings.Cut(fullName, "/")
			preview.Names = append(preview.Names, slug)
		}
	}
	return preview
}

// WhoAmI returns the display name of the account behind a scope's credential.
func WhoAmI(ctx context.Context, client *bitbucket.Client, scope policy.Scope) (string, error) {
	name, err := client.User(ctx, policy.UnjudgedWorkspace(scope))
	if err != nil {
		return "", fmt.Errorf("asking who the credential belongs to: %w", err)
	}
	return name, nil
}

// A PreviewQuestion is what a preview is asked about: a stored scope, by its
// name, or a drafted one; and, where Repository is set, whether that one may
// be reached.
type PreviewQuestion struct {
	Stored     string // name of a stored scope; empty for Draft
	Draft      Scope
	Repository string // slug or workspace/slug
	Branch     string // of Repository
	Action     policy.Action
}

// A ScopePreview is the answer to a PreviewQuestion.
type ScopePreview struct {
	Preview
	Warnings []policy.Warning // the linter's words
	Verdict  *Verdict         // nil where no repository was named
}

// Summary returns the preview in words, the verdict first.
func (p ScopePreview) Summary() string {
	if p.Verdict == nil {
		return p.Preview.Summary()
	}
	return p.Verdict.Words + " " + p.Preview.Summary()
}

// A Verdict says whether one repository, branch and action is allowed.
type Verdict struct {
	Allowed bool
	Pattern string // what decides, such as "repositories: ^web-.*"; empty where no pattern does
	Words   string
}

// PreviewScope tells what a scope matches in the real workspace. It changes
// nothing, and leaves one audit event.
func (s *Service) PreviewScope(ctx context.Context, actor Actor, q PreviewQuestion) (ScopePreview, error) {
	a := action{actor: actor, tool: "preview_scope", target: q.Repository, scope: q.Stored}
	return told(ctx, s, a, func() (ScopePreview, string, error) {
		answer, err := s.preview(ctx, q)
		words := fmt.Sprintf("%d of %d", answer.Matched, answer.Total)
		if v := answer.Verdict; v != nil {
			words = v.Words
		}
		return answer, words, err
	})
}

func (s *Service) preview(ctx context.Context, q PreviewQuestion) (ScopePreview, error) {
	if q.Repository == "" && (q.Branch != "" || q.Action != "") {
		return ScopePreview{}, refusef("a branch or an action is judged together with a repository: name that too")
	}
	var compiled policy.Scope
	var workspace string
	err := s.config.Store.View(ctx, func(tx *store.Tx) (err error) {
		if q.Stored != "" {
			stored, err := findScope(tx, q.Stored)
			if err != nil {
				return err
			}
			q.Draft = drafted(stored)
		}
		if q.Draft.Name == "" {
			q.Draft.Name = "draft"
		}
		if _, compiled, err = scopeRecord(tx, Actor{}, q.Draft); err != nil {
			return err
		}
		provider, err := findProvider(tx, q.Draft.Provider)
		workspace = provider.Workspace
		return err
	})
	if err != nil {
		return ScopePreview{}, err
	}
	page, err := s.config.Client.UnjudgedRepositories(ctx, policy.UnjudgedWorkspace(compiled), bitbucket.NewBudget(previewPages))
	if err != nil {
		return ScopePreview{}, unreached(workspace, err)
	}
	answer := ScopePreview{Preview: count(page, compiled), Warnings: compiled.Warnings()}
	if q.Repository != "" {
		answer.Verdict = judge(compiled, workspace, q, page)
	}
	return answer, nil
}

func drafted(s store.Scope) Scope {
	return Scope{
		Name: s.Name, Provider: s.Provider, Credential: s.Credential, Description: s.Description,
		Repositories: s.Repositories, ExcludeRepositories: s.ExcludeRepositories,
		Branches: s.Branches, ExcludeBranches: s.ExcludeBranches, Actions: s.Actions,
	}
}

// judge asks the scope about one repository, branch and action. To an agent a
// repository that is missing and one that is hidden look the same; here they
// are told apart.
func judge(scope policy.Scope, workspace string, q PreviewQuestion, page bitbucket.Page[string]) *Verdict {
	fullName := q.Repository
	if !strings.Contains(fullName, "/") {
		fullName = workspace + "/" + fullName
	}
	if q.Action == "" {
		q.Action = policy.Read
	}
	var patterns []string
	decides := func(list, pattern string) {
		if pattern != "" {
			patterns = append(patterns, list+": "+pattern)
		}
	}
	verdict := func(allowed bool, words string) *Verdict {
		return &Verdict{Allowed: allowed, Pattern: strings.Join(patterns, "; "), Words: words}
	}
	ok, why := scope.AllowsRepository(fullName)
	decides(scope.RepositoryDecider(fullName))
	words := fmt.Sprintf("repository %q: %s", q.Repository, why)
	if !ok {
		return verdict(false, "Not allowed: "+words+".")
	}
	if q.Branch != "" {
		ok, why = scope.AllowsBranch(q.Branch)
		branch := fmt.Sprintf("branch %q: %s", q.Branch, why)
		if !ok {
			patterns = nil
			decides(scope.BranchDecider(q.Branch))
			return verdict(false, "Not allowed: "+branch+".")
		}
		decides(scope.BranchDecider(q.Branch))
		words += "; " + branch
	}
	if !scope.AllowsAction(q.Action) {
		patterns = nil
		return verdict(false, fmt.Sprintf("Not allowed: the scope does not hold the action %q.", q.Action))
	}
	words = "Allowed: " + words + "."
	there := slices.ContainsFunc(page.Rows, func(row string) bool { return strings.EqualFold(row, fullName) })
	if !there && page.Next == nil {
		words += " But the credential sees no repository of that name."
	}
	return verdict(true, words)
}
