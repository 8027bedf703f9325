package audit

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func newHeadFile(t *testing.T) (*HeadFile, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "heads.json")
	file, err := OpenHeadFile(path, testKey)
	require.NoError(t, err)
	return file, path
}

func TestAHeadFileKeepsEveryWriter(t *testing.T) {
	file, path := newHeadFile(t)
	require.NoError(t, file.put("one", Head{Seq: 3, MAC: []byte{1}, ID: "A"}))
	require.NoError(t, file.put("two", Head{Seq: 1, MAC: []byte{2}, ID: "B"}))
	require.NoError(t, file.put("one", Head{Seq: 4, MAC: []byte{3}, ID: "C"}))
	require.NoError(t, file.put("one", Head{Seq: 2, MAC: []byte{4}, ID: "D"}), "it never goes back")
	heads, err := ReadHeads(path, testKey)
	require.NoError(t, err)
	assert.Equal(t, Heads{"one": {4, []byte{3}, "C"}, "two": {1, []byte{2}, "B"}}, heads)

	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	_, err = os.Stat(path + ".new")
	assert.ErrorIs(t, err, fs.ErrNotExist)
}

// Each writer has a file of its own in hand, as processes have.
func TestSeveralProcessesShareAHeadFile(t *testing.T) {
	_, path := newHeadFile(t)
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			file, err := OpenHeadFile(path, testKey)
			assert.NoError(t, err)
			for i := range 20 {
				assert.NoError(t, file.put(fmt.Sprint(g), Head{Seq: int64(i + 1), MAC: []byte{1}}))
			}
		})
	}
	all.Wait()
	heads, err := ReadHeads(path, testKey)
	require.NoError(t, err)
	require.Len(t, heads, 8)
	for writer, head := range heads {
		assert.Equal(t, int64(20), head.Seq, writer)
	}
}

func TestAnEditedHeadFileIsRefused(t *testing.T) {
	file, path := newHeadFile(t)
	require.NoError(t, file.put("one", Head{Seq: 3, MAC: []byte{1}, ID: "A"}))
	require.NoError(t, file.put("two", Head{Seq: 5, MAC: []byte{2}, ID: "B"}))
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	whole := string(raw)
	one := whole[strings.Index(whole, "    {"):strings.Index(whole, "    {\n      \"writer\": \"two\"")]
	for name, edited := range map[string]string{
		"a number":      strings.Replace(whole, `"seq": 3`, `"seq": 2`, 1),
		"a writer":      strings.Replace(whole, `"one"`, `"onf"`, 1),
		"an ID":         strings.Replace(whole, `"A"`, `"Z"`, 1),
		"a MAC":         strings.Replace(whole, `"mac": "01"`, `"mac": "09"`, 1),
		"one left out":  strings.Replace(whole, one, "", 1),
		"one twice":     strings.Replace(whole, one, one+one, 1),
		"no heads":      `{"heads":[],"mac":""}`,
		"not hex":       strings.Replace(whole, `"mac": "01"`, `"mac": "x"`, 1),
		"cut":           whole[:len(whole)/2],
		"empty":         "",
		"an older MAC":  whole[:strings.LastIndex(whole, `"mac"`)] + `"mac":"00"}`,
		"a record's":    `{"heads":[],"mac":"` + fmt.Sprintf("%x", signedChain(t, "one", 1)[0].MAC) + `"}`,
		"a MAC, no hex": `{"heads":[],"mac":"x"}`,
	} {
		require.NotEqual(t, whole, edited, name)
		require.NoError(t, os.WriteFile(path, []byte(edited), 0o600))
		_, err := ReadHeads(path, testKey)
		assert.ErrorContains(t, err, path, name)
		_, err = OpenHeadFile(path, testKey)
		assert.Error(t, err, name)
		assert.Error(t, file.put("one", Head{Seq: 9}), name)
	}
	require.NoError(t, os.WriteFile(path, raw, 0o600))
	_, err = ReadHeads(path, hmacKey("another"))
	assert.ErrorContains(t, err, "another keyset")
}

func TestAHeadFileThatIsMissing(t *testing.T) {
	_, err := ReadHeads(filepath.Join(t.TempDir(), "heads.json"), testKey)
	require.ErrorIs(t, err, fs.ErrNotExist, "to verify it must be there")
	_, err = OpenHeadFile("x", nil)
	require.Error(t, err)
}

// Whatever is left of a write that was killed, the file is whole.
func TestALeftoverOfAKilledProcess(t *testing.T) {
	file, path := newHeadFile(t)
	require.NoError(t, os.WriteFile(path+".new", []byte(strings.Repeat("x", 10000)), 0o600))
	require.NoError(t, os.WriteFile(path+".lock", nil, 0o600))
	require.NoError(t, file.put("one", Head{Seq: 1, MAC: []byte{1}}))
	_, err := ReadHeads(path, testKey)
	require.NoError(t, err)
}
