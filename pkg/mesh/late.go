package mesh

import (
	"cmp"
	"context"
	"math"
	"sync"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/mesh/internal/balance"
	"github.com/fairlead-mesh/fairlead/pkg/mesh/internal/calls"
	"github.com/fairlead-mesh/fairlead/pkg/rpcserver"
)

const (
	// soonestHedge is the shortest time after which a second attempt is made beside
	// the first: below it, waiting for a processor looks like a slow replica, and
	// what a person waits for is not noticeably shorter.
	soonestHedge = 10 * time.Millisecond
	// soonestCut and cutFactor: an attempt is given up after three times what 99 % of
	// the calls of its method take, and not before 50 ms.
	soonestCut = 50 * time.Millisecond
	cutFactor  = 3
	// soonestBlindCut is the same for a method of which little is known.
	soonestBlindCut = 500 * time.Millisecond
)

// late watches over an attempt that may be repeated. When it takes longer than
// 95 % of such calls do, another replica is asked beside it (a hedge: Dean and
// Barroso, The Tail at Scale). When it takes so long that the replica must be
// hanging, it is given up. The budget pays for both.
//
// A late is used again and again with its timer, since making one costs as much as
// all the rest of the watch.
type late struct {
	timer *time.Timer // calls fire

	call    *call
	attempt *balance.Attempt
	number  int
	cancel  context.CancelFunc
	hedgeIn time.Duration // 0 when there is to be no hedge
	cutIn   time.Duration

	mu      sync.Mutex
	over    bool   // the attempt has ended
	cut     bool   // it was given up
	paid    bool   // the budget has paid for the one after it
	stopped bool   // the timer will not fire any more
	beside  *hedge // nil as long as there is none
}

var lates = sync.Pool{New: func() any {
	l := new(late)
	l.timer = time.AfterFunc(never, l.fire)
	return l
}}

// watch begins to watch over attempt n of a call.
func watch(c *call, a *balance.Attempt, n int, start time.Time, cancel context.CancelFunc) *late {
	l := lates.Get().(*late)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.call, l.attempt, l.number, l.cancel = c, a, n, cancel
	l.cutIn, l.hedgeIn = c.cutAfter(start), 0
	if n == calls.MaxAttempts {
		l.cutIn = never // no other would follow
	}
	// The last one may have been left with a replica that hangs.
	if hedgeIn := c.hedgeAfter(); (n == 1 || n == calls.MaxAttempts) && hedgeIn < l.cutIn {
		l.hedgeIn = hedgeIn
	}
	l.timer.Reset(cmp.Or(l.hedgeIn, l.cutIn))
	return l
}

// hedgeAfter returns 0 as long as it is not known what is usual.
func (c *call) hedgeAfter() time.Duration {
	p95 := c.method.latency.P95()
	if p95 == 0 {
		return 0
	}
	return max(soonestHedge, p95)
}

// cutAfter leaves enough time for another attempt: as long as such calls usually
// take. Where there is none, the attempt is not cut off. As long as little is
// known, it gets half of the time, and all of it when one took as long before.
func (c *call) cutAfter(start time.Time) time.Duration {
	left := c.deadline.Sub(start)
	cut, usual := max(soonestBlindCut, left/2), c.method.latency.Longest()
	if p99 := c.method.latency.P99(); p99 > 0 {
		cut, usual = max(soonestCut, cutFactor*p99), c.method.latency.P95()
	}
	if left-cut <= usual {
		return never
	}
	return cut
}

// never is longer than any call.
const never = time.Duration(math.MaxInt64)

// end stops the watch. Nothing of it changes any more.
func (l *late) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	l.stopped = l.timer.Stop()
}

// release gives it back, unless its timer fires at this moment.
func (l *late) release() {
	if !l.stopped {
		return
	}
	l.call, l.attempt, l.cancel, l.beside = nil, nil, nil, nil
	l.over, l.cut, l.paid, l.stopped = false, false, false, false
	lates.Put(l)
}

// fire is called by the timer.
func (l *late) fire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.over:
	case l.hedgeIn > 0:
		l.timer.Reset(l.cutIn - l.hedgeIn)
		l.hedgeIn = 0
		l.hedge()
	default:
		l.giveUp()
	}
}

// giveUp cuts the attempt off when another one can follow.
func (l *late) giveUp() {
	l.attempt.TimedOut.Store(true) // its replica is blamed in any case
	if rpcserver.IsRetry(l.call.ctx) || !l.call.budget.Take() {
		return
	}
	l.cut, l.paid = true, true
	l.cancel()
}
