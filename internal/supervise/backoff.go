package supervise

import (
	"math/rand/v2"
	"time"
)

const (
	firstWait   = 100 * time.Millisecond
	longestWait = 10 * time.Second
	// steady is how long a process is ready that is not at fault by itself: what
	// it cannot live with shows at its first calls. Somebody who kills it now and
	// then must not find it down for long.
	steady = time.Second
)

// backoff says how long to wait before a process is started again: half of it is
// sure, so that a process that cannot live does not keep the machine busy, and
// half is random, so that replicas which ended together do not start together.
type backoff struct {
	steady time.Duration
	limit  time.Duration
}

// next returns the wait after a process that was ready for so long: 50 ms at
// least, 10 s at most. How long it took to start does not count.
func (b *backoff) next(ready time.Duration) time.Duration {
	if b.limit == 0 || ready >= b.steady {
		b.limit = firstWait
	} else {
		b.limit = min(2*b.limit, longestWait)
	}
	return b.limit/2 + rand.N(b.limit/2)
}
