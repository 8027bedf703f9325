package bitbucket

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// What a caller of the client can tell apart. None of them holds a piece of
// Bitbucket's answer or of a credential.
var (
	ErrUnchecked          = errors.New("bitbucket: the value was not checked by policy")
	ErrNotFound           = errors.New("bitbucket: not found")
	ErrCredentialRejected = errors.New("bitbucket: the credential was rejected")
	ErrUnavailable        = errors.New("bitbucket: no usable answer")
	ErrTooLarge           = errors.New("bitbucket: the answer is too large")
	errBadRequest         = errors.New("bitbucket: the request was refused as malformed")
	errNoList             = errors.New("bitbucket: the answer is no list")
)

// RateLimited reports that Bitbucket takes no more requests for now.
type RateLimited struct {
	After time.Duration // when to try again; 0 when Bitbucket did not say
}

func (e *RateLimited) Error() string {
	return fmt.Sprintf("bitbucket: rate limited, retry after %s", e.After)
}

// MissingPrivileges reports a credential that works but may not do what was
// asked. It is an [ErrCredentialRejected].
type MissingPrivileges struct {
	Required []string // permission names, such as read:repository:bitbucket
}

func (e *MissingPrivileges) Error() string {
	return "bitbucket: the credential lacks " + strings.Join(e.Required, ", ")
}

// Is makes the error an ErrCredentialRejected.
func (e *MissingPrivileges) Is(target error) bool { return target == ErrCredentialRejected }

// unavailable wraps ErrUnavailable with the reason, which is ours and never
// Bitbucket's text.
func unavailable(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnavailable, fmt.Sprintf(format, args...))
}

// A refusal is an answer that is not 200.
type refusal struct {
	status int
	header http.Header
	body   []byte // capped, read for known words only, never passed on
}

// statusTimedOut is Bitbucket's own: a listing too deep, a difference too large.
const statusTimedOut = 555

// classify turns an answer that is not 200 into an error.
func classify(e endpoint, r refusal) error {
	switch {
	case r.status == http.StatusUnauthorized:
		return ErrCredentialRejected
	case r.status == http.StatusTooManyRequests, r.status == http.StatusForbidden && speaksOfRateLimit(r.body):
		return &RateLimited{After: retryAfter(r.header)}
	case r.status == http.StatusForbidden:
		return classifyForbidden(e, r.body)
	case r.status == http.StatusNotFound, r.status == http.StatusGone:
		return ErrNotFound
	case r.status >= 300 && r.status < 400 && e.isRepository():
		// Renamed or moved. The new name may be one that the scope forbids,
		// and whether it is must not show: the old name is gone, that is all.
		return ErrNotFound
	case r.status == http.StatusBadRequest:
		return errors.Join(errBadRequest, unavailable("it answered 400"))
	case r.status >= 300 && r.status < 400:
		return unavailable("it answered with a redirect, which is not followed")
	case r.status == statusTimedOut:
		return unavailable("it ran out of time over the answer (555); ask for less at once")
	}
	return unavailable("it answered %d", r.status)
}

// classifyForbidden tells a credential that lacks a permission, which an admin
// can mend, from a repository that it may not see, which must read like one
// that is not there.
func classifyForbidden(e endpoint, body []byte) error {
	var answer struct {
		Error struct {
			Message string          `json:"message"`
			Detail  json.RawMessage `json:"detail"` // a string or an object
		} `json:"error"`
	}
	var detail struct {
		Required []string `json:"required"`
	}
	if json.Unmarshal(body, &answer) == nil {
		if json.Unmarshal(answer.Error.Detail, &detail) == nil && len(detail.Required) > 0 {
			return &MissingPrivileges{Required: permissionNames(detail.Required)}
		}
		if strings.Contains(answer.Error.Message, "required privilege scopes") {
			return &MissingPrivileges{}
		}
	}
	if e.isRepository() {
		return ErrNotFound
	}
	return ErrCredentialRejected
}

var permissionName = regexp.MustCompile(`\A[a-z]+(:[a-z]+){0,2}\z`)

// permissionNames keeps what has the shape of a permission: the text is
// Bitbucket's, and goes to an agent.
func permissionNames(list []string) []string {
	var names []string
	for _, name := range list {
		if len(names) < 8 && len(name) <= 64 && permissionName.MatchString(name) {
			names = append(names, name)
		}
	}
	return names
}

func speaksOfRateLimit(body []byte) bool {
	return strings.Contains(strings.ToLower(string(body)), "rate limit")
}

// transportError hides what net/http says, which holds the whole address, and
// keeps cancellation recognisable.
func transportError(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errPrivateAddress):
		return unavailable("%s", errPrivateAddress)
	}
	return unavailable("the connection failed")
}
