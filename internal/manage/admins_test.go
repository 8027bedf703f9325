package manage

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/internal/audit"
	"bucketgate/internal/secret"
	"bucketgate/internal/store"
)

func TestAnAdminIsOneAsLongAsItsKeyIsGood(t *testing.T) {
	for name, row := range map[string]struct {
		take  func(*desk) error
		still bool
	}{
		"nothing happens": {func(*desk) error { return nil }, true},
		"another client is revoked": {func(d *desk) error {
			_, _, err := d.CreateClient(context.Background(), boss, Client{Name: "other", Role: "admin"})
			if err != nil {
				return err
			}
			return d.RevokeClient(context.Background(), boss, "other")
		}, true},
		"it is revoked": {func(d *desk) error { return d.RevokeClient(context.Background(), boss, "anna") }, false},
		"it gets another key": {func(d *desk) error {
			_, _, err := d.ReplaceClientKey(context.Background(), boss, 0, "anna")
			return err
		}, false},
		"it becomes an agent": {func(d *desk) error {
			_, err := d.UpdateClient(context.Background(), boss, 0, Client{Name: "anna", Role: "agent"})
			return err
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			_, key, err := d.CreateClient(t.Context(), boss, Client{Name: "anna", Role: "admin", ExpiresIn: time.Hour})
			require.NoError(t, err)
			admin, err := d.LogIn(t.Context(), Actor{Transport: "test"}, key, nil)
			require.NoError(t, err)
			assert.Equal(t, "anna", admin.Name)
			require.NoError(t, row.take(d))
			still, err := d.StillAdmin(t.Context(), admin)
			require.NoError(t, err)
			assert.Equal(t, row.still, still)
			again, err := d.LogIn(t.Context(), Actor{Transport: "test"}, key, nil)
			if row.still {
				assert.NoError(t, err)
				return
			}
			assert.ErrorIs(t, err, ErrNoAdmin)
			assert.Empty(t, again)
		})
	}
	d := newDesk(t)
	still, err := d.StillAdmin(t.Context(), Admin{})
	require.NoError(t, err)
	assert.False(t, still, "the zero admin is none")
	_, err = d.LogIn(t.Context(), Actor{Transport: "test"}, secret.Text{}, nil)
	assert.ErrorIs(t, err, ErrNoAdmin)
}

func TestALoginIsWrittenDownWithoutWhatWasTyped(t *testing.T) {
	d := newDesk(t)
	_, key, err := d.CreateClient(t.Context(), boss, Client{Name: "bot"})
	require.NoError(t, err)
	for typed, reason := range map[string]string{"hunter2-canary": "what was typed is no key of a client", key.Reveal(): "the client is not an admin"} {
		_, err := d.LogIn(t.Context(), Actor{Transport: "test"}, secret.NewText(typed), nil)
		require.ErrorIs(t, err, ErrNoAdmin)
		assert.NotContains(t, err.Error(), typed)
		e := d.events()[0]
		assert.Equal(t, "log_in", e.Tool)
		assert.Equal(t, audit.Denied, e.Decision)
		assert.Equal(t, reason, e.Reason)
		assert.NotContains(t, e.Caller+e.Target+e.Reason, typed)
	}
}

func TestTheFirstAdminIsMadeOnce(t *testing.T) {
	d := newDesk(t)
	has, err := d.HasAdmin(t.Context())
	require.NoError(t, err)
	assert.False(t, has)
	created, key, err := d.CreateFirstAdmin(t.Context(), boss, "anna")
	require.NoError(t, err)
	assert.Equal(t, "admin", created.Role)
	_, err = d.LogIn(t.Context(), Actor{Transport: "test"}, key, nil)
	require.NoError(t, err)
	_, second, err := d.CreateFirstAdmin(t.Context(), boss, "bert")
	assert.ErrorIs(t, err, ErrHasAdmin)
	assert.True(t, second.IsZero())
	_, err = d.Client(t.Context(), "bert")
	assert.ErrorIs(t, err, store.ErrNotFound)
	require.NoError(t, d.RevokeClient(t.Context(), boss, "anna"))
	_, _, err = d.CreateFirstAdmin(t.Context(), boss, "bert")
	assert.NoError(t, err, "the only admin is revoked")
}
