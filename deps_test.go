package bucketgate

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "bucketgate/"

// ours is the picture: which of our packages each package may import. What is
// not named here does not exist yet; a new package gets its line, and a new
// arrow gets a page in docs/design.
var ours = map[string]struct {
	imports []string
	reason  string
}{
	"policy":                   {nil, "the leaf that everything leans on: what it decides must not depend on anything that could decide otherwise"},
	"policy/policytest":        {[]string{"policy"}, "makes checked values for the tests of other packages"},
	"internal/secret":          {nil, "a secret's type is used everywhere, so it may lean on nothing"},
	"internal/audit":           {nil, "events are plain values"},
	"internal/metrics":         {nil, "numbers: whoever counts is given a place to, and what is counted is not known here"},
	"internal/testneeds":       {nil, "says what a test needs"},
	"internal/snippets":        {nil, "what clients are told is text, the same wherever it is shown"},
	"bitbucket":                {[]string{"policy", "internal/secret"}, "takes checked values only, and holds the key for as long as a request is built"},
	"bitbucket/sample":         {nil, "it stands on the far side of the wire"},
	"bitbucket/bitbuckettest":  {[]string{"bitbucket/sample"}, "wraps the sample for tests"},
	"tools":                    {[]string{"policy", "bitbucket", "internal/audit"}, "the life of a call: policy, Bitbucket, audit"},
	"tools/agent":              {[]string{"tools", "policy", "bitbucket"}, "an allow-list: a tool gets no other way out than the client"},
	"tools/toolstest":          {[]string{"tools"}, "what the tests of both sides' tools have in common"},
	"tools/admin":              {[]string{"tools", "policy", "internal/manage", "internal/store", "internal/audit", "internal/secret"}, "thin over the service; store and audit for the records that it returns, and no way to Bitbucket but through it"},
	"server":                   {[]string{"tools"}, "it speaks the protocol and must not know Bitbucket"},
	"internal/store":           {[]string{"policy", "internal/secret", "internal/audit"}, "keeps records and events, and holds no rule about what a record may say"},
	"internal/store/storetest": {[]string{"policy", "internal/secret", "internal/audit", "internal/store"}, "the suite that every engine has to pass"},
	"internal/manage":          {[]string{"policy", "bitbucket", "internal/store", "internal/audit", "internal/secret"}, "the one service behind every face of administration"},
	"internal/secretpage":      {[]string{"internal/manage", "internal/secret"}, "a page over the service: what was typed goes in and does not come back"},
	"internal/console":         {[]string{"policy", "internal/manage", "internal/store", "internal/audit", "internal/secret", "internal/snippets"}, "pages over the management service, with what clients are told: it cannot call a tool or Bitbucket, and what it needs of them it is given"},
	"cmd/bucketgate":           {[]string{"policy", "bitbucket", "bitbucket/sample", "tools", "tools/agent", "tools/admin", "server", "internal/manage", "internal/secretpage", "internal/console", "internal/store", "internal/audit", "internal/secret", "internal/metrics", "internal/snippets"}, "wires everything"},
	"internal/bench":           {[]string{"policy", "bitbucket", "bitbucket/sample", "tools", "tools/agent", "internal/audit", "internal/secret", "internal/store", "internal/manage", "internal/console"}, "measures the product from outside and, where the command line cannot say it, from inside"},
	"internal/bench/bare":      {nil, "what the product is measured against must hold nothing of it"},
}

// barred are imports that a package must not have, each with its reason.
var barred = []struct {
	pkg     string
	imports []string
	reason  string
}{
	{"policy", []string{"net/http", "net", "os", "os/exec", "reflect", "unsafe", "syscall"}, "a decision is computed from values alone, and nobody fills a sealed struct by reflection"},
	{"server", []string{"os", "os/exec"}, "a transport is given its streams"},
	{"internal/bench/bare", []string{"encoding/json"}, "it is mcp-go and nothing else"},
}

// agentStandard is all that a tool may import of the standard library: no
// network, files, processes or reflection.
var agentStandard = []string{"cmp", "context", "errors", "fmt", "maps", "slices", "strconv", "strings", "sync", "time", "unicode", "unicode/utf8"}

// namers says who may name what decides about access.
var namers = []struct {
	name     string // package.Name
	packages []string
	reason   string
}{
	{"policy.Compile", []string{"cmd/bucketgate", "internal/manage", "internal/store/storetest", "policy/policytest", "internal/bench"}, "who compiles a scope could compile one that allows all"},
	{"policy.UnjudgedWorkspace", []string{"internal/manage"}, "it lists what a scope hides, for an admin's preview only"},
	{"policy.Unjudged", []string{"internal/manage", "bitbucket"}, "as above; the client takes it"},
	{"policy.NewGrant", []string{"cmd/bucketgate", "internal/manage", "policy/policytest", "internal/bench"}, "who makes a grant says what a caller holds"},
}

