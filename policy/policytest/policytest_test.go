package policytest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"bucketgate/policy"
	"bucketgate/policy/policytest"
)

func TestValuesAreCheckedAndCarryTheDefaults(t *testing.T) {
	want := policy.Account{API: "https://api.bitbucket.org/2.0", Workspace: "acme", Credential: "c1", Caller: policytest.Caller}
	repo := policytest.Repo(t, "acme/api")
	got := repo.Account()
	got.Version = ""
	assert.Equal(t, want, got)
	assert.Equal(t, "acme/api", repo.FullName())
	assert.Equal(t, "main", policytest.Branch(t, "api", "main").Name())
	assert.Equal(t, "acme", policytest.Workspace(t).Name())
}

func TestValuesAreOfTheScopesThatWereGiven(t *testing.T) {
	scope := policytest.Scope(t, policy.Definition{Name: "web", Workspace: "globex", Repositories: []string{"web-.*"}})
	repo := policytest.Repo(t, "web-shop", scope)
	assert.Equal(t, []string{"web"}, repo.Scopes())
	_, ok := repo.SeesRepository("globex/api")
	assert.False(t, ok)
}
