// Package manage is the management service: providers, credentials, scopes and
// their previews. The command line, the admin tools and the console are faces
// of it and hold no rule of their own.
package manage

import (
	"context"
	"fmt"
	"strings"

	"bucketgate/bitbucket"
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
	return preview, nil
}

// WhoAmI returns the display name of the account behind a scope's credential.
func WhoAmI(ctx context.Context, client *bitbucket.Client, scope policy.Scope) (string, error) {
	name, err := client.User(ctx, policy.UnjudgedWorkspace(scope))
	if err != nil {
		return "", fmt.Errorf("asking who the credential belongs to: %w", err)
	}
	return name, nil
}
