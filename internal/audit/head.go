package audit

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
)

// Heads are the ends of the chains, by writer.
type Heads map[string]Head

// A HeadFile keeps the ends of the chains outside the database, so that
// [Verify] finds what was cut off there. Keep it where who can edit the
// database cannot write. It is signed with the key, and written anew each
// time: in full beside it, synced, and renamed. Entries only ever go forward.
//
// On Unix several processes may share one file. Elsewhere give each its own.
type HeadFile struct {
	mu   sync.Mutex
	path string
	key  Key
}

// OpenHeadFile returns the head file at the path, which need not be there yet.
// One that is there must be readable and signed.
func OpenHeadFile(path string, key Key) (*HeadFile, error) {
	if key == nil {
		return nil, errors.New("opening the audit head file: a key is needed")
	}
	f := &HeadFile{path: path, key: key}
	if _, err := f.heads(); err != nil {
		return nil, err
	}
	return f, nil
}

// ReadHeads returns what a head file says. A file that is missing is an error:
// who removes it must not have made a cut tail look whole.
func ReadHeads(path string, key Key) (Heads, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the audit head file: %w", err)
	}
	heads, err := parseHeads(raw, key)
	if err != nil {
		return nil, fmt.Errorf("the audit head file %s %w", path, err)
	}
	return heads, nil
}

// heads are those in the file, none where there is no file.
func (f *HeadFile) heads() (Heads, error) {
	heads, err := ReadHeads(f.path, f.key)
	if errors.Is(err, fs.ErrNotExist) {
		return Heads{}, nil
	}
	return heads, err
}

// put writes the end of a writer's chain and keeps those of the others. An
// entry that is further on stays: another process of the same chain wrote it.
func (f *HeadFile) put(writer string, head Head) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	unlock, err := lockFile(f.path + ".lock")
	if err != nil {
		return fmt.Errorf("locking the audit head file: %w", err)
	}
	defer unlock()
	heads, err := f.heads()
	if err != nil {
		return err
	}
	if heads[writer].Seq >= head.Seq {
		return nil
	}
	heads[writer] = head
	if err := f.replace(heads); err != nil {
		return fmt.Errorf("writing the audit head file: %w", err)
	}
	return nil
}

func (f *HeadFile) replace(heads Heads) error {
	raw, err := formatHeads(heads, f.key)
	if err != nil {
		return err
	}
	temporary := f.path + ".new"
	if err := writeSynced(temporary, raw); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	if err := os.Rename(temporary, f.path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(f.path))
}

func writeSynced(path string, raw []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(raw)
	return errors.Join(err, file.Sync(), file.Close())
}

// syncFolder makes a rename last. Windows has no such thing.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// A headLine is one writer in the file.
type headLine struct {
	Writer string `json:"writer"`
	Seq    int64  `json:"seq"`
	ID     string `json:"id"`
	MAC    string `json:"mac"` // of the event, hex
}

type headsFile struct {
	Heads []headLine `json:"heads"`
	MAC   string     `json:"mac"` // of the file, hex
}

func formatHeads(heads Heads, key Key) ([]byte, error) {
	mac, err := key.MAC(headsData(heads))
	if err != nil {
		return nil, fmt.Errorf("signing it: %w", err)
	}
	file := headsFile{MAC: hex.EncodeToString(mac)}
	for _, writer := range slices.Sorted(maps.Keys(heads)) {
		h := heads[writer]
		file.Heads = append(file.Heads, headLine{writer, h.Seq, h.ID, hex.EncodeToString(h.MAC)})
	}
	raw, err := json.MarshalIndent(file, "", "  ")
	return append(raw, '\n'), err
}

func parseHeads(raw []byte, key Key) (Heads, error) {
	var file headsFile
	if err := json.Unmarshal(raw, &file); err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	heads := Heads{}
	for _, line := range file.Heads {
		mac, err := hex.DecodeString(line.MAC)
		if err != nil {
			return nil, fmt.Errorf("cannot be read: %w", err)
		}
		heads[line.Writer] = Head{Seq: line.Seq, MAC: mac, ID: line.ID}
	}
	mac, err := hex.DecodeString(file.MAC)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	if len(heads) != len(file.Heads) || key.VerifyMAC(mac, headsData(heads)) != nil {
		return nil, errors.New("was changed by somebody without the key, or belongs to another keyset")
	}
	return heads, nil
}

// headsData is what the MAC of the file is over.
func headsData(heads Heads) []byte {
	d := appendPart(nil, labelHeads)
	for _, writer := range slices.Sorted(maps.Keys(heads)) {
		h := heads[writer]
		d = appendPart(d, writer)
		d = binary.BigEndian.AppendUint64(d, uint64(h.Seq))
		d = appendPart(d, h.ID)
		d = appendPart(d, h.MAC)
	}
	return d
}
