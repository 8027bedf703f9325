package manage

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"bucketgate/bitbucket"
	"bucketgate/internal/audit"
	"bucketgate/internal/secret"
	"bucketgate/internal/store"
)

const (
	// DefaultLinkTTL is how long a one-time link is good.
	DefaultLinkTTL = 10 * time.Minute

	// linkMemory is how long a link that is over is remembered, so that the
	// audit log can say which one it was that somebody came with.
	linkMemory = 24 * time.Hour

	linkTransport = "one-time link"
)

// A Link is a one-time link, at which a person types the key of one credential,
// so that the key does not pass through a model. The token is the whole right
// to do so.
type Link struct {
	Token   secret.Text
	Expires time.Time
}

// CreateCredentialWithLink adds a credential whose key is not set, and returns
// the link at which it is typed.
func (s *Service) CreateCredentialWithLink(ctx context.Context, actor Actor, c Credential) (store.Credential, Link, error) {
	var link Link
	a := credentialAction(actor, "create_credential", c.Provider, c.Name)
	a.note = linkNote
	created, err := s.createCredential(ctx, a, c, func(tx *store.Tx, created store.Credential) (err error) {
		link, err = s.newLink(tx, actor, created)
		return err
	})
	return created, link, err
}

// UpdateCredentialWithLink replaces a credential but for its key, and returns
// the link at which another key is typed. Until then the stored one stays.
func (s *Service) UpdateCredentialWithLink(ctx context.Context, actor Actor, version int64, c Credential) (store.Credential, Link, error) {
	var link Link
	a := credentialAction(actor, "update_credential", c.Provider, c.Name)
	a.note = linkNote
	updated, err := s.updateCredential(ctx, a, version, c, func(tx *store.Tx, updated store.Credential) (err error) {
		link, err = s.newLink(tx, actor, updated)
		return err
	})
	return updated, link, err
}

const linkNote = "with a one-time link at which its key is typed"

// newLink makes a link that is bound to the credential as it is now and to
// where its key will be sent.
func (s *Service) newLink(tx *store.Tx, actor Actor, c store.Credential) (Link, error) {
	provider, err := tx.ProviderByID(c.ProviderID)
	if err != nil {
		return Link{}, err
	}
	now := time.Now().UTC()
	if err := tx.SweepSecretLinks(now.Add(-linkMemory)); err != nil {
		return Link{}, err
	}
	token, hash := secret.NewLinkToken()
	link := Link{Token: token, Expires: now.Add(s.config.LinkTTL)}
	return link, tx.CreateSecretLink(store.SecretLink{
		TokenHash: hash, CredentialID: c.ID, CredentialVersion: c.Version, Provider: provider.Name, Credential: c.Name,
		API: provider.API, Workspace: provider.Workspace, AskedBy: actor.Name, AskedThrough: actor.Transport,
		CreatedAt: now, ExpiresAt: link.Expires,
	})
}

// Asked is what the page of a link says, so that a person knows whose key goes
// where before typing it.
type Asked struct {
	By         string
	Provider   string
	Credential string
	Username   string // empty for an access token
	Workspace  string
	APIHost    string // the only host that the key is sent to
	Replaces   bool   // a key that is there
	Expires    time.Time
}

// ErrLinkOver is in the refusal of a link that was used, is late, is void since
// its credential was changed, or never was. To who comes with it they all look
// the same; the audit log tells them apart.
var ErrLinkOver = errors.New("the one-time link is over")

func over(why string) error { return &Refused{Words: why, Err: ErrLinkOver} }

// LookAtLink returns what the page of a link says. It uses nothing up and, of a
// link that is good, writes nothing down: what it tells are names.
func (s *Service) LookAtLink(ctx context.Context, token string) (Asked, error) {
	asked, _, err := s.findLink(ctx, token)
	return asked, err
}

// UseLink takes the key that was typed at a link. The key, its audit event and
// the end of the link are one transaction. A key that is refused does not use
// the link up.
func (s *Service) UseLink(ctx context.Context, token string, key secret.Text) (Asked, error) {
	asked, link, err := s.findLink(ctx, token)
	if err != nil {
		return Asked{}, err
	}
	actor := Actor{Name: link.AskedBy, Transport: linkTransport}
	a := credentialAction(actor, "use_link", link.Provider, link.Credential)
	a.note = "the key was typed at the one-time link"
	err = s.change(ctx, a, func(tx *store.Tx) error {
		current, _, err := openLink(tx, link.TokenHash, &link)
		if err != nil {
			return err
		}
		if key.IsZero() {
			return refusef("type the API key")
		}
		if err := CheckKey(key, current.Username); err != nil {
			return err
		}
		current.Key, current.UpdatedBy = key, link.AskedBy
		if _, err := tx.UpdateCredential(current); err != nil {
			return err
		}
		return tx.UseSecretLink(link.TokenHash)
	})
	if errors.Is(err, store.ErrConflict) {
		err = over("the credential was changed at the same moment")
	}
	return asked, err
}

