package bitbuckettest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/sample"
)

// Neighbours is a server whose data tempts: what a scope allows stands next to
// what it does not, under names that are alike. The scope in mind allows the
// repository api of the workspace acme, and its branches main and feature/.*
//
// The workspace acme has the repositories api, api-secret and web; mallory/api
// is a fork of acme/api-secret. The branches of api are main, not-main,
// feature/x and secret/y, and Secret is a commit that only secret/y reaches.
type Neighbours struct {
	*Server
	Main    string // the head of main, which every branch reaches
	Feature string // the head of feature/x
	Secret  string // the head of secret/y
}

// NewNeighbours starts a server with the data of Neighbours.
func NewNeighbours(t testing.TB, edits ...func(*sample.Options)) *Neighbours {
	t.Helper()
	s := New(t, edits...)
	s.Repository("acme/api", "main", "not-main", "feature/x", "secret/y")
	s.Repository("acme/api-secret", "main")
	s.Repository("acme/web", "main")
	s.MustAddRepository(sample.Repository{
		Workspace: "mallory", Slug: "api", ParentFullName: "acme/api-secret",
	}, "main")
	n := &Neighbours{
		Server:  s,
		Main:    s.MustHead("acme/api", "main"),
		Feature: s.MustHead("acme/api", "feature/x"),
		Secret:  s.MustHead("acme/api", "secret/y"),
	}
	require.NotEqual(t, n.Main, n.Secret)
	return n
}
