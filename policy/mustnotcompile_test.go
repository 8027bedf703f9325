package policy_test

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/policy"
)

// exports returns an importer of the packages as the compiler built them.
func exports(t *testing.T, fileSet *token.FileSet, packages ...string) types.Importer {
	t.Helper()
	arguments := append([]string{"list", "-export", "-deps", "-f", "{{.ImportPath}}={{.Export}}"}, packages...)
	command := exec.Command("go", arguments...)
	var complaints strings.Builder
	command.Stderr = &complaints
	output, err := command.Output()
	require.NoError(t, err, complaints.String())
	files := map[string]string{}
	for line := range strings.Lines(string(output)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), "=")
		files[path] = file
	}
	return importer.ForCompiler(fileSet, "gc", func(path string) (io.ReadCloser, error) { return os.Open(files[path]) })
}

// A compiler says what is wrong with the body of a function that holds every
// kind of checked value.
type compiler struct {
	fileSet  *token.FileSet
	importer types.Importer
}

func newCompiler(t *testing.T) compiler {
	fileSet := token.NewFileSet()
	return compiler{fileSet, exports(t, fileSet, "bucketgate/bitbucket", "bucketgate/policy")}
}

func (c compiler) errors(t *testing.T, declarations, body string) []string {
	t.Helper()
	source := `package attack

import (
	"context"

	"bucketgate/bitbucket"
	"bucketgate/policy"
)

` + declarations + `

func attack(ctx context.Context, client *bitbucket.Client, call *policy.Call, scope policy.Scope, grant policy.Grant, workspace policy.Workspace,
	repo policy.Repo, branch policy.Branch, unjudged policy.Unjudged, o bitbucket.ListOptions, reference policy.Reference) {
	` + body + `
}
`
	file, err := parser.ParseFile(c.fileSet, "attack.go", source, 0)
	require.NoError(t, err, body)
	var found []string
	config := types.Config{Importer: c.importer, Error: func(err error) {
		var typeError types.Error
		require.ErrorAs(t, err, &typeError)
		found = append(found, typeError.Msg)
	}}
	_, _ = config.Check("attack", c.fileSet, []*ast.File{file}, nil) // its error is the first of those found
	return found
}

// The test of the test: what may be written compiles here.
func TestHonestProgramsCompile(t *testing.T) {
	c := newCompiler(t)
	for _, body := range list(
		`_, _ = client.Repository(ctx, repo)`,
		`_, _ = client.Branches(ctx, branch.Repo(), o)`,
		`_, _ = client.Repositories(ctx, workspace, o)`,
		`repos, _ := call.Repositories(reference); _, _ = client.Repository(ctx, repos[0])`,
		`var zero policy.Repo; _, _ = client.Repository(ctx, zero)`, // it compiles, and the client refuses it
	) {
		assert.Empty(t, c.errors(t, "", body+"; _ = bitbucket.Rows; _ = policy.Read"), body)
	}
}

