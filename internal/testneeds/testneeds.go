// Package testneeds is for tests that need what a machine may lack. Such a
// test skips, with its reason, so that `go test ./...` passes with Go alone;
// `make test` installs what is needed and sets BUCKETGATE_TEST_ALL=1, under
// which a skip fails. Nothing is then left out without anybody noticing.
package testneeds

import (
	"os"
	"testing"
)

// All is the variable under which a skip fails.
const All = "BUCKETGATE_TEST_ALL"

// Skip skips the test for the reason given, or fails it where all tests are to
// run.
func Skip(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv(All) == "1" {
		t.Fatalf("%s is 1, and yet this test cannot run: %s", All, reason)
	}
	t.Skip(reason)
}
