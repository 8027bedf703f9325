package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"bucketgate/internal/audit"
	"bucketgate/internal/secret"
	"bucketgate/internal/store"
	"bucketgate/policy"
)

// The targets of stored scopes.
const (
	maxStoredStart = 60.0 // ms, with 100 scopes
	maxMany        = 1.1  // × the cost of a call with one scope and one client
	maxAudit       = 0.05 // ms that the audit log adds to an allowed read
)

// stored measures what a database with little and with much in it costs.
func (b *bench) stored() (found []finding, err error) {
	small, err := b.setUp(1, 1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(small)) }()
	hundred, err := b.setUp(100, 1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(hundred)) }()
	large, err := b.setUp(b.rounds(1000, 100), b.rounds(10_000, 500))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(large)) }()
	for _, measure := range []func() (finding, error){
		func() (finding, error) { return b.startStored(hundred) },
		func() (finding, error) { return b.callStored(small, large) },
		func() (finding, error) { return b.auditStored(small) },
	} {
		f, err := measure()
		if err != nil {
			return nil, err
		}
		found = append(found, f)
	}
	return found, nil
}

const storedScope = "scope-0"

// setUp makes a home with a database of so many scopes and clients.
func (b *bench) setUp(scopes, clients int) (home string, err error) {
	if home, err = os.MkdirTemp("", "bucketgate-bench-home-"); err != nil {
		return "", fmt.Errorf("making a home: %w", err)
	}
	db, err := openHome(b.ctx, home)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return home, db.Update(b.ctx, func(tx *store.Tx) error { return b.fill(tx, scopes, clients) })
}

func openHome(ctx context.Context, home string) (*store.Store, error) {
	return store.Open(ctx, store.Config{
		Database: filepath.Join(home, "bucketgate.db"),
		MasterKey: func() (secret.MasterKey, error) {
			return secret.LoadOrCreateMasterKey(filepath.Join(home, "master.key"))
		},
	})
}

func (b *bench) fill(tx *store.Tx, scopes, clients int) error {
	provider, err := tx.CreateProvider(store.Provider{Name: "acme", Type: "bitbucket", Workspace: "acme", API: b.upstream.api})
	if err != nil {
		return err
	}
	credential, err := tx.CreateCredential(store.Credential{ProviderID: provider.ID, Name: "key", Username: username, Key: secret.NewText(token)})
	if err != nil {
		return err
	}
	for i := range scopes {
		_, err := tx.CreateScope(store.Scope{
			Name: fmt.Sprintf("scope-%d", i), ProviderID: provider.ID, CredentialID: credential.ID,
			Repositories: []string{"^duplocloud-.*", fmt.Sprintf("team-%d-.*", i)}, Branches: []string{"main", "release/.*"}, Actions: []policy.Action{policy.Read},
		})
		if err != nil {
			return err
		}
	}
	for i := range clients {
		if _, err := tx.CreateClient(store.Client{Name: fmt.Sprintf("client-%d", i), Role: "agent", Scopes: []string{fmt.Sprintf("scope-%d", i%scopes)}}); err != nil {
			return err
		}
	}
	return nil
}

// storedGate opens Bucketgate on a home, with one of its scopes.
func (b *bench) storedGate(home string) (*session, error) {
	return b.open(legacy, homeEnvironment(home), b.programs.bucketgate, "stdio", "--scope", storedScope)
}

func (b *bench) startStored(home string) (finding, error) {
	var times []time.Duration
	for range b.rounds(60, 15) {
		s, err := b.storedGate(home)
		if err != nil {
			return finding{}, err
		}
		times = append(times, s.started)
		if err := s.close(); err != nil {
			return finding{}, err
		}
	}
	return judged("start to initialize answered, SQLite with 100 scopes", milliseconds(median(times)), maxStoredStart, inMilliseconds, ""), nil
}

// callStored compares a call in a small database with one in a large.
func (b *bench) callStored(small, large string) (f finding, err error) {
	little, err := b.storedGate(small)
	if err != nil {
		return finding{}, err
	}
	defer func() { err = errors.Join(err, little.close()) }()
	much, err := b.storedGate(large)
	if err != nil {
		return finding{}, err
	}
	defer func() { err = errors.Join(err, much.close()) }()
	ours, theirs, err := interleaved(b.rounds(300, 100), b.rounds(2000, 400), much.timing("get_repo", getSomebody), little.timing("get_repo", getSomebody))
	if err != nil {
		return finding{}, err
	}
	return judged("get_repo with 1,000 scopes and 10,000 clients, of one with one", ratio(ours, theirs), maxMany, inTimes,
		fmt.Sprintf("%.3f against %.3f ms", milliseconds(ours), milliseconds(theirs))), nil
}

// auditStored measures what writing an allowed read down adds to it.
func (b *bench) auditStored(home string) (f finding, err error) {
	db, err := openHome(b.ctx, home)
	if err != nil {
		return finding{}, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	writer, err := audit.NewWriter(b.ctx, audit.Config{
		Writer: "bench", Key: db.Keyset(), Append: db.AppendAudit,
		Last: func(ctx context.Context) (audit.Head, error) { return db.LastAudit(ctx, "bench") },
	})
	if err != nil {
		return finding{}, err
	}
	defer func() { err = errors.Join(err, writer.Close(b.ctx)) }()
	var times []time.Duration
	for range b.rounds(2000, 500) {
		event := audit.Event{ID: audit.NewID(), Time: time.Now(), Caller: "bench", Role: "agent", Tool: "get_repo", Scope: storedScope, Target: somebody, Decision: audit.Allowed}
		began := time.Now()
		if err := writer.Record(b.ctx, event); err != nil {
			return finding{}, err
		}
		times = append(times, time.Since(began))
		time.Sleep(200 * time.Microsecond) // as calls come, and not as fast as a queue takes
	}
	return judged("audit of an allowed read", milliseconds(median(times)), maxAudit, inMilliseconds, ""), nil
}
