package manage

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"bucketgate/bitbucket"
	"bucketgate/internal/store"
	"bucketgate/policy"
)

// A Provider is a Bitbucket workspace as it is written down.
type Provider struct {
	Name        string
	Type        string // "bitbucket", also where it is empty
	Workspace   string // slug
	Description string
	API         string // bitbucket.DefaultAPI where it is empty
}

const providerType = "bitbucket"

const maxDescriptionBytes = 1000

// CreateProvider adds a provider.
func (s *Service) CreateProvider(ctx context.Context, actor Actor, p Provider) (store.Provider, error) {
	var created store.Provider
	err := s.change(ctx, action{actor: actor, tool: "create_provider", target: p.Name}, func(tx *store.Tx) error {
		record, err := s.providerRecord(actor, p)
		if err != nil {
			return err
		}
		created, err = tx.CreateProvider(record)
		return err
	})
	return created, err
}

// UpdateProvider replaces the description, workspace and address of the
// provider of that name. version is the one that was read; 0 is whichever is
// current. Workspace and address cannot change while there is a credential.
func (s *Service) UpdateProvider(ctx context.Context, actor Actor, version int64, p Provider) (store.Provider, error) {
	var updated store.Provider
	err := s.change(ctx, action{actor: actor, tool: "update_provider", target: p.Name}, func(tx *store.Tx) error {
		current, err := findProvider(tx, p.Name)
		if err != nil {
			return err
		}
		judged := actor
		judged.AnyAPI = actor.AnyAPI || p.API == current.API // what stays was allowed to who set it
		record, err := s.providerRecord(judged, p)
		if err != nil {
			return err
		}
		record.Meta = current.Meta
		record.UpdatedBy = actor.Name
		if version != 0 {
			record.Version = version
		}
		updated, err = tx.UpdateProvider(record)
		return fixedUnder(err)
	})
	return updated, err
}

// fixedUnder says why a provider that has a credential cannot get another
// address or workspace.
func fixedUnder(err error) error {
	inUse, ok := errors.AsType[*store.InUse](err)
	if !ok {
		return err
	}
	words := fmt.Sprintf("the api_url and the workspace of %s cannot change while it has a credential (%s): a key must not go to another address; create another provider",
		inUse.Record, strings.Join(inUse.Users, ", "))
	return &Refused{Words: words, Err: err}
}

// DeleteProvider removes a provider that has no credential.
func (s *Service) DeleteProvider(ctx context.Context, actor Actor, name string) error {
	return s.change(ctx, action{actor: actor, tool: "delete_provider", target: name}, func(tx *store.Tx) error {
		p, err := findProvider(tx, name)
		if err != nil {
			return err
		}
		return tx.DeleteProvider(p.ID, p.Version)
	})
}

// Providers returns all providers in the order of their names.
func (s *Service) Providers(ctx context.Context) ([]store.Provider, error) {
	var list []store.Provider
	err := s.config.Store.View(ctx, func(tx *store.Tx) (err error) {
		list, err = tx.Providers()
		return err
	})
	return list, err
}

// providerRecord judges what is written down of a provider.
func (s *Service) providerRecord(actor Actor, p Provider) (store.Provider, error) {
	api, badAPI := s.checkAPI(actor, p.API)
	err := together(checkName("provider", p.Name), checkType(p.Type), checkWorkspace(p.Workspace), checkDescription(p.Description), badAPI)
	if err != nil {
		return store.Provider{}, err
	}
	return store.Provider{
		Meta: store.Meta{UpdatedBy: actor.Name}, Name: p.Name, Type: providerType,
		Workspace: p.Workspace, Description: strings.TrimSpace(p.Description), API: api,
	}, nil
}

func checkType(text string) error {
	if text != "" && text != providerType {
		return refuseAt("type", "there is no provider type %q; this release knows %q only", text, providerType)
	}
	return nil
}

func checkWorkspace(text string) error {
	err := policy.CheckWorkspace(text)
	if err == nil {
		return nil
	}
	if name, ok := errors.AsType[*policy.InvalidName](err); ok {
		err = errors.New(name.Reason)
	}
	return refuseAt("workspace", "the workspace is the slug in the address of its page, such as acme; %v", err)
}

// checkDescription keeps out what an export could not write as text.
func checkDescription(text string) error {
	if len(text) > maxDescriptionBytes || !utf8.ValidString(text) {
		return refuseAt("description", "a description is text in UTF-8 of at most %d bytes", maxDescriptionBytes)
	}
	return nil
}

// checkAPI judges an address. A key that is sent to the wrong one is lost, so
// that only who has the command line may name any.
func (s *Service) checkAPI(actor Actor, text string) (string, error) {
	if text == "" {
		return bitbucket.DefaultAPI, nil
	}
	api, err := bitbucket.ParseAPI(text)
	if err != nil {
		return "", refuseAt("api_url", "the api_url cannot be used: %v", err)
	}
	if api != bitbucket.DefaultAPI && !actor.AnyAPI && !s.config.AllowAPI(api) {
		return "", refuseAt("api_url", "the api_url %s is not allowed here: start the server with --allow-api-host %s, or set it on the command line", api, bitbucket.HostPort(api))
	}
	return api, nil
}

func findProvider(tx *store.Tx, name string) (store.Provider, error) {
	p, err := tx.Provider(name)
	if !errors.Is(err, store.ErrNotFound) {
		return p, err
	}
	all, err := tx.Providers()
	if err != nil {
		return store.Provider{}, err
	}
	var known []string
	for _, p := range all {
		known = append(known, p.Name)
	}
	return store.Provider{}, unknown("provider", name, known)
}

// IsBitbucketCloud reports whether a provider is asked at Bitbucket Cloud's own
// address.
func IsBitbucketCloud(p store.Provider) bool { return p.API == bitbucket.DefaultAPI }
