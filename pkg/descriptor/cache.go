package descriptor

import (
	"context"
	"fmt"
	"sync"
)

// Cache keeps the sets that were fetched, by digest. A digest names its bytes,
// so an entry is never wrong; it is dropped when Retain no longer names it. A
// Cache may be used by several goroutines at once.
type Cache struct {
	fetch func(ctx context.Context, digest string) ([]byte, error)

	mu   sync.Mutex
	sets map[string]*Set
}

// NewCache makes a cache over fetch, which is Registry.Descriptors as a rule.
func NewCache(fetch func(ctx context.Context, digest string) ([]byte, error)) *Cache {
	return &Cache{fetch: fetch, sets: make(map[string]*Set)}
}

// Get returns the set of that digest, and fetches it when it has to. An image
// whose bytes are not those of the digest is an error.
func (c *Cache) Get(ctx context.Context, digest string) (*Set, error) {
	if s := c.Peek(digest); s != nil {
		return s, nil
	}
	image, err := c.fetch(ctx, digest)
	if err != nil {
		return nil, err
	}
	if got := Digest(image); got != digest {
		return nil, fmt.Errorf("descriptor image %s: its bytes have the digest %s", digest, got)
	}
	s, err := Parse(image)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sets[digest] = s
	return s, nil
}

// Peek returns the set of that digest if it was fetched, or nil.
func (c *Cache) Peek(digest string) *Set {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sets[digest]
}

// Retain drops every set whose digest is not named.
func (c *Cache) Retain(digests map[string]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for d := range c.sets {
		if !digests[d] {
			delete(c.sets, d)
		}
	}
}
