package manage

import (
	"context"
	"fmt"
	"sync"
	"time"

	"bucketgate/bitbucket"
	"bucketgate/internal/store"
	"bucketgate/policy"
)

// draftAge is for how long a listing serves the previews of a draft: somebody
// who types must not send Bitbucket a request with each letter, and use up
// what agents need.
const draftAge = time.Minute

// draftTime is for how long a listing may take. It goes on when who asked has
// typed on meanwhile: the next preview has it then.
const draftTime = 30 * time.Second

// maxListings is how many workspaces are remembered at once.
const maxListings = 16

// A Drafts previews scopes while they are typed. It asks Bitbucket once a
// minute for each credential, and leaves one audit event each time it asks.
type Drafts struct {
	service *Service

	mu       sync.Mutex
	listings map[string]*listing
}

// A listing is a workspace as one credential saw it a moment ago.
type listing struct {
	mu   sync.Mutex // held while it is fetched, so that equal previews wait for one
	at   time.Time
	page bitbucket.Page[string]
}

// NewDrafts returns previews for the service.
func NewDrafts(s *Service) *Drafts { return &Drafts{service: s, listings: map[string]*listing{}} }

// Preview tells what a drafted scope matches in the real workspace. A draft
// that could not be saved is refused in the same words.
func (d *Drafts) Preview(ctx context.Context, actor Actor, draft Scope) (ScopePreview, error) {
	if draft.Name == "" {
		draft.Name = "draft"
	}
	var compiled policy.Scope
	var provider store.Provider
	var credential store.Credential
	err := d.service.config.Store.View(ctx, func(tx *store.Tx) (err error) {
		if _, compiled, err = scopeRecord(tx, Actor{}, draft); err != nil {
			return err
		}
		if provider, err = findProvider(tx, draft.Provider); err != nil {
			return err
		}
		credential, err = findCredential(tx, draft.Provider, draft.Credential)
		return err
	})
	if err != nil {
		return ScopePreview{}, inWords(err)
	}
	if !credential.KeySet {
		return ScopePreview{Warnings: compiled.Warnings()}, refuseAt("credential", "the key of the credential %q is not set, so that nothing was asked", credential.Name)
	}
	// A replaced key sees something else: its version is part of the name.
	l := d.listing(fmt.Sprintf("%s.%d.%d.%d", credential.ID, credential.Version, credential.UpdatedAt.UnixMicro(), provider.Version))
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.at) > draftAge {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), draftTime)
		defer cancel()
		a := action{actor: actor, tool: "preview_scope", target: draft.Provider}
		l.page, err = told(ctx, d.service, a, func() (bitbucket.Page[string], string, error) {
			page, err := d.service.config.Client.UnjudgedRepositories(ctx, policy.UnjudgedWorkspace(compiled), bitbucket.NewBudget(previewPages))
			if err != nil {
				err = unreached(provider.Workspace, err)
			}
			return page, fmt.Sprintf("listed %d repositories for the preview of a draft", len(page.Rows)), err
		})
		if err != nil {
			l.at = time.Time{}
			return ScopePreview{Warnings: compiled.Warnings()}, err
		}
		l.at = time.Now()
	}
	return ScopePreview{Preview: count(l.page, compiled), Warnings: compiled.Warnings()}, nil
}

func (d *Drafts) listing(key string) *listing {
	d.mu.Lock()
	defer d.mu.Unlock()
	if l, ok := d.listings[key]; ok {
		return l
	}
	if len(d.listings) >= maxListings {
		clear(d.listings)
	}
	l := &listing{}
	d.listings[key] = l
	return l
}
