package balance

import (
	"math"
	"time"

	"github.com/sony/gobreaker/v2"
)

const (
	// riskAfter is how long a probe waits for an idempotent call: then any call is
	// risked, for there may be no others.
	riskAfter = time.Second
	// probeAgain is when a probe is due again that could not be made.
	probeAgain = 10 * time.Millisecond
	// probeLongest is when a probe that nobody has answered counts as failed, unless
	// calls take long: then it is tooSlow times as long as they take. gobreaker has no
	// such end, and would wait for ever.
	probeLongest = 2 * breakerTimeout
	// streamLongest is when a stream that has not failed counts as working.
	streamLongest = 5 * time.Second
)

// wake makes choices look after breakers from a time on.
func (c *Cluster) wake(at int64) {
	for {
		next := c.nextProbe.Load()
		if next <= at || c.nextProbe.CompareAndSwap(next, at) {
			return
		}
	}
}

// probe looks after the breakers that have something to do. It returns the place of
// the endpoint for which the attempt is the probe, or -1: the next call that fits
// is, so that there is a way out of an open breaker however rarely it is drawn.
func (t *table) probe(f *filter, a *Attempt) int {
	c := t.cluster
	if f.now < c.nextProbe.Load() || !c.probing.TryLock() {
		return -1
	}
	defer c.probing.Unlock()
	c.nextProbe.Store(math.MaxInt64) // what opens from now on makes it earlier again
	chosen := -1
	for _, i := range t.weighty.places {
		e := t.candidates[i].endpoint
		until := e.openUntil.Load()
		if until == 0 {
			continue
		}
		if until <= f.now && e.breaker.due(f.now) && chosen < 0 && f.serves(&t.candidates[i]) && e.breaker.begin(f.now, a) {
			chosen = int(i)
		}
		if until = e.openUntil.Load(); until != 0 {
			c.wake(max(until, f.now+int64(probeAgain)))
		}
	}
	return chosen
}

// due says whether a probe may begin, and gives up one that has taken too long.
func (b *breaker) due(now int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.endpoint.openUntil.Load() > now:
		return false
	case b.probe == nil:
		return true
	case b.stream:
		b.end(now, ending{verdict: Success})
	default:
		b.end(now, ending{verdict: Failure, hung: true})
	}
	return false
}

// begin makes an attempt the probe, if it may be and gobreaker agrees.
func (b *breaker) begin(now int64, a *Attempt) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	due := b.endpoint.openUntil.Load()
	if b.probe != nil || !mayProbe(a, now-due) {
		return false
	}
	done, err := b.is.Allow()
	if err != nil {
		return false
	}
	b.probe, b.stream = done, a != nil && a.Stream
	b.next(now + int64(b.patience(now)))
	b.tell(gobreaker.StateHalfOpen, "a call tries it again")
	return true
}

// mayProbe says whether an attempt may be risked on a replica that failed. One that
// has failed elsewhere already may not.
func mayProbe(a *Attempt, waited int64) bool {
	if a == nil {
		return waited >= int64(riskAfter)
	}
	if len(a.Tried) > 0 {
		return false
	}
	return a.Idempotent && !a.Stream || waited >= int64(riskAfter)
}

func (b *breaker) patience(now int64) time.Duration {
	if b.stream {
		return streamLongest
	}
	return max(probeLongest, tooSlow*b.endpoint.cluster.typical(now))
}
