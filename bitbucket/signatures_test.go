package bitbucket_test

import (
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	policyPackage    = "bucketgate/policy"
	bitbucketPackage = "bucketgate/bitbucket"
)

// handles are the values that say what a request is about. Each was checked by
// package policy, or holds one that was.
var handles = []string{
	policyPackage + ".Workspace", policyPackage + ".Repo", policyPackage + ".Branch",
	policyPackage + ".CommitName", policyPackage + ".Commit", policyPackage + ".Path",
	policyPackage + ".Comparison", policyPackage + ".PullRequest", policyPackage + ".Pipeline",
	bitbucketPackage + ".Ends", bitbucketPackage + ".Run", bitbucketPackage + ".StepRight", // of this package, and sealed like those
	policyPackage + ".Unjudged", // the admin's preview
}

// besides is what a method may take besides: how much and in which detail,
// never of what.
var besides = []string{bitbucketPackage + ".ListOptions", bitbucketPackage + ".PullRequestOptions", bitbucketPackage + ".PipelineOptions", "*" + bitbucketPackage + ".Budget"}

// numbers are parameters that count something within what was checked, such as
// the number of a pull request.
var numbers = []string{"int"}

// furtherHandles are checked values that a method may take beside the first.
var furtherHandles = []string{"[]" + policyPackage + ".Branch", policyPackage + ".Branch", policyPackage + ".Commit", bitbucketPackage + ".Run"}

// namesSomething are the words of a field or parameter that would name a
// repository, branch or commit.
var namesSomething = regexp.MustCompile(`(?i)repo|slug|workspace|branch|commit|hash|sha$|ref|rev|name|path|url|uuid|tag|fields`)

// loadBitbucket returns the package as the compiler built it.
func loadBitbucket(t *testing.T) *types.Package {
	t.Helper()
	output, err := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}}={{.Export}}", bitbucketPackage).Output()
	require.NoError(t, err)
	files := map[string]string{}
	for line := range strings.Lines(string(output)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), "=")
		files[path] = file
	}
	compiled := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) { return os.Open(files[path]) })
	pkg, err := compiled.Import(bitbucketPackage)
	require.NoError(t, err)
	return pkg
}

// Every method of the client takes a context, one value that was checked, and
// besides it nothing that could name a repository, a branch or a commit. What
// is not on the lists above is refused, so that a new kind of parameter is
// looked at by somebody.
func TestMethodsTakeCheckedValuesOnly(t *testing.T) {
	client := loadBitbucket(t).Scope().Lookup("Client").Type()
	methods := types.NewMethodSet(types.NewPointer(client))
	seen := 0
	for method := range methods.Methods() {
		if !method.Obj().Exported() {
			continue
		}
		seen++
		parameters := method.Obj().Type().(*types.Signature).Params()
		name := method.Obj().Name()
		require.GreaterOrEqual(t, parameters.Len(), 2, name)
		assert.Equal(t, "context.Context", parameters.At(0).Type().String(), name)
		assert.Contains(t, handles, parameters.At(1).Type().String(), "%s is about something that was not checked", name)
		for i := 2; i < parameters.Len(); i++ {
			assert.Contains(t, slices.Concat(besides, furtherHandles, numbers), parameters.At(i).Type().String(), "parameter %s of %s", parameters.At(i).Name(), name)
		}
	}
	assert.NotZero(t, seen)
}

// No options hold a name, however deep.
func TestOptionsNameNothing(t *testing.T) {
	pkg := loadBitbucket(t)
	for _, full := range besides {
		name := full[strings.LastIndex(full, ".")+1:]
		for _, field := range textFields(pkg.Scope().Lookup(name).Type(), name, nil) {
			assert.NotRegexp(t, namesSomething, field[strings.Index(field, "."):], "an option that could name something")
		}
	}
	assert.Contains(t, textFields(pkg.Scope().Lookup("ListOptions").Type(), "ListOptions", nil), "ListOptions.Query", "the walk finds what there is")
}

// textFields returns the path of every field below a type that holds text, or
// anything else that could.
func textFields(of types.Type, path string, parents []types.Type) []string {
	if slices.ContainsFunc(parents, func(p types.Type) bool { return types.Identical(p, of) }) {
		return nil
	}
	parents = append(slices.Clone(parents), of)
	switch under := of.Underlying().(type) {
	case *types.Basic:
		if under.Info()&types.IsString != 0 {
			return []string{path}
		}
	case *types.Pointer:
		return textFields(under.Elem(), path, parents)
	case *types.Slice:
		return textFields(under.Elem(), path, parents)
	case *types.Array:
		return textFields(under.Elem(), path, parents)
	case *types.Map:
		return append(textFields(under.Key(), path, parents), textFields(under.Elem(), path, parents)...)
	case *types.Interface:
		return []string{path}
	case *types.Struct:
		var all []string
		for field := range under.Fields() {
			all = append(all, textFields(field.Type(), path+"."+field.Name(), parents)...)
		}
		return all
	}
	return nil
}

// The client has no field to reach in by, and nothing exported hands out a way
// to send a request of one's own.
func TestNothingExportedSendsARequest(t *testing.T) {
	pkg := loadBitbucket(t)
	for _, name := range pkg.Scope().Names() {
		object := pkg.Scope().Lookup(name)
		if !object.Exported() {
			continue
		}
		described := types.ObjectString(object, nil)
		if named, ok := object.Type().(*types.Named); ok && object.Name() == "Client" {
			for field := range named.Underlying().(*types.Struct).Fields() {
				assert.False(t, field.Exported(), "Client.%s", field.Name())
			}
			continue
		}
		for _, way := range []string{"net/http.Client", "net/http.Request", "net/http.RoundTripper", "net/http.Transport"} {
			assert.NotContains(t, described, way, name)
		}
	}
}
