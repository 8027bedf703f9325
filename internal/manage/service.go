package manage

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"bucketgate/bitbucket"
	"bucketgate/internal/audit"
	"bucketgate/internal/store"
)

// An Actor is who asks for something to be managed.
type Actor struct {
	Name      string
	Transport string // "command line", "http", "console"
	From      string // the address that the request comes from; empty where it is not known

	// AnyAPI lets the actor give a provider any address that ParseAPI takes:
	// whoever has the command line has the machine. The others may name only
	// Bitbucket Cloud and what the server was started to allow.
	AnyAPI bool
}

// Config is what a Service needs.
type Config struct {
	Store  *store.Store
	Audit  *audit.Writer
	Client *bitbucket.Client

	// AllowAPI reports whether an actor without AnyAPI may name an address
	// beside Bitbucket Cloud's. Nil allows none.
	AllowAPI func(api string) bool

	// LinkTTL is how long a one-time link is good; 0 is DefaultLinkTTL.
	LinkTTL time.Duration
}

// A Service manages providers, credentials, scopes and clients. All rules
// about them are here or below; its faces hold none.
type Service struct {
	config Config

	// Of one-time links that are not good: what is written down of them.
	deadLinks, unknownLinks quota
}

// New returns a service.
func New(config Config) *Service {
	if config.AllowAPI == nil {
		config.AllowAPI = func(string) bool { return false }
	}
	if config.LinkTTL == 0 {
		config.LinkTTL = DefaultLinkTTL
	}
	// A link that is known was somebody's once, and who comes with it is worth
	// more lines than who guesses.
	return &Service{config: config, deadLinks: quota{limit: 60}, unknownLinks: quota{limit: 5}}
}

// Refused reports something that an admin asked for and that is not done, in
// words that say what to do instead. Nothing was changed.
type Refused struct {
	Words string
	Field string // what is wrong, as the admin tools call the argument; empty where it is not one field
	Err   error  // the cause where there is one: store.ErrConflict and the like
}

func (e *Refused) Error() string { return e.Words }

func (e *Refused) Unwrap() error { return e.Err }

func refusef(format string, args ...any) error {
	return &Refused{Words: fmt.Sprintf(format, args...)}
}

// refuseAt is refusef about one field.
func refuseAt(field, format string, args ...any) error {
	return &Refused{Words: fmt.Sprintf(format, args...), Field: field}
}

// at says which field an error is about, where it does not say so itself.
func at(field string, err error) error {
	if refused, ok := err.(*Refused); ok && refused.Field == "" {
		refused.Field = field
	}
	return err
}

// A refusals holds all that is wrong with a record, so that a form can say it
// at once.
type refusals []error

func (e refusals) Error() string {
	words := make([]string, len(e))
	for i, err := range e {
		words[i] = err.Error()
	}
	return strings.Join(words, "; ")
}

func (e refusals) Unwrap() []error { return e }

// together returns the errors that there are as one.
func together(errs ...error) error {
	var list refusals
	for _, err := range errs {
		if err != nil {
			list = append(list, err)
		}
	}
	switch len(list) {
	case 0:
		return nil
	case 1:
		return list[0]
	}
	return list
}

// Refusals returns everything in an error of this package that was refused, in
// order; none where the error is of another kind.
func Refusals(err error) []*Refused {
	switch e := err.(type) {
	case nil:
		return nil
	case *Refused:
		return []*Refused{e}
	case refusals:
		var list []*Refused
		for _, err := range e {
			list = append(list, Refusals(err)...)
		}
		return list
	}
	return Refusals(errors.Unwrap(err))
}

// An action is what the audit log says of a change.
type action struct {
	actor  Actor
	tool   string // create_scope and the like, whatever face asked
	target string
	scope  string
	note   string // what the event of a change says that was made
}

func (a action) event(decision audit.Decision, reason string) audit.Event {
	return audit.Event{
		ID: audit.NewID(), Time: time.Now().UTC(), Caller: a.actor.Name, Role: "admin", Transport: a.actor.Transport, From: a.actor.From,
		Tool: a.tool, Scope: a.scope, Target: a.target, Decision: decision, Reason: reason,
	}
}

// change makes a change and writes it down in one transaction: neither is
// there without the other. A change that is refused leaves its event too.
func (s *Service) change(ctx context.Context, a action, do func(*store.Tx) error) error {
	err := s.config.Audit.With(ctx, a.event(audit.Allowed, a.note), func(record audit.Record) error {
		return s.config.Store.Update(ctx, func(tx *store.Tx) error {
			if err := do(tx); err != nil {
				return err
			}
			return tx.AppendAudit(record)
		})
	})
	if err == nil || errors.Is(err, audit.ErrUnavailable) {
		return err
	}
	err = inWords(err)
	if unwritable(err) {
		return err // the log is in the same database
	}
	if auditErr := s.config.Audit.Commit(ctx, a.event(audit.Denied, err.Error())); auditErr != nil {
		return auditErr
	}
	return err
}

// unwritable reports whether nothing can be written into the database now. Then
// nothing was changed, and no event can say so either: to try would only make
// the one who asked wait, and be told twice.
func unwritable(err error) bool {
	for _, kind := range []error{store.ErrFull, store.ErrLocked, store.ErrReadOnly, store.ErrDamaged, store.ErrUnusable} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// inWords says what to do about an error of the store that has one cause.
func inWords(err error) error {
	var refused *Refused
	switch {
	case errors.As(err, &refused):
		return err
	case errors.Is(err, store.ErrConflict):
		return &Refused{Words: "somebody else has changed it meanwhile: look at it again, and repeat the change with the version that you then see", Err: err}
	case errors.Is(err, store.ErrInUse):
		return &Refused{Words: err.Error() + "; change or delete that first", Err: err}
	case errors.Is(err, store.ErrExists):
		return &Refused{Words: err.Error() + "; take another name, or update that one", Field: "name", Err: err}
	case errors.Is(err, store.ErrNotFound):
		return &Refused{Words: err.Error(), Err: err}
	}
	return err
}
