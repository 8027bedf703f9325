package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const applyFile = `providers:
- {name: acme, workspace: acme}
credentials:
- {provider: acme, name: reader, username: me@example.com, api_key_file: key.txt}
scopes:
- name: team
  provider: acme
  credential: reader
  repositories: [api.*]
clients:
- {name: bot, scopes: [team], expires_in: 90d}
`

const applyCanary = "ATATT-canary-of-apply-wxyz"

// An applyDesk is a folder with a database, a file and a key.
type applyDesk struct {
	t      *testing.T
	folder string
	env    variables
}

func newApplyDesk(t *testing.T) applyDesk {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "key.txt"), []byte(applyCanary+"\n"), 0o600))
	return applyDesk{t, folder, variables{
		"BUCKETGATE_DATABASE": filepath.Join(folder, "b.db"), "BUCKETGATE_MASTER_KEY_FILE": filepath.Join(folder, "master.key"),
	}}
}

func (d applyDesk) write(text string) string {
	d.t.Helper()
	path := filepath.Join(d.folder, "file.yaml")
	require.NoError(d.t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// run runs a command line, also before apply and export are registered.
func (d applyDesk) run(stdin string, args ...string) outcome {
	d.t.Helper()
	var stdout, stderr lockedBuffer
	p := program{stdin: strings.NewReader(stdin), stdout: &stdout, stderr: &stderr, lookupEnv: d.env.lookup}
	root := p.rootCommand()
	if cmd, _, err := root.Find([]string{"apply"}); err != nil || cmd == root {
		root.AddCommand(p.applyCommand(), p.exportCommand())
	}
	root.SetArgs(args)
	err := root.ExecuteContext(d.t.Context())
	o := outcome{stdout: stdout.String(), stderr: stderr.String()}
	switch {
	case errors.Is(err, errUsage):
		o.code = exitUsage
	case err != nil:
		o.code = exitFailed
	}
	if err != nil {
		o.stderr += err.Error()
	}
	assert.NotContains(d.t, o.stdout+o.stderr, applyCanary)
	return o
}

func TestApplyShowsThePlanAndDoesIt(t *testing.T) {
	d := newApplyDesk(t)
	file := d.write(applyFile)
	plan := "+ provider acme\n+ credential acme/reader\n+ scope team\n+ client bot  (it has no key yet: bucketgate client key makes one)\n= 0 unchanged\n"
	for range 2 {
		dry := d.run("", "apply", "-f", file, "--dry-run")
		require.Equal(t, exitDone, dry.code, dry.stderr)
		require.Equal(t, plan, dry.stdout, "a dry run changes nothing")
	}
	done := d.run("", "apply", "-f", file)
	require.Equal(t, exitDone, done.code, done.stderr)
	assert.Equal(t, plan, done.stdout)
	again := d.run("", "apply", "-f", file, "--output", "json")
	assert.JSONEq(t, `{"dry_run":false,"changes":[],"unchanged":4}`, again.stdout, again.stderr)
}

// A dry run makes no database either, and no key.
func TestADryRunOnNothingMakesNothing(t *testing.T) {
	d := newApplyDesk(t)
	d.env["BUCKETGATE_AUDIT_HEAD_FILE"] = filepath.Join(d.folder, "head")
	d.env["TMPDIR"] = d.folder
	t.Setenv("TMPDIR", d.folder)
	before, err := os.ReadDir(d.folder)
	require.NoError(t, err)
	dry := d.run(applyFile, "apply", "-f", "-", "--dry-run")
	assert.Equal(t, exitFailed, dry.code, "the key file is beside the YAML file")
	file := d.write(applyFile)
	dry = d.run("", "apply", "-f", file, "--dry-run")
	require.Equal(t, exitDone, dry.code, dry.stderr)
	assert.Contains(t, dry.stdout, "+ scope team\n")
	require.NoError(t, os.Remove(file))
	after, err := os.ReadDir(d.folder)
	require.NoError(t, err)
	assert.Equal(t, names(before), names(after))
	dry = d.run("", "apply", "-f", d.write(applyFile), "--dry-run", "--database", "postgres://x")
	assert.Contains(t, dry.stderr, "PostgreSQL")
}

func names(entries []os.DirEntry) []string {
	var list []string
	for _, entry := range entries {
		list = append(list, entry.Name())
	}
	return list
}

func TestExportIntoApplyChangesNothing(t *testing.T) {
	d := newApplyDesk(t)
	require.Equal(t, exitDone, d.run("", "apply", "-f", d.write(applyFile)).code)
	exported := d.run("", "export")
	require.Equal(t, exitDone, exported.code, exported.stderr)
	assert.Contains(t, exported.stdout, "# api_key: set, ends in …wxyz")
	again := d.run(exported.stdout, "apply", "-f", "-")
	require.Equal(t, exitDone, again.code, again.stderr)
	assert.Equal(t, "= 4 unchanged\n", again.stdout)
	assert.Equal(t, exported.stdout, d.run("", "export").stdout)
}

func TestApplyWithAMistakeOnLine40LeavesTheDatabaseAsItIs(t *testing.T) {
	d := newApplyDesk(t)
	require.Equal(t, exitDone, d.run("", "apply", "-f", d.write(applyFile)).code)
	before := d.files()
	filler := strings.Repeat("# filler\n", 39-strings.Count(applyFile, "\n"))
	file := d.write(applyFile + filler + "- {name: web, rle: agent}\n")
	got := d.run("", "apply", "-f", file)
	assert.Equal(t, exitFailed, got.code)
	assert.Empty(t, got.stdout)
	assert.Contains(t, got.stderr, "line 40: clients: unknown key rle; did you mean role?")
	assert.Equal(t, before, d.files(), "byte for byte")
}

func (d applyDesk) read(path string) []byte {
	d.t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(d.t, err)
	return content
}

// files are the bytes of the database.
func (d applyDesk) files() map[string]string {
	d.t.Helper()
	files := map[string]string{}
	paths, err := filepath.Glob(filepath.Join(d.folder, "b.db*"))
	require.NoError(d.t, err)
	for _, path := range paths {
		files[path] = string(d.read(path))
	}
	return files
}

func TestApplyIsToldWhatToRead(t *testing.T) {
	d := newApplyDesk(t)
	assert.Equal(t, exitUsage, d.run("", "apply").code)
	assert.Equal(t, exitUsage, d.run("", "apply", "file.yaml").code)
	assert.Equal(t, exitFailed, d.run("", "apply", "-f", filepath.Join(d.folder, "none.yaml")).code)
	assert.Contains(t, d.run("", "apply", "-f", "-").stderr, "the file is empty")
	assert.Contains(t, d.run("", "apply", "--schema").stdout, `"api_key_env"`)
}
