package tools

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"bucketgate/bitbucket"
	"bucketgate/internal/audit"
	"bucketgate/policy"
)

// A Code tells errors apart for programs.
type Code string

// The codes of errors.
const (
	InvalidArgument     Code = "invalid_argument"
	NotFound            Code = "not_found" // missing or out of scope: the two look the same
	ActionNotGranted    Code = "action_not_granted"
	ScopeUnknown        Code = "scope_unknown"
	ScopeAmbiguous      Code = "scope_ambiguous"
	CredentialRejected  Code = "credential_rejected"
	RateLimited         Code = "rate_limited"
	UpstreamUnavailable Code = "upstream_unavailable"
	ResultTooLarge      Code = "result_too_large"
	AuditUnavailable    Code = "audit_unavailable"
	Internal            Code = "internal"

	// Of the admin's tools only.
	Conflict Code = "conflict" // the version is not the current one
	InUse    Code = "in_use"   // the message names who uses it
)

// An Error is what a caller reads when a call fails: what happened and why,
// and what to do next.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

func invalid(message, hint string) *Error {
	return &Error{Code: InvalidArgument, Message: message, Hint: hint}
}

// Invalid returns an invalid_argument error, for what a schema cannot say.
func Invalid(message, hint string) error { return invalid(message, hint) }

// An About says what the caller had asked for when something failed. Without
// it a failure cannot name its object; with it the words are the same whether
// the policy refused or Bitbucket has no such thing.
type About struct {
	Kind string // "repository", "branch", "commit", "file" and the like
	Name string // as the caller wrote it
	Err  error
}

func (a *About) Error() string { return fmt.Sprintf("%s %q: %v", a.Kind, a.Name, a.Err) }
func (a *About) Unwrap() error { return a.Err }

// Ambiguous reports a name that means more than one repository.
type Ambiguous struct {
	Name  string
	Found []string // each as words: "acme/api through scope team-a"
}

func (e *Ambiguous) Error() string { return "ambiguous: " + e.Name }

// IsNotFound reports whether an error means that there is no such thing within
// the caller's scope, whether it is missing or refused.
func IsNotFound(err error) bool {
	var denied *policy.Denied
	return errors.As(err, &denied) || errors.Is(err, bitbucket.ErrNotFound)
}

var errTooLarge = errors.New("the answer is too large")

// Words is the one place that turns an error into words for a caller. What it
// does not know is an internal error: it is logged in full under the call's
// ID, and never shown, since it may speak of things that are out of scope.
func (b *Toolbox) Words(err error, call string) *Error {
	var (
		known     *Error
		about     *About
		name      *policy.InvalidName
		scope     *policy.UnknownScope
		action    *policy.ActionNotGranted
		ambiguous *Ambiguous
		limited   *bitbucket.RateLimited
		lacking   *bitbucket.MissingPrivileges
	)
	errors.As(err, &about)
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &name):
		return invalid(fmt.Sprintf("The %s name cannot be used: %s.", name.Kind, name.Reason), nameHints[name.Kind])
	case IsNotFound(err):
		return b.notFound(about)
	case errors.As(err, &scope):
		return &Error{ScopeUnknown, "You hold no scope of that name.", "Leave scope out, or name one of: " + list(scope.Held) + "."}
	case errors.As(err, &action):
		return &Error{ActionNotGranted, fmt.Sprintf("Your scopes do not allow the action %q.", action.Action),
			"Nothing that you send changes that; an admin can grant it."}
	case errors.As(err, &ambiguous):
		return &Error{ScopeAmbiguous, fmt.Sprintf("%q means more than one repository: %s.", ambiguous.Name, strings.Join(ambiguous.Found, "; ")),
			"Call again with scope, or write the repository as workspace/slug."}
	case errors.As(err, &lacking):
		return &Error{CredentialRejected, "Bitbucket says that the credential lacks a permission" + missing(lacking.Required) + ".",
			"An admin has to replace the API token by one with that permission; trying again does not help."}
	case errors.Is(err, bitbucket.ErrCredentialRejected):
		return &Error{CredentialRejected, "Bitbucket rejected the credential of this scope.",
			"It may be wrong, expired, or need a user name: an admin has to renew it (without set-up: BITBUCKET_API_TOKEN and BITBUCKET_USERNAME). Trying again does not help."}
	case errors.As(err, &limited):
		return &Error{RateLimited, "Bitbucket takes no more requests of this credential for now.", tryAgain(limited.After)}
	case errors.Is(err, bitbucket.ErrTooLarge), errors.Is(err, errTooLarge):
		return &Error{ResultTooLarge, "The answer is too large.", "Ask for less: a lower limit, detail \"names\" or \"concise\", or a query."}
	case errors.Is(err, bitbucket.ErrUnavailable):
		return &Error{UpstreamUnavailable, "Bitbucket gave no usable answer: " + reasonOf(err) + ".", "Try again in a minute; if it stays so, tell an admin."}
	case errors.Is(err, context.Canceled):
		return &Error{UpstreamUnavailable, "The call was canceled before Bitbucket had answered.", "Call again if it is still wanted."}
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{UpstreamUnavailable, fmt.Sprintf("Bitbucket did not answer within %d seconds.", int(callTime.Seconds())),
			"Try again, or ask for less: a lower limit or a narrower query."}
	case errors.Is(err, errCursor):
		return invalid("The cursor does not belong to this call: it is sealed to the tool, its arguments and your access, and one of them has changed.",
			"Call again without cursor, or with exactly the arguments of the call that returned it.")
	case errors.Is(err, errAudit), errors.Is(err, audit.ErrUnavailable):
		return &Error{AuditUnavailable, "The call could not be written to the audit log, so it is refused.", "Nothing was returned. Tell an admin; try again later."}
	}
	return &Error{Internal, "Internal error in call " + call + ".", "Try again; if it stays so, tell an admin the call's ID."}
}

// nameHints say how a name is written.
var nameHints = map[policy.NameKind]string{
	policy.RepositoryName: "Write a repository as its slug, as workspace/slug, or as the display name that Bitbucket shows.",
	policy.WorkspaceName:  "Write a repository as its slug, as workspace/slug, or as the display name that Bitbucket shows.",
	policy.BranchName:     "Write the branch's whole name, as in feature/x.",
	policy.CommitNameKind: "Write 7 to 40 digits of the commit's hash; a branch goes into its own argument.",
	policy.PathName:       "Write the path from the repository's root, as in docs/readme.md.",
}

// notFound is computed from what the caller wrote and from nothing else.
func (b *Toolbox) notFound(about *About) *Error {
	message := "There is no such thing within your scope."
	if about != nil {
		message = fmt.Sprintf("There is no %s %q within your scope.", about.Kind, about.Name)
	}
	return &Error{NotFound, message, fmt.Sprintf("It does not exist, or your scope does not include it. %s tells what you may reach, %s lists the names.",
		b.Prefix+"my_access", b.Prefix+"list_repos")}
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

func missing(permissions []string) string {
	if len(permissions) == 0 {
		return ""
	}
	return ": " + strings.Join(permissions, ", ")
}

func tryAgain(after time.Duration) string {
	if after <= 0 {
		return "Try again in a minute, and ask for less at once."
	}
	return fmt.Sprintf("Try again in %d seconds.", int(after.Round(time.Second).Seconds())+1)
}

// reasonOf returns the last part of an unavailable error, which package
// bitbucket words itself.
func reasonOf(err error) string {
	text := err.Error()
	if _, reason, ok := strings.Cut(text, bitbucket.ErrUnavailable.Error()+": "); ok {
		return reason
	}
	return "the connection failed"
}
