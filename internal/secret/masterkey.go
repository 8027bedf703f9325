package secret

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// The rules of a master key file: one line, a prefix that tells what it is,
// and 32 random bytes in base64. Only its owner may read it. It is made once,
// in full or not at all, and never overwritten.
const (
	masterKeyPrefix = "bucketgate-master-key:"
	masterKeySize   = 32
	masterKeyLimit  = 4 << 10 // a file beyond it is something else
)

// A MasterKey seals the keyset of a database. However it is printed, logged or
// marshalled it reads "[redacted]". The zero MasterKey seals and opens nothing.
type MasterKey struct{ raw Text }

// String returns "[redacted]".
func (MasterKey) String() string { return redacted }

// GoString returns "[redacted]", for %#v.
func (MasterKey) GoString() string { return redacted }

// Format writes "[redacted]" for every verb.
func (k MasterKey) Format(f fmt.State, verb rune) { k.raw.Format(f, verb) }

// LogValue returns "[redacted]" for log/slog.
func (k MasterKey) LogValue() slog.Value { return k.raw.LogValue() }

// MarshalText returns "[redacted]".
func (k MasterKey) MarshalText() ([]byte, error) { return k.raw.MarshalText() }

// IsZero reports whether there is no key.
func (k MasterKey) IsZero() bool { return k.raw.IsZero() }

// NewMasterKey returns a fresh random key, for tests and for who keeps it
// elsewhere than in a file.
func NewMasterKey() MasterKey {
	raw := make([]byte, masterKeySize)
	rand.Read(raw) // never fails: the runtime ends the process before that
	return MasterKey{NewText(string(raw))}
}

// LoadMasterKey reads the key from a file that [LoadOrCreateMasterKey] made.
// It refuses, in one sentence each, a file that is missing, a directory, not a
// key, too short, or readable by others than its owner. The error holds no
// piece of the file's contents.
func LoadMasterKey(path string) (MasterKey, error) {
	text, err := readPrivate(path)
	if err != nil {
		return MasterKey{}, err
	}
	return parseMasterKey(path, text)
}

// LoadOrCreateMasterKey is LoadMasterKey, and makes a key where there is no
// file. Of several processes that make it at once all get the same key.
func LoadOrCreateMasterKey(path string) (MasterKey, error) {
	key, err := LoadMasterKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := createMasterKey(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return MasterKey{}, fmt.Errorf("making the master key %s: %w", path, reason(err))
	}
	return LoadMasterKey(path) // what is there now: ours, or that of who was faster
}

func readPrivate(path string) (string, error) {
	// Asked before it is opened: opening a pipe would wait for its writer.
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("there is no master key at %s: %w", path, fs.ErrNotExist)
	case err != nil:
		return "", fmt.Errorf("the master key %s cannot be read: %w", path, reason(err))
	case info.IsDir():
		return "", fmt.Errorf("the master key %s is a directory; name the file in it", path)
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("the master key %s is not a regular file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("the master key %s cannot be read: %w", path, reason(err))
	}
	defer file.Close()
	// Asked of the open file: what was looked at above may have been replaced.
	if info, err = file.Stat(); err != nil {
		return "", fmt.Errorf("the master key %s cannot be read: %w", path, reason(err))
	}
	// Whoever reads this file can open every credential in the database. We do
	// not mend the mode silently: somebody may have read the key already.
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return "", fmt.Errorf("the master key %s can be read by others (mode %#o); run chmod 600 on it, and if somebody may have seen it, make a new one", path, mode)
	}
	raw, err := io.ReadAll(io.LimitReader(file, masterKeyLimit))
	if err != nil {
		return "", fmt.Errorf("the master key %s cannot be read: %w", path, reason(err))
	}
	return string(raw), nil
}

func parseMasterKey(path, text string) (MasterKey, error) {
	encoded, ok := strings.CutPrefix(strings.TrimSpace(text), masterKeyPrefix)
	if !ok {
		return MasterKey{}, fmt.Errorf("%s is not a master key: its one line must begin with %s", path, masterKeyPrefix)
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
	switch {
	case len(encoded) < base64.StdEncoding.EncodedLen(masterKeySize):
		return MasterKey{}, fmt.Errorf("the master key %s is too short: it must hold %d random bytes in base64; part of it is missing", path, masterKeySize)
	case err != nil || len(raw) != masterKeySize:
		return MasterKey{}, fmt.Errorf("%s is not a master key: after %s must follow %d bytes in base64 and nothing else", path, masterKeyPrefix, masterKeySize)
	}
	return MasterKey{NewText(string(raw))}, nil
}

// createMasterKey writes a new key in full beside the path and then gives it
// the name, so that a process that is killed leaves no half key behind. It
// returns [fs.ErrExist] where there is a file already.
func createMasterKey(path string) error {
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	text := masterKeyPrefix + base64.StdEncoding.EncodeToString([]byte(NewMasterKey().raw.Reveal())) + "\n"
	draft := filepath.Join(folder, "."+filepath.Base(path)+"."+rand.Text())
	defer os.Remove(draft)
	if err := writeNew(draft, text); err != nil {
		return err
	}
	// A link, because a rename would replace the key of who was faster.
	err := os.Link(draft, path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		// No links on this file system: then without the draft.
		err = writeNew(path, text)
	}
	if err != nil {
		return err
	}
	return syncFolder(folder)
}

// writeNew writes a file that is not there yet, and returns when it is on the
// disk.
func writeNew(path, text string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		os.Remove(path)
	}
	return err
}

// syncFolder makes a new name in a folder outlive a power cut. Windows has no
// such call for folders.
func syncFolder(folder string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	handle, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(handle.Sync(), handle.Close())
}

// reason is an error of package os without operation and path, which our
// sentence has already.
func reason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
