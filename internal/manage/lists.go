package manage

import (
	"context"
	"fmt"
	"io"
	"time"

	"bucketgate/internal/audit"
	"bucketgate/internal/store"
)

// Counts says how much there is of each record.
func (s *Service) Counts(ctx context.Context) (store.Counts, error) {
	return viewed(ctx, s, func(tx *store.Tx) (store.Counts, error) { return tx.Counts(time.Now()) })
}

// ProviderSummaries returns all providers, each with how much belongs to it.
func (s *Service) ProviderSummaries(ctx context.Context) ([]store.ProviderSummary, error) {
	return viewed(ctx, s, func(tx *store.Tx) ([]store.ProviderSummary, error) { return tx.ProviderSummaries() })
}

// A Listed is a part of a list.
type Listed[R any] struct {
	Rows []R
	More bool // there are more behind it
}

// ScopePage returns a part of a provider's scopes.
func (s *Service) ScopePage(ctx context.Context, provider string, page store.Page) (Listed[store.Scope], error) {
	return viewed(ctx, s, func(tx *store.Tx) (l Listed[store.Scope], err error) {
		l.Rows, l.More, err = tx.ScopePage(provider, page)
		return l, err
	})
}

// ScopeNames returns the names of all scopes, in order.
func (s *Service) ScopeNames(ctx context.Context) ([]string, error) {
	return viewed(ctx, s, func(tx *store.Tx) ([]string, error) { return tx.ScopeNames() })
}

// ClientPage returns a part of the clients, revoked ones too where revoked is
// true.
func (s *Service) ClientPage(ctx context.Context, page store.Page, revoked bool) (Listed[store.Client], error) {
	return viewed(ctx, s, func(tx *store.Tx) (l Listed[store.Client], err error) {
		l.Rows, l.More, err = tx.ClientPage(page, revoked)
		return l, err
	})
}

// KnownClient returns the client of this name, also a revoked one.
func (s *Service) KnownClient(ctx context.Context, name string) (store.Client, error) {
	return viewed(ctx, s, func(tx *store.Tx) (store.Client, error) { return tx.Client(name) })
}

// maxUsers is how many users of a record are named.
const maxUsers = 20

// Users are the records because of which another one cannot be deleted.
type Users struct {
	Named []store.User
	More  bool
}

func usersOf(list []store.User, err error) (Users, error) {
	if len(list) > maxUsers {
		return Users{list[:maxUsers], true}, err
	}
	return Users{Named: list}, err
}

// ProviderUsers returns what needs a provider.
func (s *Service) ProviderUsers(ctx context.Context, p store.Provider) (Users, error) {
	return viewed(ctx, s, func(tx *store.Tx) (Users, error) { return usersOf(tx.ProviderUsers(p.ID, maxUsers+1)) })
}

// CredentialUsers returns what needs a credential.
func (s *Service) CredentialUsers(ctx context.Context, c store.Credential) (Users, error) {
	return viewed(ctx, s, func(tx *store.Tx) (Users, error) { return usersOf(tx.CredentialUsers(c.ID, maxUsers+1)) })
}

// ScopeUsers returns the clients that hold a scope.
func (s *Service) ScopeUsers(ctx context.Context, scope store.Scope) (Users, error) {
	return viewed(ctx, s, func(tx *store.Tx) (Users, error) { return usersOf(tx.ScopeUsers(scope.ID, maxUsers+1)) })
}

// AuditEvents returns at most limit events that the filter chooses, the newest
// first, beginning after the cursor, and the cursor to go on with.
func (s *Service) AuditEvents(ctx context.Context, f audit.Filter, limit int, after store.AuditCursor) ([]audit.Event, store.AuditCursor, error) {
	records, next, err := s.config.Store.ListAudit(ctx, f, limit, after)
	events := make([]audit.Event, len(records))
	for i, r := range records {
		events[i] = r.Event
	}
	return events, next, err
}

// ExportAudit writes the events that the filter chooses, one JSON object on a
// line. It leaves one audit event, before the first line.
func (s *Service) ExportAudit(ctx context.Context, actor Actor, f audit.Filter, w io.Writer) error {
	writers, err := s.config.Store.AuditWriters(ctx)
	if err != nil {
		return err
	}
	if err := s.Note(ctx, actor, "export_audit", "", audit.Allowed, ""); err != nil {
		return err
	}
	_, err = audit.Export(w, f, func(take func(audit.Record) error) error {
		for _, writer := range writers {
			if err := s.config.Store.EachAudit(ctx, writer, take); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// VerifyAudit reads the whole audit log and says whether it is as it was
// written. heads, which may be nil, is asked first, for the ends that are kept
// elsewhere; progress is told now and then how many events were read.
func (s *Service) VerifyAudit(ctx context.Context, heads func() (audit.Heads, error), progress func(events int64)) (audit.Report, error) {
	// The heads before the writers, and these before the records: what is
	// written meanwhile is no finding.
	var kept audit.Heads
	if heads != nil {
		var err error
		if kept, err = heads(); err != nil {
			return audit.Report{}, fmt.Errorf("reading the kept ends of the audit log: %w", err)
		}
	}
	writers, err := s.config.Store.AuditWriters(ctx)
	if err != nil {
		return audit.Report{}, err
	}
	var read int64
	each := func(ctx context.Context, writer string, take func(audit.Record) error) error {
		return s.config.Store.EachAudit(ctx, writer, func(r audit.Record) error {
			if read++; read%1000 == 0 {
				progress(read)
			}
			return take(r)
		})
	}
	return audit.Verify(ctx, writers, each, s.config.Store.Keyset(), kept)
}
