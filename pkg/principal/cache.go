package principal

import (
	"crypto/sha256"
	"sync"
	"time"

	principalv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/principal/v1"
)

// generation is how many envelopes are remembered before the oldest are
// forgotten. Two generations of 4096 principals take about 4 MB.
const generation = 4096

// cache remembers accepted envelopes by their hash. When the young generation is
// full it becomes the old one, and what was old is dropped: bounded, and no list
// of what was used last has to be kept.
type cache struct {
	mu         sync.Mutex
	young, old map[hash]entry
}

type hash = [sha256.Size]byte

type entry struct {
	principal *principalv1.Principal
	end       time.Time
}

// get returns what was put under key, unless it has ended or was forgotten.
func (c *cache) get(key hash, now time.Time) (*principalv1.Principal, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.young[key]
	if !ok {
		e, ok = c.old[key]
	}
	if !ok {
		return nil, false
	}
	if !now.Before(e.end) {
		delete(c.young, key)
		delete(c.old, key)
		return nil, false
	}
	return e.principal, true
}

func (c *cache) put(key hash, p *principalv1.Principal, end time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.young == nil || len(c.young) >= generation {
		c.young, c.old = make(map[hash]entry), c.young
	}
	c.young[key] = entry{p, end}
}