// Programs that would get round the policy. Each has one error, the expected
// one; a program that fails for another reason proves nothing.
func TestProgramsThatMustNotCompile(t *testing.T) {
	const use = "; _ = bitbucket.Rows; _ = policy.Read"
	tests := []struct{ declarations, body, want string }{
		// A literal.
		{"", `_ = policy.Repo{repoSlug: "api"}`, "unexported field repoSlug in struct literal of type policy.Repo"},
		{"", `_ = policy.Branch{branchName: "main"}`, "unexported field branchName in struct literal of type policy.Branch"},
		{"", `_ = policy.Workspace{workspaceCall: call}`, "unexported field workspaceCall in struct literal of type policy.Workspace"},
		{"", `_ = policy.Unjudged{unjudgedScope: nil}`, "unexported field unjudgedScope in struct literal of type policy.Unjudged"},
		{"", `_ = policy.Unjudged{nil}`, "implicit assignment to unexported field unjudgedScope in struct literal of type policy.Unjudged"},
		{"", `_ = policy.Commit{commitHash: "0"}`, "unexported field commitHash in struct literal of type policy.Commit"},
		{"", `_ = policy.CommitName{nameHash: "0"}`, "unexported field nameHash in struct literal of type policy.CommitName"},
		{"", `_ = policy.Path{pathText: "x"}`, "unexported field pathText in struct literal of type policy.Path"},
		{"", `_ = policy.Scope{nil}`, "implicit assignment to unexported field compiled in struct literal of type policy.Scope"},
		{"", `_ = policy.Grant{caller: "a"}`, "unexported field caller in struct literal of type policy.Grant"},
		{"", `_ = &policy.Call{callScopes: nil}`, "unexported field callScopes in struct literal of type policy.Call"},
		{"", `_ = policy.Reference{slug: "../x"}`, "unexported field slug in struct literal of type policy.Reference"},
		// A field.
		{"", `repo.repoSlug = "api-secret"`, "repo.repoSlug undefined (cannot refer to unexported field repoSlug)"},
		{"", `repo.repoScopes = nil`, "repo.repoScopes undefined (cannot refer to unexported field repoScopes)"},
		{"", `branch.branchName = "main"`, "branch.branchName undefined (cannot refer to unexported field branchName)"},
		{"", `reference.slug = ".."`, "reference.slug undefined (cannot refer to unexported field slug)"},
		// A conversion.
		{"", `_ = policy.Repo("acme/api")`, `cannot convert "acme/api" (untyped string constant) to type policy.Repo`},
		{"", `_ = policy.Repo(branch)`, "cannot convert branch (variable of struct type policy.Branch) to type policy.Repo"},
		{"", `_ = policy.Branch(repo)`, "cannot convert repo (variable of struct type policy.Repo) to type policy.Branch"},
		{"", `_ = policy.Repo(workspace)`, "cannot convert workspace (variable of struct type policy.Workspace) to type policy.Repo"},
		{"", `_ = policy.Workspace(unjudged)`, "cannot convert unjudged (variable of struct type policy.Unjudged) to type policy.Workspace"},
		{"", `_ = policy.Unjudged(scope)`, "cannot convert scope (variable of struct type policy.Scope) to type policy.Unjudged"},
		{"", `_ = policy.Repo(reference)`, "cannot convert reference (variable of struct type policy.Reference) to type policy.Repo"},
		{"", `_ = (*policy.Repo)(&branch)`, "to type *policy.Repo"},
		{"type look struct { text, workspace, slug string; asWritten bool }", `_ = policy.Reference(look{slug: ".."})`, "to type policy.Reference"},
		{"", `_ = policy.Reference(struct { text, workspace, slug string; asWritten bool }{})`, "to type policy.Reference"},
		{"", `_ = policy.Repo(struct { repoCall *policy.Call; repoSlug string; repoScopes []*policy.Scope }{call, "api", nil})`, "to type policy.Repo"},
		{"", `_ = policy.Scope(struct { compiled *policy.Definition }{})`, "to type policy.Scope"},
		// A string, or the wrong value, where a checked value is wanted.
		{"", `_, _ = client.Repository(ctx, "acme/api")`, `cannot use "acme/api" (untyped string constant) as policy.Repo value in argument to client.Repository`},
		{"", `_, _ = client.Branches(ctx, "acme/api", o)`, `cannot use "acme/api" (untyped string constant) as policy.Repo value in argument to client.Branches`},
		{"", `_, _ = client.Repositories(ctx, "acme", o)`, `cannot use "acme" (untyped string constant) as policy.Workspace value in argument to client.Repositories`},
		{"", `_, _ = client.Head(ctx, repo)`, "cannot use repo (variable of struct type policy.Repo) as policy.Branch value in argument to client.Head"},
		{"", `_, _ = client.Commit(ctx, "0123456789abcdef0123456789abcdef01234567", nil)`, "as policy.CommitName value in argument to client.Commit"},
		{"", `_, _ = client.Branches(ctx, branch, o)`, "cannot use branch (variable of struct type policy.Branch) as policy.Repo value in argument to client.Branches"},
		{"", `_, _ = client.Repository(ctx, workspace)`, "as policy.Repo value in argument to client.Repository"},
		{"", `_, _ = client.Repositories(ctx, unjudged, o)`, "as policy.Workspace value in argument to client.Repositories"},
		{"", `_, _ = client.Repository(ctx, reference)`, "as policy.Repo value in argument to client.Repository"},
		{"", `_, _ = client.Repository(ctx, &repo)`, "as policy.Repo value in argument to client.Repository"},
		{"", `_, _ = client.Repository(ctx, nil)`, "cannot use nil as policy.Repo value in argument to client.Repository"},
		{"type mine struct { policy.Repo }\nfunc (mine) Slug() string { return \"api-secret\" }", `_, _ = client.Repository(ctx, mine{repo})`, "as policy.Repo value in argument to client.Repository"},
		{"type mine policy.Repo", `_, _ = client.Repository(ctx, mine(repo))`, "as policy.Repo value in argument to client.Repository"},
		{"", `_, _ = repo.Branch(branch)`, "cannot use branch (variable of struct type policy.Branch) as string value in argument to repo.Branch"},
		// A method of one's own.
		{"func (policy.Repo) Slug() string { return \"api-secret\" }", ``, "cannot define new methods on non-local type policy.Repo"},
		// What is not exported.
		{"", `policy.judge(call, nil, "acme/api")`, "undefined: policy.judge"},
		{"", `_ = policy.scope{}`, "undefined: policy.scope"},
		{"", `_ = policy.rule{}`, "undefined: policy.rule"},
		{"", `call.use(nil)`, "call.use undefined (cannot refer to unexported method use)"},
		{"", `_ = grant.scopes`, "grant.scopes undefined (cannot refer to unexported field scopes)"},
		{"", `_ = bitbucket.route("/repositories/acme/api")`, "undefined: bitbucket.route"},
		{"", `_, _ = bitbucket.at("", repo)`, "undefined: bitbucket.at"},
		{"", `_, _ = client.newRequest(ctx, nil, "")`, "client.newRequest undefined (cannot refer to unexported method newRequest)"},
		{"", `_, _ = client.fetch(ctx, nil, "")`, "client.fetch undefined (cannot refer to unexported method fetch)"},
		{"", `_ = client.http`, "client.http undefined (cannot refer to unexported field http)"},
		{"", `_ = client.config`, "client.config undefined (cannot refer to unexported field config)"},
	}
	c := newCompiler(t)
	for _, tt := range tests {
		found := c.errors(t, tt.declarations, tt.body+use)
		if assert.Len(t, found, 1, "%s %s", tt.declarations, tt.body) {
			// "name x not exported by package p" is the newer word for
			// "undefined: p.x".
			message := unexportedAsUndefined(found[0])
			assert.Contains(t, message, tt.want, "%s %s", tt.declarations, tt.body)
		}
	}
}