// methodNamers does the same for methods, by name alone: each is named for one
// thing in the whole tree.
var methodNamers = []struct {
	method   string
	packages []string
	reason   string
}{
	{"Begin", []string{"policy", "tools", "policy/policytest", "cmd/bucketgate"}, "the life of a call begins in one place, where its end is written down; check reads the rules and nothing else"},
	{"Reveal", []string{"internal/secret", "internal/store", "internal/manage", "bitbucket", "cmd/bucketgate", "internal/console", "internal/bench"}, "where a secret leaves: sealed into the store, judged by its prefix, sent in the one request, shown to who has just made it"},
	{"PinnedAt", []string{"bitbucket", "policy/policytest"}, "who says which hash a branch points at must have asked Bitbucket"},
	{"ReachedFrom", []string{"bitbucket"}, "who says what the merge base is must have asked Bitbucket"},
	{"SeesPullRequest", []string{"bitbucket"}, "who says what the ends of a pull request are must have asked Bitbucket"},
	{"ChangesBetween", []string{"bitbucket"}, "who says which hashes the ends of a pull request have must have asked Bitbucket"},
	{"EndNames", []string{"bitbucket"}, "as above"},
	{"SeesCommit", []string{"bitbucket", "policy"}, "it leaves the caller's aim as it is: the hash is Bitbucket's word"},
	{"PipelineOn", []string{"bitbucket", "policy"}, "who says what a pipeline ran on must have asked Bitbucket"},
	{"AnyPipeline", []string{"bitbucket"}, "as above"},
	{"OnAnyBranch", []string{"bitbucket"}, "it stands in for a proof, where there is nothing to prove"},
	{"UnjudgedRepositories", []string{"bitbucket", "internal/manage"}, "rows that no scope has judged"},
}

type goPackage struct {
	path    string // below the module
	imports []string
	files   []*ast.File
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	var list []goPackage
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		if base := entry.Name(); path != "." && (strings.HasPrefix(base, ".") || base == "testdata" || base == "node_modules") {
			return filepath.SkipDir
		}
		p, err := build.ImportDir(path, 0)
		if err != nil {
			return nil // no Go files here
		}
		pkg := goPackage{path: filepath.ToSlash(path), imports: p.Imports}
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(path, name), nil, parser.ParseComments)
			if err != nil {
				return fmt.Errorf("parsing %s: %w", name, err)
			}
			pkg.files = append(pkg.files, file)
		}
		list = append(list, pkg)
		return nil
	})
	require.NoError(t, err)
	return list
}

func TestImportsPointOneWay(t *testing.T) {
	for _, pkg := range packages(t) {
		if pkg.path == "." {
			continue
		}
		allowed, known := ours[pkg.path]
		require.True(t, known, "package %s has no line in the picture (deps_test.go)", pkg.path)
		for _, path := range pkg.imports {
			if own, ok := strings.CutPrefix(path, module); ok {
				require.Contains(t, allowed.imports, own, "%s imports %s: %s", pkg.path, own, allowed.reason)
			}
		}
	}
}

func TestBarredImports(t *testing.T) {
	for _, pkg := range packages(t) {
		for _, rule := range barred {
			if rule.pkg != pkg.path {
				continue
			}
			for _, path := range rule.imports {
				require.NotContains(t, pkg.imports, path, "%s: %s", pkg.path, rule.reason)
			}
		}
		if pkg.path == "tools/agent" {
			for _, path := range pkg.imports {
				if !strings.HasPrefix(path, module) {
					require.Contains(t, agentStandard, path, "tools/agent has an allow-list of imports")
				}
			}
		}
	}
}

func TestOnlyTheNamedMayName(t *testing.T) {
	for _, pkg := range packages(t) {
		for _, file := range pkg.files {
			ast.Inspect(file, func(node ast.Node) bool {
				selector, ok := node.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				if base, ok := selector.X.(*ast.Ident); ok {
					for _, rule := range namers {
						if rule.name == base.Name+"."+selector.Sel.Name && !slices.Contains(rule.packages, pkg.path) {
							t.Errorf("%s names %s: %s", pkg.path, rule.name, rule.reason)
						}
					}
				}
				for _, rule := range methodNamers {
					if rule.method == selector.Sel.Name && !slices.Contains(rule.packages, pkg.path) {
						t.Errorf("%s names the method %s: %s", pkg.path, rule.method, rule.reason)
					}
				}
				return true
			})
		}
	}
}

// An import under another name would pass the test above unseen.
func TestPolicyIsImportedUnderItsName(t *testing.T) {
	for _, pkg := range packages(t) {
		for _, file := range pkg.files {
			for _, spec := range file.Imports {
				if strings.HasPrefix(spec.Path.Value, `"`+module) {
					require.Nil(t, spec.Name, "%s imports %s under another name", pkg.path, spec.Path.Value)
				}
			}
		}
	}
}

func TestEveryPackageHasADocComment(t *testing.T) {
	for _, pkg := range packages(t) {
		documented := slices.ContainsFunc(pkg.files, func(f *ast.File) bool { return f.Doc != nil })
		require.True(t, documented, "package %s has no doc comment", pkg.path)
	}
}

func TestEveryExportedNameIsDocumented(t *testing.T) {
	for _, pkg := range packages(t) {
		for _, file := range pkg.files {
			for _, decl := range file.Decls {
				for _, name := range undocumented(decl) {
					t.Errorf("%s.%s has no comment that says what it promises", pkg.path, name)
				}
			}
		}
	}
}

// promisedElsewhere are methods whose interface says what they promise.
var promisedElsewhere = []string{"Error", "Unwrap", "UnmarshalJSON", "Scan"}

func undocumented(decl ast.Decl) []string {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && !slices.Contains(promisedElsewhere, d.Name.Name) {
			return []string{d.Name.Name}
		}
	case *ast.GenDecl:
		var names []string
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
					names = append(names, s.Name.Name)
				}
			case *ast.ValueSpec:
				for _, name := range s.Names {
					if name.IsExported() && d.Doc == nil && s.Doc == nil {
						names = append(names, name.Name)
					}
				}
			}
		}
		return names
	}
	return nil
}
