package manage

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// reading returns sources of which every file holds the content, and the paths
// that were read.
func reading(content string) (Sources, *[]string) {
	var paths []string
	return Sources{
		LookupEnv: func(name string) (string, bool) { paths = append(paths, name); return content, true },
		ReadFile:  func(path string) ([]byte, error) { paths = append(paths, path); return []byte(content), nil },
	}, &paths
}

const keyFromFile = "credentials:\n- {provider: a, name: b, api_key_file: key}\n"

// A key file is what an editor leaves: one line end is not of the key. More than
// that is, and is refused where the key is judged.
func TestTheLineEndOfAKeyFileIsNotOfTheKey(t *testing.T) {
	for content, key := range map[string]string{"k": "k", "k\n": "k", "k\r\n": "k", "k\n\n": "k\n", " k\n": " k"} {
		sources, _ := reading(content)
		file, err := ParseFile([]byte(keyFromFile), sources)
		require.NoError(t, err)
		assert.Equal(t, key, file.Credentials[0].key.Reveal(), "%q", content)
	}
}

func TestAFileThatHoldsNoKey(t *testing.T) {
	for content, ok := range map[string]bool{"": false, "\n": false, " \n": false, strings.Repeat("k", maxSource): true, strings.Repeat("k", maxSource+1): false} {
		sources, _ := reading(content)
		_, err := ParseFile([]byte(keyFromFile), sources)
		if ok {
			assert.NoError(t, err)
			continue
		}
		assert.EqualError(t, err, "line 2: credentials: the file that api_key_file names is empty, or longer than 65536 bytes")
	}
}

// Of a file that is no such file nothing else is opened.
func TestNoSecretIsReadForAFileThatIsWrong(t *testing.T) {
	sources, paths := reading("key")
	_, err := ParseFile([]byte(keyFromFile+"scope: []\n"), sources)
	require.Error(t, err)
	assert.Empty(t, *paths)
	_, err = ParseFile([]byte(keyFromFile), sources)
	require.NoError(t, err)
	assert.Equal(t, []string{"key"}, *paths)
}

// "All" beside a list says two things at once, in either list.
func TestAllAndAListAreTwoThings(t *testing.T) {
	for _, lists := range []string{"all_repositories: true, repositories: [a]", "all_branches: true, branches: [a]"} {
		_, err := ParseFile([]byte("scopes:\n- {name: a, provider: p, credential: c, "+lists+"}\n"), testSources)
		assert.ErrorContains(t, err, "are both given: leave one out")
	}
}

// Who has made one mistake a hundred times is told of the first ten.
func TestOfManyMistakesTenAreTold(t *testing.T) {
	_, err := ParseFile([]byte("clients:\n"+strings.Repeat("- {name: a, b: c}\n", 30)), testSources)
	require.Error(t, err)
	lines := strings.Split(err.Error(), "\n")
	require.Len(t, lines, maxProblems+1)
	assert.Equal(t, "and 20 more mistakes", lines[maxProblems])
}