func unexportedAsUndefined(message string) string {
	var name, in string
	if n, _ := fmt.Sscanf(message, "name %s not exported by package %s", &name, &in); n == 2 {
		return "undefined: " + in + "." + name
	}
	return message
}

// sealed are the types that only package policy can fill. With equal fields,
// names included, Go would convert one into another from any package.
var sealed = []reflect.Type{
	reflect.TypeFor[policy.Scope](), reflect.TypeFor[policy.Grant](), reflect.TypeFor[policy.Call](), reflect.TypeFor[policy.Workspace](),
	reflect.TypeFor[policy.Repo](), reflect.TypeFor[policy.Branch](), reflect.TypeFor[policy.Unjudged](), reflect.TypeFor[policy.Reference](),
	reflect.TypeFor[policy.PullRequest](), reflect.TypeFor[policy.Comparison](), reflect.TypeFor[policy.Pipeline](),
	reflect.TypeFor[policy.CommitName](), reflect.TypeFor[policy.Commit](), reflect.TypeFor[policy.Path](),
}

func TestSealedTypesDoNotConvert(t *testing.T) {
	for _, from := range sealed {
		for _, to := range sealed {
			assert.Equal(t, from == to, from.ConvertibleTo(to), "%s to %s", from, to)
			assert.Equal(t, from == to, reflect.PointerTo(from).ConvertibleTo(reflect.PointerTo(to)), "*%s to *%s", from, to)
		}
		assert.Equal(t, reflect.Struct, from.Kind())
		for i := range from.NumField() {
			assert.False(t, from.Field(i).IsExported() || from.Field(i).Anonymous, "%s.%s can be filled from outside", from, from.Field(i).Name)
		}
	}
}

// Every struct of the package that nobody outside can fill is in the list
// above, so that a new one is not forgotten.
func TestTheListOfSealedTypesIsComplete(t *testing.T) {
	pkg, err := exports(t, token.NewFileSet(), "bucketgate/policy").Import("bucketgate/policy")
	require.NoError(t, err)
	var found, listed []string
	for _, name := range pkg.Scope().Names() {
		object, ok := pkg.Scope().Lookup(name).(*types.TypeName)
		if !ok || !object.Exported() {
			continue
		}
		if structure, ok := object.Type().Underlying().(*types.Struct); ok && structure.NumFields() > 0 && !structure.Field(0).Exported() {
			found = append(found, name)
		}
	}
	for _, typ := range sealed {
		listed = append(listed, typ.Name())
	}
	assert.ElementsMatch(t, found, listed)
}
