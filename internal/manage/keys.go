package manage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"bucketgate/internal/audit"
	"bucketgate/internal/store"
)

// RotateKeys seals every stored secret anew with a new key, while others go on,
// and returns the keys that there are then. The event is written together with
// the new key. One that was killed is finished by the next.
func (s *Service) RotateKeys(ctx context.Context, actor Actor) (store.KeyStatus, error) {
	if err := s.change(ctx, action{actor: actor, tool: "rotate_keys"}, (*store.Tx).BeginRotation); err != nil {
		return store.KeyStatus{}, err
	}
	if err := s.config.Store.FinishRotation(ctx); err != nil {
		return store.KeyStatus{}, fmt.Errorf("the new key is in use, but not everything is sealed with it: %w; then bucketgate keys rotate once more finishes it", err)
	}
	return s.config.Store.KeyStatus(ctx)
}

// Backup copies the database into a new file. The event stands in the database
// and not in the copy.
func (s *Service) Backup(ctx context.Context, actor Actor, path string) error {
	a := action{actor: actor, tool: "backup", target: filepath.Base(path)}
	made := false
	_, err := told(ctx, s, a, func() (struct{}, string, error) {
		err := s.config.Store.Backup(ctx, path)
		made = err == nil
		return struct{}{}, "", err
	})
	if err != nil && made {
		// A copy that the log does not know of must not be there.
		return errors.Join(err, os.Remove(path))
	}
	return err
}

// NoteRestore writes into a database that it was just restored.
func (s *Service) NoteRestore(ctx context.Context, actor Actor, backup, kept string) error {
	outcome := "there was no database before"
	if kept != "" {
		outcome = "what was there before is kept in " + filepath.Base(kept)
	}
	a := action{actor: actor, tool: "restore", target: filepath.Base(backup)}
	return s.config.Audit.Commit(ctx, a.event(audit.Allowed, outcome))
}
