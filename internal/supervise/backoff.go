package supervise

import (
	"math/rand/v2"
	"time"
)

const (
	firstWait   = 200 * time.Millisecond
	longestWait = 10 * time.Second
	// steady is how long a process lives that is not at fault by itself.
	steady = 10 * time.Second
)

// backoff says how long to wait before a process is started again: half of it is
// sure, so that a process that cannot live does not keep the machine busy, and
// half is random, so that replicas which ended together do not start together.
type backoff struct {
	limit time.Duration
}

// next returns the wait after a process that has lived so long: 100 ms at least,
// 10 s at most.
func (b *backoff) next(lived time.Duration) time.Duration {
	if b.limit == 0 || lived >= steady {
		b.limit = firstWait
	} else {
		b.limit = min(2*b.limit, longestWait)
	}
	return b.limit/2 + rand.N(b.limit/2)
}
