package bitbucket

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func has[K comparable, V any](c cache[K, V], key K) bool {
	_, ok := c.get(key)
	return ok
}

func TestCacheForgetsTheLeastRecentlyUsed(t *testing.T) {
	c := newCache[string, int](2, time.Hour)
	c.put("a", 1)
	c.put("b", 2)
	assert.True(t, has(c, "a"))
	c.put("c", 3)
	assert.True(t, has(c, "a"))
	assert.False(t, has(c, "b"))
	assert.True(t, has(c, "c"))
}

func TestCacheForgetsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache[string, int](2, time.Minute)
		c.put("a", 1)
		time.Sleep(time.Minute)
		assert.True(t, has(c, "a"))
		time.Sleep(time.Second)
		assert.False(t, has(c, "a"))
	})
}

func TestCacheIsBoundedByWeight(t *testing.T) {
	c := newWeighedCache[string, string](100, 10, time.Hour, func(v string) int { return len(v) })
	weight := func() int { return *c.held }
	c.put("a", "1234")
	c.put("b", "1234")
	assert.Equal(t, 8, weight())
	c.put("c", "123")
	assert.False(t, has(c, "a"), "the oldest makes room")
	assert.Equal(t, 7, weight())
	c.put("b", "1")
	assert.Equal(t, 4, weight(), "what is replaced weighs nothing any more")
	c.put("d", strings.Repeat("x", 11))
	assert.False(t, has(c, "d"), "what never fits drives nothing out")
	assert.True(t, has(c, "b"))
	c.put("e", strings.Repeat("x", 10))
	assert.True(t, has(c, "e"))
	assert.Equal(t, 10, weight())
	c.put("f", "")
	assert.True(t, has(c, "e"))
}
