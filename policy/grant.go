package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// A Grant is all that a caller holds. The zero Grant holds nothing.
type Grant struct {
	caller  string
	scopes  []*scope // in name order
	version string
}

// NewGrant returns the grant of a caller. Scopes that did not compile count as
// not held.
func NewGrant(caller string, scopes ...Scope) Grant {
	g := Grant{caller: caller}
	for _, s := range scopes {
		if s.compiled != nil {
			g.scopes = append(g.scopes, s.compiled)
		}
	}
	slices.SortFunc(g.scopes, byName)
	sum := sha256.New()
	for _, s := range g.scopes {
		sum.Write([]byte(s.digest))
	}
	g.version = hex.EncodeToString(sum.Sum(nil))[:16]
	return g
}

// Caller names who holds the grant.
func (g Grant) Caller() string { return g.caller }

// Version changes whenever one of the scopes does. Cursors and caches are
// bound to it.
func (g Grant) Version() string { return g.version }

// UnknownScope reports a scope that the caller does not hold. One that exists
// and one that does not read alike.
type UnknownScope struct {
	Held []string // the caller's own
}

func (e *UnknownScope) Error() string { return "the caller does not hold that scope" }

// ActionNotGranted reports an action that none of the scopes in question
// allows.
type ActionNotGranted struct {
	Action Action
	Held   []string
}

func (e *ActionNotGranted) Error() string {
	return fmt.Sprintf("no scope of the caller allows the action %q", e.Action)
}

// Begin starts one tool call with the scopes that allow the action: all that
// the caller holds or, when name is not empty, only the one so named. The
// error is an [*UnknownScope] or an [*ActionNotGranted].
func (g Grant) Begin(action Action, name string) (*Call, error) {
	held := g.scopes
	if name != "" {
		held = slices.DeleteFunc(slices.Clone(held), func(s *scope) bool { return s.definition.Name != name })
		if len(held) == 0 {
			return nil, &UnknownScope{Held: names(g.scopes)}
		}
	}
	call := &Call{callCaller: g.caller, callHeld: held}
	if action == NoAction {
		return call, nil
	}
	for _, s := range held {
		if s.allowsAction(action) {
			call.callScopes = append(call.callScopes, s)
		}
	}
	if len(call.callScopes) == 0 {
		return nil, &ActionNotGranted{Action: action, Held: names(held)}
	}
	return call, nil
}

func names(scopes []*scope) []string {
	list := make([]string, len(scopes))
	for i, s := range scopes {
		list[i] = s.definition.Name
	}
	return list
}

// Names returns the names of the scopes that the grant holds, in order.
func (g Grant) Names() []string { return names(g.scopes) }

func quoted(list []string) string { return `"` + strings.Join(list, `", "`) + `"` }

// Warnings returns what the linter has to say about the scopes' patterns.
func (g Grant) Warnings() []Warning {
	var warnings []Warning
	for _, s := range g.scopes {
		warnings = append(warnings, Scope{s}.Warnings()...)
	}
	return warnings
}
