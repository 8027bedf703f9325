// Package policytest makes checked values for the tests of other packages. A
// value from here went through the same checks as any other: there is no way
// round them, here either.
package policytest

import (
	"cmp"
	"testing"

	"bucketgate/policy"
)

// Caller is who holds the values that this package makes.
const Caller = "policytest"

// Scope compiles a definition. What it leaves out reads: name "test", API
// https://api.bitbucket.org/2.0, workspace "acme", credential "c1", action
// read.
func Scope(t testing.TB, d policy.Definition) policy.Scope {
	t.Helper()
	d.Name = cmp.Or(d.Name, "test")
	d.API = cmp.Or(d.API, "https://api.bitbucket.org/2.0")
	d.Workspace = cmp.Or(d.Workspace, "acme")
	d.Credential = cmp.Or(d.Credential, "c1")
	if d.Actions == nil {
		d.Actions = []policy.Action{policy.Read}
	}
	s, err := policy.Compile(d)
	if err != nil {
		t.Fatalf("policytest: compiling scope %q: %v", d.Name, err)
	}
	return s
}

// Call begins a call that reads with all of the scopes. Without any it has one
// scope that allows everything in the workspace "acme".
func Call(t testing.TB, scopes ...policy.Scope) *policy.Call {
	t.Helper()
	if len(scopes) == 0 {
		scopes = []policy.Scope{Scope(t, policy.Definition{})}
	}
	call, err := policy.NewGrant(Caller, scopes...).Begin(policy.Read, "")
	if err != nil {
		t.Fatalf("policytest: beginning a call: %v", err)
	}
	return call
}

// Workspace returns the one workspace that the scopes may list.
func Workspace(t testing.TB, scopes ...policy.Scope) policy.Workspace {
	t.Helper()
	workspaces := Call(t, scopes...).Workspaces()
	if len(workspaces) != 1 {
		t.Fatalf("policytest: the scopes have %d workspaces and credentials, not one", len(workspaces))
	}
	return workspaces[0]
}

// Repo returns the one repository that name (a slug or workspace/slug) means
// within the scopes.
func Repo(t testing.TB, name string, scopes ...policy.Scope) policy.Repo {
	t.Helper()
	ref, err := policy.ParseReference(name)
	if err != nil {
		t.Fatalf("policytest: %q: %v", name, err)
	}
	repos, err := Call(t, scopes...).Repositories(ref)
	if err != nil {
		t.Fatalf("policytest: %q: %v", name, err)
	}
	if len(repos) != 1 {
		t.Fatalf("policytest: %q means %d repositories, not one", name, len(repos))
	}
	return repos[0]
}

// Branch returns a branch of the one repository that name means within the
// scopes.
func Branch(t testing.TB, name, branch string, scopes ...policy.Scope) policy.Branch {
	t.Helper()
	b, err := Repo(t, name, scopes...).Branch(branch)
	if err != nil {
		t.Fatalf("policytest: branch %q of %q: %v", branch, name, err)
	}
	return b
}
