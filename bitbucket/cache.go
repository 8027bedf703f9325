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
	size  int           // entries at the most
	last  time.Duration // how long an entry holds
	room  int           // what all entries may weigh together, 0 where they are not weighed
	weigh func(V) int   // what an entry weighs

	mu      *sync.Mutex
	held    *int                // what the entries weigh together
	entries map[K]*list.Element // of *entry[K, V]
	order   *list.List          // the most recently used first
}

type entry[K comparable, V any] struct {
	key   K
	value V
	until time.Time
}

func newCache[K comparable, V any](size int, last time.Duration) cache[K, V] {
	return cache[K, V]{
		size: size, last: last, weigh: func(V) int { return 0 },
		mu: new(sync.Mutex), held: new(int), entries: map[K]*list.Element{}, order: list.New(),
	}
}

// newWeighedCache returns a cache of entries that differ in size by far: it is
// bounded by what they weigh together too.
func newWeighedCache[K comparable, V any](size, room int, last time.Duration, weigh func(V) int) cache[K, V] {
	c := newCache[K, V](size, last)
	c.room, c.weigh = room, weigh
	return c
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
	weight := c.weigh(value)
	if weight > c.room {
		return
	}
	for c.order.Len() >= c.size || *c.held+weight > c.room {
		c.drop(c.order.Back())
	}
	*c.held += weight
	c.entries[key] = c.order.PushFront(&entry[K, V]{key, value, time.Now().Add(c.last)})
}

func (c cache[K, V]) drop(e *list.Element) {
	held := e.Value.(*entry[K, V])
	c.order.Remove(e)
	delete(c.entries, held.key)
	*c.held -= c.weigh(held.value)
}
