package manage

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"2s": 2 * time.Second, "36h": 36 * time.Hour, "1h30m": 90 * time.Minute, "1d": 24 * time.Hour, "90d": 90 * 24 * time.Hour, "100000d": 100_000 * 24 * time.Hour,
	} {
		got, ok := ParseDuration(text)
		assert.True(t, ok, text)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "d", "0", "0s", "0d", "-5m", "-1d", "+1d", "1.5d", "1d12h", "90", "soon", " 1d", "1 d", "106752d", "99999999999999999999d", "9999999h"} {
		_, ok := ParseDuration(text)
		assert.False(t, ok, text)
	}
}
