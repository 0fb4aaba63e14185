package balance

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
)

// breaker is the circuit breaker of one endpoint: gobreaker decides, and here is
// when it is asked. Calls that succeed while it is closed never come here. It
// filters endpoints in the choice; no call is ever refused by it.
//
// gobreaker is only entered with mu held: what follows from its decisions can so be
// done after it has returned, and not in its callbacks, which run under its lock.
type breaker struct {
	endpoint *Endpoint
	state    atomic.Int32 // a gobreaker.State
	holds    atomic.Bool  // one of the places for open breakers, see takePlace

	mu      sync.Mutex
	is      *gobreaker.TwoStepCircuitBreaker[struct{}]
	probe   func(error) // what the end of the probe is told to; nil when none runs
	stream  bool        // the probe is a stream
	penalty penalty
	reason  string // why it opened last, having been closed
	opening int64  // when that was
	since   int64  // when it changed last
}

var (
	errFailed   = errors.New("failed")
	errExcluded = errors.New("says nothing")
	// verdictErrors are what gobreaker is told.
	verdictErrors = [...]error{Success: nil, Failure: errFailed, Excluded: errExcluded}
)

// breakerTimeout is gobreaker's own: the least time between opening and the first
// probe. Longer ones are the business of the penalty.
const breakerTimeout = time.Second

func (b *breaker) make(e *Endpoint) {
	b.endpoint = e
	b.is = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests:   1,
		Timeout:       breakerTimeout,
		ReadyToTrip:   func(gobreaker.Counts) bool { return e.trips() },
		IsSuccessful:  func(err error) bool { return err == nil },
		IsExcluded:    func(err error) bool { return errors.Is(err, errExcluded) },
		OnStateChange: func(_ string, _, to gobreaker.State) { b.state.Store(int32(to)) },
	})
}

func (b *breaker) now() gobreaker.State { return gobreaker.State(b.state.Load()) }

// failed tells gobreaker of a failure while it is closed.
func (b *breaker) failed(now int64, x ending) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.now() != gobreaker.StateClosed {
		return
	}
	if done, err := b.is.Allow(); err == nil {
		done(errFailed)
	}
	if b.now() == gobreaker.StateOpen {
		b.reason, b.opening = b.endpoint.blame(now, x), now
		b.opened(now, x, b.reason)
	}
}

// ended takes note of the end of a probe, unless it was given up.
func (b *breaker) ended(now int64, x ending) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.probe != nil && b.endpoint.era.Load() == x.era {
		b.end(now, x)
	}
}

// end tells gobreaker how the probe ended.
func (b *breaker) end(now int64, x ending) {
	if x.verdict == Success {
		b.endpoint.fresh(now, x.took) // before it is chosen again
	}
	b.probe(verdictErrors[x.verdict])
	b.probe = nil
	switch b.now() {
	case gobreaker.StateClosed:
		b.closed(now, "a probe was answered")
	case gobreaker.StateOpen:
		b.opened(now, x, "a probe failed with "+x.code())
	case gobreaker.StateHalfOpen:
		b.next(now) // another probe
	}
}

func (b *breaker) opened(now int64, x ending, reason string) {
	b.since = now
	b.next(now + int64(b.penalty.next(now, x, b.endpoint.cluster.rand())))
	b.tell(gobreaker.StateOpen, reason)
}

func (b *breaker) closed(now int64, reason string) {
	b.since = now
	b.penalty.closed(now)
	b.endpoint.parole.Store(now + int64(calm))
	b.next(0)
	b.release()
	b.tell(gobreaker.StateClosed, reason)
}

// next begins another era, in which there is something to do at a time, or never.
func (b *breaker) next(at int64) {
	b.endpoint.era.Add(1)
	b.endpoint.openUntil.Store(at)
	if at != 0 {
		b.endpoint.cluster.wake(at)
	}
}

func (b *breaker) tell(s gobreaker.State, reason string) {
	b.endpoint.cluster.changed(Event{b.endpoint.instance, s.String(), reason})
}

// release gives the place among the open breakers back.
func (b *breaker) release() {
	if b.holds.CompareAndSwap(true, false) {
		b.endpoint.cluster.open.Add(-1)
	}
}

// reset closes the breaker without asking gobreaker, which has no way to: another
// one takes its place.
func (b *breaker) reset(now int64, reason string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.now() == gobreaker.StateClosed {
		return
	}
	b.make(b.endpoint)
	b.state.Store(int32(gobreaker.StateClosed))
	b.probe = nil
	b.closed(now, reason)
}
