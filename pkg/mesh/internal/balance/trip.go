package balance

import "fmt"

// When a breaker opens: 5 failures in a row (Envoy, Finagle, gobreaker), or less
// than 80 % success in 10 s (Finagle, Linkerd) of at least 20 calls, since fewer
// say little.
const (
	tripConsecutive = 5
	tripSuccess     = 0.8
	tripSamples     = 20
	// paroleSamples are enough (as for Finagle and Linkerd) when the breaker was open
	// within the last minute: a replica that fails half of its calls also answers half
	// of its probes.
	paroleSamples = 5
	// tripBelow is how much less often than at its peers calls must have succeeded of
	// late. Where all fail alike, the fault is in something that all of them need, and
	// leaving one of them out mends nothing.
	tripBelow = 0.2
)

// trips decides for gobreaker, under its lock, whether the breaker opens. It reads
// atomics only. When it says yes, a place among the open breakers is taken.
func (e *Endpoint) trips() bool {
	now := e.cluster.now()
	return e.fails(now) && e.outlier(now) && e.takePlace()
}

func (e *Endpoint) fails(now int64) bool {
	if e.failures.Load() >= tripConsecutive {
		return true
	}
	samples := uint32(tripSamples)
	if now < e.parole.Load() {
		samples = paroleSamples
	}
	c := e.calls.sum(now)
	n := c.good + c.failed
	return n >= samples && float64(c.good) < tripSuccess*float64(n)
}

// outlier says whether the median of the peers succeeds clearly more often, that
// is, whether at least half of them do. Other than the mean and deviation of Envoy,
// that works for two replicas as well as for a hundred.
func (e *Endpoint) outlier(now int64) bool {
	mark := e.success.value(now) + tripBelow
	better, peers := 0, 0
	for _, peer := range *e.cluster.ready.Load() {
		if peer == e || peer.openUntil.Load() != 0 {
			continue
		}
		peers++
		if peer.success.value(now) >= mark {
			better++
		}
	}
	return better > 0 && 2*better >= peers
}

// takePlace keeps the open breakers at no more than half of the endpoints: none of
// one, one of two or three.
func (e *Endpoint) takePlace() bool {
	c := e.cluster
	for !e.gone.Load() {
		open := c.open.Load()
		if open >= c.places.Load() {
			return false
		}
		if c.open.CompareAndSwap(open, open+1) {
			e.breaker.holds.Store(true)
			if e.gone.Load() { // just now, and it did not see the place
				break
			}
			return true
		}
	}
	e.breaker.release()
	return false
}

// blame says why the breaker opened, for people.
func (e *Endpoint) blame(now int64, x ending) string {
	if n := e.failures.Load(); n >= tripConsecutive {
		return fmt.Sprintf("%d calls in a row failed, the last with %s", n, x.code())
	}
	c := e.calls.sum(now)
	return fmt.Sprintf("%d of %d calls failed in 10 s, the last with %s", c.failed, c.good+c.failed, x.code())
}
