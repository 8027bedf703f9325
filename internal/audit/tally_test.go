package audit

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A tally counts what is written for one piece of work, and nothing else.
func TestTally(t *testing.T) {
	m := newMemory()
	w := openWriter(t, m.config("w"))
	ctx, tally := WithTally(t.Context())
	other, none := WithTally(t.Context())
	require.NoError(t, w.Commit(ctx, read("a")))
	assert.Equal(t, 1, tally.Events())
	require.NoError(t, w.With(context.WithoutCancel(ctx), read("b"), m.commit))
	assert.Equal(t, 2, tally.Events())
	assert.Error(t, w.With(ctx, read("c"), func(Record) error { return errors.New("the change is refused") }))
	assert.Equal(t, 2, tally.Events(), "what was not written is not counted")
	require.NoError(t, w.Commit(t.Context(), read("d")))

	gone, cancel := context.WithCancel(other)
	cancel()
	_ = w.Commit(gone, read("e"))
	assert.Equal(t, 1, none.Events(), "it is written for who has gone too")
	require.NoError(t, w.Close(t.Context()))
	assert.Equal(t, []string{"a", "b", "d", "e"}, m.targets("w"))
	assert.Error(t, w.Commit(ctx, read("f")))
	assert.Equal(t, 2, tally.Events())
	assert.Zero(t, (*Tally)(nil).Events())
}
