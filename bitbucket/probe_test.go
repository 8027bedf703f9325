package bitbucket

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/sample"
	"bucketgate/policy"
)

func TestProbe(t *testing.T) {
	s := inMemory(t, one(t, sample.Options{Accounts: []sample.Account{{Name: "Jane", Username: username, Token: canary, Scopes: []string{"read:repository:bitbucket", "x:y"}}}}))
	p, err := s.client.Probe(t.Context(), policy.UnjudgedWorkspace(s.scope(t, policy.Definition{})))
	require.NoError(t, err)
	assert.NoError(t, p.List)
	assert.True(t, p.Sees)
	assert.Equal(t, []string{"read:repository:bitbucket"}, p.Granted)
	assert.Equal(t, 1, p.Unknown)
	assert.ErrorIs(t, p.UserErr, ErrCredentialRejected)
	assertDiscreet(t, p.UserErr)
	_, err = s.client.Probe(t.Context(), policy.Unjudged{})
	assert.ErrorIs(t, err, ErrUnchecked)
}

func TestProbeKeepsNamesOfPermissionShapeOnly(t *testing.T) {
	var p Probe
	p.heed(http.Header{"X-Oauth-Scopes": {"repository:write, " + canary + ", sometoken, read:issue:bitbucket"}})
	assert.Equal(t, []string{"read:issue:bitbucket", "repository:write"}, p.Granted)
	assert.Equal(t, 2, p.Unknown)
}
