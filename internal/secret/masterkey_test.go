package secret

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMasterKeyIsMadeOnceAndReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "made", "for", "it", "master.key")
	made, err := LoadOrCreateMasterKey(path)
	require.NoError(t, err)
	again, err := LoadOrCreateMasterKey(path)
	require.NoError(t, err)
	loaded, err := LoadMasterKey(path)
	require.NoError(t, err)
	assert.Equal(t, made.raw.Reveal(), again.raw.Reveal())
	assert.Equal(t, made.raw.Reveal(), loaded.raw.Reveal())
	assert.Len(t, made.raw.Reveal(), 32)

	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	folder, err := os.Stat(filepath.Dir(path))
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o700), folder.Mode().Perm())
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	assert.Len(t, entries, 1, "no draft is left")
}

func TestManyWhoMakeTheMasterKeyAtOnceGetTheSame(t *testing.T) {
	for range 20 {
		path := filepath.Join(t.TempDir(), "master.key")
		keys := make([]MasterKey, 8)
		var all sync.WaitGroup
		for i := range keys {
			all.Go(func() {
				var err error
				keys[i], err = LoadOrCreateMasterKey(path)
				assert.NoError(t, err)
			})
		}
		all.Wait()
		for _, key := range keys {
			require.Equal(t, keys[0].raw.Reveal(), key.raw.Reveal())
		}
	}
}

func TestMasterKeyFilesThatAreRefused(t *testing.T) {
	good := masterKeyPrefix + base64.StdEncoding.EncodeToString([]byte(NewMasterKey().raw.Reveal()))
	for _, tt := range []struct {
		name, text string
		mode       fs.FileMode
		words      string
	}{
		{"short", good[:len(good)-8], 0o600, "is too short"},
		{"eight characters", masterKeyPrefix + "hunter22", 0o600, "is too short"},
		{"empty", "", 0o600, "is not a master key"},
		{"a password", "correct horse battery staple, and some more so that it is long", 0o600, "is not a master key"},
		{"the key without its prefix", strings.TrimPrefix(good, masterKeyPrefix), 0o600, "is not a master key"},
		{"two keys", good + "\n" + good, 0o600, "is not a master key"},
		{"too long", good + "AAAA", 0o600, "is not a master key"},
		{"a large file", strings.Repeat(good, 1000), 0o600, "is not a master key"},
		{"read by the group", good, 0o640, "can be read by others (mode 0640)"},
		{"read by all", good, 0o604, "can be read by others"},
		{"written by the group", good, 0o620, "can be read by others"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "master.key")
			require.NoError(t, os.WriteFile(path, []byte(tt.text), 0o600))
			require.NoError(t, os.Chmod(path, tt.mode))
			for _, load := range []func(string) (MasterKey, error){LoadMasterKey, LoadOrCreateMasterKey} {
				key, err := load(path)
				require.ErrorContains(t, err, tt.words)
				assert.True(t, key.IsZero())
				assert.Contains(t, err.Error(), path)
				assert.NotContains(t, err.Error(), "\n")
				assert.NotContains(t, err.Error(), good[len(masterKeyPrefix)+4:20+len(masterKeyPrefix)])
			}
			kept, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, tt.text, string(kept), "what is there is never overwritten")
		})
	}
}

func TestMasterKeyPathsThatAreRefused(t *testing.T) {
	folder := t.TempDir()
	_, err := LoadOrCreateMasterKey(folder)
	assert.EqualError(t, err, "the master key "+folder+" is a directory; name the file in it")

	_, err = LoadMasterKey(filepath.Join(folder, "none"))
	assert.ErrorIs(t, err, fs.ErrNotExist)
	assert.ErrorContains(t, err, "there is no master key at")

	file := filepath.Join(folder, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = LoadOrCreateMasterKey(filepath.Join(file, "master.key"))
	assert.ErrorContains(t, err, "not a directory")
}

func TestMasterKeyNeverPrints(t *testing.T) {
	key := NewMasterKey()
	raw := key.raw.Reveal()
	holder := struct {
		Key MasterKey
		key MasterKey
	}{key, key}
	var out strings.Builder
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "key", key, "holder", holder)
	marshalled, err := json.Marshal(holder)
	require.NoError(t, err)
	out.Write(marshalled)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		fmt.Fprintf(&out, verb+verb+verb, key, &key, holder)
	}
	for _, form := range []string{raw, fmt.Sprintf("%x", raw), fmt.Sprintf("%X", raw), base64.StdEncoding.EncodeToString([]byte(raw))} {
		assert.NotContains(t, out.String(), form)
	}
}
