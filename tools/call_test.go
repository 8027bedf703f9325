package tools

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket"
	"bucketgate/internal/audit"
	"bucketgate/policy"
)

// A bench is a toolbox with one tool, and what it writes down.
type bench struct {
	Toolbox
	events []audit.Event
	log    bytes.Buffer
}

func newBench(run func(context.Context, *Call, sampleInput) (sampleOutput, error)) *bench {
	b := &bench{}
	b.Toolbox = Toolbox{
		Tools: []Tool{sampleTool(run)}, Log: slog.New(slog.NewTextHandler(&b.log, nil)),
		Record: func(e audit.Event) error { b.events = append(b.events, e); return nil },
	}
	return b
}

func (b *bench) call(ctx context.Context, tool, arguments string) Result {
	return b.Run(ctx, Request{Caller: Caller{Name: "a", Role: "agent", Transport: "test"}, Tool: tool, Arguments: json.RawMessage(arguments)})
}

func failing(err error) func(context.Context, *Call, sampleInput) (sampleOutput, error) {
	return func(context.Context, *Call, sampleInput) (sampleOutput, error) { return sampleOutput{}, err }
}

// Every error has a code, and words that hold nothing of its own text.
func TestErrorsAsWords(t *testing.T) {
	secretive := errors.New("dial tcp 10.0.0.1: Authorization: Basic c2VjcmV0")
	for _, row := range []struct {
		err     error
		code    Code
		message string
	}{
		{secretive, Internal, "Internal error in call "},
		{fmt.Errorf("asking: %w", bitbucket.ErrUnchecked), Internal, "Internal error in call "},
		{fmt.Errorf("%w: %w", bitbucket.ErrNotFound, secretive), NotFound, "There is no such thing within your scope."},
		{&About{"repository", "api", &policy.Denied{Reason: "matches no pattern"}}, NotFound, `There is no repository "api" within your scope.`},
		{&About{"repository", "api", bitbucket.ErrNotFound}, NotFound, `There is no repository "api" within your scope.`},
		{&policy.InvalidName{Kind: policy.RepositoryName, Reason: "it is empty"}, InvalidArgument, "The repository name cannot be used: it is empty."},
		{&policy.UnknownScope{Held: []string{"a", "b"}}, ScopeUnknown, "You hold no scope of that name."},
		{&policy.ActionNotGranted{Action: "merge"}, ActionNotGranted, `Your scopes do not allow the action "merge".`},
		{&Ambiguous{"api", []string{"x/api through scope a", "y/api through scope b"}}, ScopeAmbiguous, `"api" means more than one repository: x/api through scope a; y/api through scope b.`},
		{fmt.Errorf("%w: %w", bitbucket.ErrCredentialRejected, secretive), CredentialRejected, "Bitbucket rejected the credential of this scope."},
		{&bitbucket.MissingPrivileges{Required: []string{"read:repository:bitbucket"}}, CredentialRejected, "Bitbucket says that the credential lacks a permission: read:repository:bitbucket."},
		{&bitbucket.RateLimited{}, RateLimited, "Bitbucket takes no more requests of this credential for now."},
		{bitbucket.ErrTooLarge, ResultTooLarge, "The answer is too large."},
		{fmt.Errorf("%w: it answered 502", bitbucket.ErrUnavailable), UpstreamUnavailable, "Bitbucket gave no usable answer: it answered 502."},
		{context.DeadlineExceeded, UpstreamUnavailable, "Bitbucket did not answer within 30 seconds."},
		{errCursor, InvalidArgument, "The cursor does not belong to this call"},
		{errAudit, AuditUnavailable, "The call could not be written to the audit log, so it is refused."},
	} {
		result := newBench(failing(row.err)).call(t.Context(), "sample", `{"repository":"api"}`)
		require.NotNil(t, result.Error)
		assert.Equal(t, row.code, result.Error.Code, "%v", row.err)
		assert.True(t, strings.HasPrefix(result.Error.Message, row.message), result.Error.Message)
		assert.NotEmpty(t, result.Error.Hint)
		assert.NotContains(t, string(result.Text), "10.0.0.1")
		assert.NotContains(t, string(result.Text), "c2VjcmV0")
		var shape map[string]map[string]string
		require.NoError(t, json.Unmarshal(result.Text, &shape))
		assert.Len(t, shape["error"], 3)
	}
}

