package sample

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/internal/testneeds"
)

// recordedFolder names a folder of answers that Bitbucket once gave. Its own
// description of the API is looked for beside it, in ../reference.
const recordedFolder = "BUCKETGATE_TEST_RECORDED"

func readRecorded(t *testing.T, name string) map[string]any {
	t.Helper()
	folder := os.Getenv(recordedFolder)
	if folder == "" {
		t.Skipf("%s does not name a folder of recorded answers", recordedFolder)
	}
	content, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		testneeds.Skip(t, fmt.Sprintf("%s: %v", recordedFolder, err))
	}
	var body map[string]any
	require.NoError(t, json.Unmarshal(content, &body))
	return body
}

// row is the first of the values for which pick says so.
func row(body map[string]any, pick func(map[string]any) bool) map[string]any {
	values := response{body: body}.values()
	for _, value := range values {
		if row := value.(map[string]any); pick == nil || pick(row) {
			return row
		}
	}
	return nil
}

// missingKeys are the keys of want that have does not have, all the way down
// the objects that both have.
func missingKeys(have, want map[string]any, at string) (missing []string) {
	for key, value := range want {
		mine, ok := have[key]
		if !ok {
			missing = append(missing, at+key)
			continue
		}
		below, isObject := value.(map[string]any)
		if mine, ok := mine.(map[string]any); ok && isObject {
			missing = append(missing, missingKeys(mine, below, at+key+".")...)
		}
	}
	slices.Sort(missing)
	return missing
}

// TestShapesAreTheRecordedOnes holds answers against real ones: what a real one
// has, ours has too, so that a client learns to leave it out.
func TestShapesAreTheRecordedOnes(t *testing.T) {
	l, hash := history(t)
	last := l.put(map[string]File{"dir/a": plain("other\n"), "x.ts": plain("")}, hash["m"])
	require.NoError(t, l.SetTag("acme", "api", Tag{Name: "annotated", Hash: last, Message: "x\n"}))
	c := serve(t, l.Server)
	isFile := func(row map[string]any) bool { return row["type"] == "commit_file" }
	isDirectory := func(row map[string]any) bool { return row["type"] == "commit_directory" }
	modified := func(row map[string]any) bool { return row["status"] == "modified" }
	commits := c.get(api + "/commits/" + last).body
	source := c.get(api + "/src/" + last + "/").body
	recordedSource := readRecorded(t, "go-scm/content_list.json")
	tests := map[string]struct{ have, want map[string]any }{
		"commit":    {c.get(api + "/commit/" + last).body, readRecorded(t, "go-scm/commit.json")},
		"commits":   {row(commits, nil), row(readRecorded(t, "go-scm/commits.json"), nil)},
		"tag":       {c.get(api + "/refs/tags/annotated").body, readRecorded(t, "go-scm/tag.json")},
		"file":      {c.get(api+"/src/"+last+"/x.ts", "format", "meta").body, readRecorded(t, "go-scm/content.json")},
		"row":       {row(source, isFile), row(recordedSource, isFile)},
		"directory": {row(source, isDirectory), row(recordedSource, isDirectory)},
		"diffstat":  {row(c.get(api+"/diffstat/"+last).body, modified), row(readRecorded(t, "go-scm/diffstat.json"), modified)},
		"no file":   {c.get(api + "/src/" + last + "/none").body, readRecorded(t, "go-scm/content_fail.json")},
	}
	for name, test := range tests {
		require.NotEmpty(t, test.want, name)
		missing := slices.DeleteFunc(missingKeys(test.have, test.want, ""), func(key string) bool {
			return strings.HasSuffix(key, "user.username") // gone since 2019, and recorded before
		})
		assert.Empty(t, missing, name)
	}
}

// contract is Bitbucket's own description of its answers.
type contract struct {
	t           *testing.T
	definitions map[string]any
}

// unlike are places where the description is known to be wrong: the real
// answers have a list of attributes.
var unlike = []string{"commit_file.attributes"}

// check holds a value against a schema: what the schema names must be of its
// type, one of its values, and there if it is required. A null passes, as the
// description does not say where there may be one.
func (c contract) check(at string, value any, schema map[string]any) {
	c.t.Helper()
	if ref, ok := schema["$ref"].(string); ok {
		name := ref[strings.LastIndex(ref, "/")+1:]
		c.check(name, value, c.definitions[name].(map[string]any))
		return
	}
	for _, part := range asList(schema["allOf"]) {
		c.check(at, value, part.(map[string]any))
	}
	if value == nil || slices.Contains(unlike, at) {
		return
	}
	if names := asList(schema["enum"]); names != nil {
		assert.Contains(c.t, names, value, at)
	}
	switch schema["type"] {
	case "string":
		assert.IsType(c.t, "", value, at)
	case "integer":
		assert.IsType(c.t, float64(0), value, at)
	case "boolean":
		assert.IsType(c.t, true, value, at)
	case "array":
		items, _ := schema["items"].(map[string]any)
		if assert.IsType(c.t, []any{}, value, at) {
			for _, item := range value.([]any) {
				c.check(at+"[]", item, items)
			}
		}
	case "object":
		if assert.IsType(c.t, map[string]any{}, value, at) {
			c.checkObject(at, value.(map[string]any), schema)
		}
	}
}

func (c contract) checkObject(at string, value, schema map[string]any) {
	properties, _ := schema["properties"].(map[string]any)
	for name, property := range properties {
		if have, ok := value[name]; ok {
			c.check(at+"."+name, have, property.(map[string]any))
		}
	}
	for _, name := range asList(schema["required"]) {
		assert.Contains(c.t, value, name, at)
	}
	if schema["additionalProperties"] == false && strings.HasPrefix(at, "paginated_") {
		for name := range value {
			assert.Contains(c.t, slices.Collect(maps.Keys(properties)), name, at)
		}
	}
}

func asList(v any) []any {
	list, _ := v.([]any)
	return list
}

// TestShapesAreThoseOfTheContract asks for one answer of each kind.
func TestShapesAreThoseOfTheContract(t *testing.T) {
	definitions := readRecorded(t, "../reference/bitbucket-swagger.json")["definitions"].(map[string]any)
	c := contract{t, definitions}
	demo := serve(t, Demo(Options{}))
	const duplocloud = "/repositories/acme/duplocloud"
	for path, kind := range map[string]string{
		"/commit/develop":                        "commit",
		"/merge-base/develop..main":              "commit",
		"/commits":                               "paginated_changeset",
		"/commits/develop?pagelen=1":             "paginated_changeset",
		"/src/develop/?max_depth=9&pagelen=5":    "paginated_treeentries",
		"/src/develop/README.md?format=meta":     "commit_file",
		"/src/develop/vendor/shared?format=meta": "commit_file",
		"/src/develop/docs/?format=meta":         "treeentry",
		"/diffstat/develop..main":                "paginated_diffstats",
		"/diffstat/develop?pagelen=1":            "paginated_diffstats",
		"/filehistory/develop/docs/manual.md":    "paginated_files",
		"/refs/tags":                             "paginated_tags",
		"/refs/tags/v1.0":                        "tag",
		"/refs/branches":                         "paginated_branches",
		"/src/develop/none":                      "error",
		"/diff/none":                             "error",
	} {
		answer := demo.follow(demo.base + duplocloud + path)
		require.NotEmpty(t, answer.body, path)
		if kind != "error" {
			require.Equal(t, 200, answer.status, path)
		}
		c.check(kind, answer.body, map[string]any{"$ref": "#/definitions/" + kind})
	}
}
