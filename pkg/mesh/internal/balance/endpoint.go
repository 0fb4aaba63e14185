package balance

import (
	"sync/atomic"
	"time"
)

// Endpoint is what is known of one replica at one address. Whoever comes back
// under the same id at another address is another one.
type Endpoint struct {
	cluster           *Cluster
	instance, address string

	// What each choice reads and each end of a call writes.
	flight    flight
	streams   atomic.Int32
	failures  atomic.Uint32 // in a row
	failing   atomic.Int64  // when the first of them began
	cost      peak
	success   recent
	era       atomic.Uint32 // counts the changes of the breaker
	openUntil atomic.Int64  // when the breaker has something to do; 0 when it is closed
	warmUntil atomic.Int64  // end of the slow start; 0 when there is none
	warmFor   atomic.Int64  // its length
	parole    atomic.Int64  // until when the breaker opens again sooner

	calls   window
	latency histogram
	breaker breaker
	gone    atomic.Bool // no member any more

	// What follows belongs to Cluster.mu.
	member     Member
	ready      bool
	readySince int64 // of all connections of which none was long after the one before
	readyUntil int64 // when the last one was lost
}

func newEndpoint(c *Cluster, m Member, now int64, cost float64) *Endpoint {
	e := &Endpoint{cluster: c, instance: m.Instance, address: m.Address}
	e.cost.set(now, cost)
	e.success.set(now, 1)
	e.breaker.make(e)
	return e
}

// Instance returns the id of the replica.
func (e *Endpoint) Instance() string { return e.instance }

// Address returns where the replica listens, "host:port".
func (e *Endpoint) Address() string { return e.address }

// openCost is how much dearer a replica is whose breaker is open, where breakers
// do not decide.
const openCost = 10

// leastSuccess bounds the price of failing: a replica that fails for good costs a
// hundred times as much, and is tried again when its cost was forgotten.
const leastSuccess = 0.1

// price returns what one call takes now, in nanoseconds, and how many calls are
// on their way. Calls that are older than others took count with their age: a
// replica that hangs is seen before its calls return (Kratos predicts it from
// there). Failing makes a replica dear, since it makes it fast.
func (e *Endpoint) price(now int64) (call, inflight float64) {
	n, age := e.flight.load(now)
	call = max(e.cost.value(now), age)
	if s := e.success.value(now); s < 1 {
		s = max(s, leastSuccess)
		call /= s * s
	}
	if e.openUntil.Load() != 0 {
		call *= openCost
	}
	return call, n + float64(e.streams.Load())
}

// ended takes note of how an attempt ended. One that was chosen in another era of
// the breaker says nothing of the replica now.
func (e *Endpoint) ended(now int64, x ending) {
	switch {
	case e.era.Load() != x.era:
	case x.probe:
		e.breaker.ended(now, x)
	case x.verdict == Excluded || e.openUntil.Load() != 0:
	case x.verdict == Success:
		e.succeeded(now, x)
	default:
		e.failed(now, x)
	}
}

// succeeded ends a row of failures, unless the call began before they did: what was
// on its way when a replica broke often still succeeds.
func (e *Endpoint) succeeded(now int64, x ending) {
	if e.failures.Load() != 0 && x.began > e.failing.Load() {
		e.failures.Store(0)
	}
	e.success.add(now, true)
	e.calls.at(now).good.Add(1)
}

func (e *Endpoint) failed(now int64, x ending) {
	if e.failures.Add(1) == 1 {
		e.failing.Store(x.began)
	}
	e.success.add(now, false)
	e.calls.at(now).failed.Add(1)
	e.breaker.failed(now, x)
}

// A refusal makes a call a quarter dearer, up to ten times what is usual: a
// replica that is full gets fewer calls, and those that are all full the same.
const (
	refusalFactor = 1.25
	refusalBound  = 10
)

func (e *Endpoint) refused(now int64) {
	cost := e.cost.value(now)
	bound := refusalBound * float64(e.cluster.typical(now))
	e.cost.observe(now, max(cost, min(cost*refusalFactor, bound)))
}

// fresh forgets how the replica was while its breaker was open. latency is that of
// the probe, 0 when it is unknown.
func (e *Endpoint) fresh(now int64, latency time.Duration) {
	e.failures.Store(0)
	e.success.set(now, 1)
	e.calls.forgive()
	e.cost.set(now, float64(max(latency, e.cluster.typical(now))))
	e.warm(now, recoverFor)
}