func TestEveryCallLeavesOneEvent(t *testing.T) {
	run := func(_ context.Context, _ *Call, in sampleInput) (sampleOutput, error) {
		switch in.Repository {
		case "boom":
			panic("with a secret in it")
		case "missing":
			return sampleOutput{}, bitbucket.ErrNotFound
		}
		return sampleOutput{Summary: "fine"}, nil
	}
	for _, row := range []struct {
		tool, arguments string
		decision        audit.Decision
		reason          string
	}{
		{"sample", `{"repository":"api"}`, audit.Allowed, ""},
		{"sample", `{"repository":"missing"}`, audit.Allowed, "not_found: "},
		{"sample", `{"repository":"boom"}`, audit.Allowed, "internal: "},
		{"sample", `{"limit":1}`, audit.Denied, "invalid_argument: "},
		{"sample", `{`, audit.Denied, "invalid_argument: "},
		{"nothing", `{}`, audit.Denied, "invalid_argument: There is no such tool here."},
	} {
		b := newBench(run)
		result := b.call(t.Context(), row.tool, row.arguments)
		require.Len(t, b.events, 1, row.arguments)
		e := b.events[0]
		assert.Equal(t, row.decision, e.Decision, row.arguments)
		assert.True(t, strings.HasPrefix(e.Reason, row.reason), e.Reason)
		assert.Equal(t, []string{"a", "agent", "test", strings.Replace(row.tool, "nothing", "unknown", 1)}, []string{e.Caller, e.Role, e.Transport, e.Tool})
		assert.NotEmpty(t, e.ID)
		assert.False(t, e.Time.IsZero())
		assert.NotContains(t, string(result.Text)+e.Reason, "secret")
	}
}

func TestAPanicIsLoggedUnderTheCallsID(t *testing.T) {
	b := newBench(func(context.Context, *Call, sampleInput) (sampleOutput, error) { panic("what happened") })
	result := b.call(t.Context(), "sample", `{"repository":"api"}`)
	assert.Equal(t, Internal, result.Error.Code)
	assert.Contains(t, result.Error.Message, b.events[0].ID)
	assert.Contains(t, b.log.String(), "what happened")
	assert.Contains(t, b.log.String(), b.events[0].ID)
}

func TestNothingIsAnsweredThatCannotBeWrittenDown(t *testing.T) {
	b := newBench(func(context.Context, *Call, sampleInput) (sampleOutput, error) {
		return sampleOutput{Summary: "content"}, nil
	})
	b.Record = func(audit.Event) error { return errors.New("disk full") }
	for _, arguments := range []string{`{"repository":"api"}`, `{}`} {
		result := b.call(t.Context(), "sample", arguments)
		require.NotNil(t, result.Error)
		assert.Equal(t, AuditUnavailable, result.Error.Code)
		assert.NotContains(t, string(result.Text), "content")
	}
}

func TestACallHasThirtySeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(func(ctx context.Context, _ *Call, _ sampleInput) (sampleOutput, error) {
			<-ctx.Done()
			return sampleOutput{}, ctx.Err()
		})
		result := b.call(t.Context(), "sample", `{"repository":"api"}`)
		assert.Equal(t, UpstreamUnavailable, result.Error.Code)
	})
}

func TestTooLargeAnAnswer(t *testing.T) {
	for size, fits := range map[int]bool{MaxAnswer - 100: true, MaxAnswer: false} {
		b := newBench(func(context.Context, *Call, sampleInput) (sampleOutput, error) {
			return sampleOutput{Summary: strings.Repeat("x", size)}, nil
		})
		result := b.call(t.Context(), "sample", `{"repository":"api"}`)
		assert.Equal(t, !fits, result.IsError())
		if !fits {
			assert.Equal(t, ResultTooLarge, result.Error.Code)
		}
	}
}

func TestToolNamesCarryThePrefix(t *testing.T) {
	b := newBench(failing(bitbucket.ErrNotFound))
	b.Prefix = "bb_"
	assert.Contains(t, b.call(t.Context(), "sample", `{"repository":"api"}`).Error.Hint, "bb_my_access tells")
	assert.Contains(t, b.UnknownTool(), "bb_sample")
}

func TestFit(t *testing.T) {
	rows := make([]string, 100)
	for i := range rows {
		rows[i] = strings.Repeat("x", 997) // 1,000 bytes with quotes and comma
	}
	assert.Equal(t, 22, Fit(rows, MaxAnswer, strings.Repeat("c", 1022)), "24 KiB less what stands around")
	assert.Equal(t, 3, Fit(rows[:3], MaxAnswer, ""))
	assert.Equal(t, 0, Fit(rows[:0], MaxAnswer, ""))
	assert.Equal(t, 1, Fit([]string{strings.Repeat("x", 1<<20), "y"}, MaxAnswer, ""), "never none, or a list would not go on")
}

func TestPlacesSurviveTheirEncoding(t *testing.T) {
	for _, place := range []Place{
		{}, {Walk: 3}, {Position: bitbucket.Position{Page: 7, Offset: 99}}, {Walk: 1, Position: bitbucket.Position{Query: "page=8xhd&q=a", Offset: 1, Unfiltered: true}},
		{Commit: strings.Repeat("0f", 20)}, {Walk: 2, Commit: strings.Repeat("0f", 20), Position: bitbucket.Position{Query: "#8xhd", Offset: 7}},
	} {
		back, err := decodePlace(encodePlace(place))
		require.NoError(t, err)
		assert.Equal(t, place, back)
	}
	for _, broken := range [][]byte{nil, {0}, {0, 0}, {2, 0, 0, 1}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}} {
		_, err := decodePlace(broken)
		assert.Error(t, err)
	}
}