// findLink returns a link that is good. A refusal is written down here, within
// bounds.
func (s *Service) findLink(ctx context.Context, token string) (Asked, store.SecretLink, error) {
	var link store.SecretLink
	hash, ok := secret.HashLinkToken(token)
	if !ok {
		return Asked{}, link, s.refuseLink(ctx, link, over("there is no such one-time link"))
	}
	var asked Asked
	err := s.config.Store.View(ctx, func(tx *store.Tx) error {
		c, p, err := openLink(tx, hash, &link)
		if err != nil {
			return err
		}
		asked = Asked{
			By: link.AskedBy, Provider: p.Name, Credential: c.Name, Username: c.Username, Workspace: p.Workspace,
			APIHost: strings.TrimSuffix(bitbucket.HostPort(p.API), ":443"), Replaces: c.KeySet, Expires: link.ExpiresAt,
		}
		return nil
	})
	if errors.Is(err, ErrLinkOver) {
		return Asked{}, link, s.refuseLink(ctx, link, err)
	}
	return asked, link, err
}

// openLink reads a link with its credential and provider, and judges it. What
// it is bound to must be as it was when it was made: a key is typed for the
// workspace and the host that the page names, and must not go elsewhere.
func openLink(tx *store.Tx, hash []byte, link *store.SecretLink) (store.Credential, store.Provider, error) {
	var none store.Credential
	var nowhere store.Provider
	found, err := tx.SecretLink(hash)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return none, nowhere, over("there is no such one-time link")
	case err != nil:
		return none, nowhere, err
	}
	*link = found
	switch {
	case !found.UsedAt.IsZero():
		return none, nowhere, over("the one-time link was used already")
	case !time.Now().Before(found.ExpiresAt):
		return none, nowhere, over("the one-time link came too late")
	}
	c, err := tx.CredentialByID(found.CredentialID)
	if errors.Is(err, store.ErrNotFound) || err == nil && c.Version != found.CredentialVersion {
		return none, nowhere, over("the credential was changed since the one-time link was made")
	}
	if err != nil {
		return none, nowhere, err
	}
	p, err := tx.ProviderByID(c.ProviderID)
	if errors.Is(err, store.ErrNotFound) || err == nil && (p.API != found.API || p.Workspace != found.Workspace) {
		return none, nowhere, over("the provider was changed since the one-time link was made")
	}
	if err != nil {
		return none, nowhere, err
	}
	return c, p, mayStillAsk(tx, found)
}

// mayStillAsk refuses a link whose maker is an admin no more: it was made with
// that right, and ends with it. Who came over stdio or by a command has the
// machine, and no client of that name is meant.
func mayStillAsk(tx *store.Tx, link store.SecretLink) error {
	if link.AskedThrough == "stdio" || link.AskedThrough == "command line" {
		return nil
	}
	client, err := tx.Client(link.AskedBy)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil // not every admin is a client
	case err != nil:
		return err
	case !client.RevokedAt.IsZero(), client.Role != "admin", !client.ExpiresAt.IsZero() && !time.Now().Before(client.ExpiresAt):
		return over("who made the one-time link is an admin no more")
	}
	return nil
}

// refuseLink writes down that somebody came with a link that is not good. Who
// does so by the thousand must not fill the log: above a quota they are
// counted, and the next event that is written says how many they were.
func (s *Service) refuseLink(ctx context.Context, link store.SecretLink, why error) error {
	q := &s.deadLinks
	target := link.Provider + "/" + link.Credential
	if link.CredentialID == "" {
		q, target = &s.unknownLinks, ""
	}
	write, missed := q.take(time.Now())
	if !write {
		return why
	}
	reason := why.Error()
	if missed > 0 {
		reason += fmt.Sprintf("; %d more such attempts before it were not written down", missed)
	}
	a := action{actor: Actor{Name: "unknown", Transport: linkTransport}, tool: "use_link", target: target}
	if err := s.config.Audit.Commit(context.WithoutCancel(ctx), a.event(audit.Denied, reason)); err != nil {
		return err
	}
	return why
}

// A quota lets so many events a minute be written.
type quota struct {
	limit int

	mu     sync.Mutex
	began  time.Time
	taken  int
	missed int
}

// take reports whether one more may be written, and how many were not since
// the last one that was.
func (q *quota) take(now time.Time) (ok bool, missed int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if now.Sub(q.began) >= time.Minute {
		q.began, q.taken = now, 0
	}
	if q.taken >= q.limit {
		q.missed++
		return false, 0
	}
	q.taken++
	missed, q.missed = q.missed, 0
	return true, missed
}
