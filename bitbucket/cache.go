package bitbucket

import (
	"container/list"
	"sync"
	"time"
)

// A cache remembers what does not change for a while. The least recently used
// entry makes room for a new one. It never decides: what is found in it was
// asked for with the same account and the same scopes, which are in the key.
type cache[K comparable, V any] struct {
	size int
	last time.Duration // how long an entry holds

	mu      *sync.Mutex
	entries map[K]*list.Element // of *entry[K, V]
	order   *list.List          // the most recently used first
}

type entry[K comparable, V any] struct {
	key   K
	value V
	until time.Time
}

func newCache[K comparable, V any](size int, last time.Duration) cache[K, V] {
	return cache[K, V]{size: size, last: last, mu: new(sync.Mutex), entries: map[K]*list.Element{}, order: list.New()}
}

func (c cache[K, V]) get(key K) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.entries[key]
	if !ok {
		return value, false
	}
	held := found.Value.(*entry[K, V])
	if time.Now().After(held.until) {
		c.drop(found)
		return value, false
	}
	c.order.MoveToFront(found)
	return held.value, true
}

func (c cache[K, V]) put(key K, value V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.entries[key]; ok {
		c.drop(old)
	}
	if c.order.Len() >= c.size {
		c.drop(c.order.Back())
	}
	c.entries[key] = c.order.PushFront(&entry[K, V]{key, value, time.Now().Add(c.last)})
}

func (c cache[K, V]) drop(e *list.Element) {
	c.order.Remove(e)
	delete(c.entries, e.Value.(*entry[K, V]).key)
}
