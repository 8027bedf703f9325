package manage

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"bucketgate/internal/store"
)

// A Finding is what a checkup says of one thing.
type Finding struct {
	Check  string // what was looked at
	OK     bool
	Words  string
	Advice string // what to do about it; empty where it is OK
}

// expiresSoon is how long before its day a credential is told of.
const expiresSoon = 14 * 24 * time.Hour

// Checkup looks over what is stored: whether sealed values open, scopes compile,
// and credentials and clients are good at this time. It changes nothing, asks
// Bitbucket nothing and writes no event. The error is for what could not be
// read.
func (s *Service) Checkup(ctx context.Context, at time.Time) ([]Finding, error) {
	var list []Finding
	for _, check := range []func(context.Context, time.Time) ([]Finding, error){s.checkKeys, s.checkScopes, s.checkCredentials, s.checkClients} {
		findings, err := check(ctx, at)
		if err != nil {
			return nil, err
		}
		list = append(list, findings...)
	}
	return list, nil
}

// orFine is the problems that were found, or that there is none.
func orFine(problems []Finding, check, words string) []Finding {
	if len(problems) > 0 {
		return problems
	}
	return []Finding{{Check: check, OK: true, Words: words}}
}

func (s *Service) checkKeys(ctx context.Context, _ time.Time) ([]Finding, error) {
	const check = "keys"
	status, err := s.config.Store.KeyStatus(ctx)
	if err != nil {
		return nil, err
	}
	var problems []Finding
	if len(status.Keys) > 1 {
		problems = append(problems, Finding{Check: check, Words: "a rotation is running or was interrupted", Advice: "bucketgate keys rotate finishes it"})
	}
	if status.Lost > 0 {
		problems = append(problems, Finding{Check: check, Words: fmt.Sprintf("of %d sealed values the key is gone", status.Lost), Advice: "set them again with bucketgate credential update"})
	}
	return orFine(problems, check, "one key seals, and no rotation was left half done"), nil
}

func (s *Service) checkScopes(ctx context.Context, _ time.Time) ([]Finding, error) {
	const check = "scopes"
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	roster, err := NewRoster(ctx, s.config.Store, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	var problems []Finding
	broken := roster.Broken()
	for _, name := range slices.Sorted(maps.Keys(broken)) {
		problems = append(problems, Finding{
			Check: check, Words: fmt.Sprintf("%s does not compile and is disabled: %v", name, broken[name]), Advice: "mend it with bucketgate scope update " + ShellWord(name),
		})
	}
	return orFine(problems, check, countOf(len(roster.Names()), "scope compiles", "scopes compile")), nil
}

func (s *Service) checkCredentials(ctx context.Context, at time.Time) ([]Finding, error) {
	const check = "credentials"
	all, err := s.Credentials(ctx, "")
	if err != nil {
		return nil, err
	}
	var problems []Finding
	for _, c := range all {
		name, update := c.Provider+"/"+c.Name, fmt.Sprintf("bucketgate credential update %s --provider %s", ShellWord(c.Name), ShellWord(c.Provider))
		if !c.KeySet {
			problems = append(problems, Finding{Check: check, Words: name + " has no API key", Advice: "set it with " + update})
		}
		if words := expiryWords(c, at); words != "" {
			problems = append(problems, Finding{Check: check, Words: name + " " + words, Advice: "make a new key, and set it and its day with " + update})
		}
	}
	return orFine(problems, check, countOf(len(all), "credential has a key", "credentials have a key")+", and none expires within 14 days"), nil
}

// expiryWords says that a credential has expired or soon does. Its key is taken
// for expired when its day begins.
func expiryWords(c store.Credential, at time.Time) string {
	day := c.ExpiresOn.Format(time.DateOnly)
	switch left := c.ExpiresOn.Sub(at); {
	case c.ExpiresOn.IsZero():
		return ""
	case left <= 0:
		return "expired on " + day
	case left <= expiresSoon:
		return "expires soon, on " + day
	}
	return ""
}

func (s *Service) checkClients(ctx context.Context, at time.Time) ([]Finding, error) {
	const check = "clients"
	all, err := s.Clients(ctx)
	if err != nil {
		return nil, err
	}
	var problems []Finding
	active := 0
	for _, c := range all {
		if !c.RevokedAt.IsZero() {
			continue
		}
		active++
		if !c.ExpiresAt.IsZero() && !c.ExpiresAt.After(at) {
			problems = append(problems, Finding{
				Check: check, Words: fmt.Sprintf("%s expired on %s", c.Name, c.ExpiresAt.UTC().Format(time.DateOnly)),
				Advice: fmt.Sprintf("prolong it with bucketgate client update %s --expires-in 90d, or revoke it with bucketgate client delete %s", ShellWord(c.Name), ShellWord(c.Name)),
			})
		}
	}
	return orFine(problems, check, countOf(active, "client, and it has not expired", "clients, and none has expired")), nil
}

func countOf(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
