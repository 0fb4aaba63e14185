package rpcserver

import (
	"sync/atomic"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/policy"
)

const (
	// A handler has less time than its caller waits, so that its answer, or the news
	// that there is none, arrives before the caller has given up: 20 ms less as in
	// Boulder, but a tenth at most.
	shave      = 20 * time.Millisecond
	shavedPart = 10
	// A call is hopeless when it has less than half of the time that its method takes
	// usually on a server that has nothing else to do.
	hopelessPart = 2
	// One call in five of ten seconds may be refused as hopeless, as in Finagle: what
	// is usual may have changed, and only calls that are let in show that.
	hopelessShare  = 5
	hopelessWindow = 10 * time.Second
)

// deadlineOf returns when a handler must have ended: a little before its caller
// gives up, and no later than the timeout of the method, when it has one.
func deadlineOf(arrived, caller time.Time, known bool, timeout time.Duration) time.Time {
	var end time.Time
	if known {
		end = caller.Add(-min(shave, max(0, caller.Sub(arrived)/shavedPart)))
	}
	if own := arrived.Add(timeout); timeout > 0 && (!known || own.Before(end)) {
		end = own
	}
	return end
}

// timeoutOf is the timeout of a unary method.
func timeoutOf(p *policy.Policy) time.Duration {
	if p == nil {
		return policy.DefaultTimeout
	}
	return p.Timeout
}

// hopeless says that there is no point in beginning with a call.
func (c *call) hopeless() bool {
	if c.end.IsZero() || c.method.shed == nil {
		return false
	}
	left := c.end.Sub(c.arrived)
	if left > 0 && left >= c.method.shed.Usual()/hopelessPart {
		return false
	}
	return left <= 0 || c.method.server.hopeless.allow(c.arrived)
}

// allowance lets a share of the calls be refused.
type allowance struct {
	calls, refused atomic.Int64
	began          atomic.Int64 // in nanoseconds since 1970
}

// allow says whether one more may be refused, and counts it.
func (a *allowance) allow(now time.Time) bool {
	began := a.began.Load()
	elapsed := now.UnixNano() - began
	if elapsed > int64(hopelessWindow) && a.began.CompareAndSwap(began, now.UnixNano()) {
		a.calls.Store(int64(float64(a.calls.Load()) * float64(hopelessWindow) / float64(elapsed)))
		a.refused.Store(0)
	}
	if a.refused.Add(1)*hopelessShare <= a.calls.Load() {
		return true
	}
	a.refused.Add(-1)
	return false
}
