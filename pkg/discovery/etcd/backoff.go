package etcd

import (
	"context"
	"math/rand/v2"
	"time"
)

const shortestWait = 250 * time.Millisecond

// retry counts the failures in a row and says how long to wait after the next,
// longest at most.
type retry struct {
	longest  time.Duration
	failures int
}

// next returns a random time (full jitter), so that the processes which lost etcd
// together do not come back together.
func (r *retry) next() time.Duration {
	limit := min(r.longest, shortestWait<<min(r.failures, 10))
	r.failures++
	return rand.N(limit)
}

func (r *retry) reset() { r.failures = 0 }

// pause waits, or returns early when ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
