package calls

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	// overcommit is how many calls are made for each that is accepted: K in the
	// formula, 2 in Google's SRE book. A service that is back is noticed by the
	// calls beyond those that it accepted.
	overcommit = 2
	// mostThrottled is the largest share of calls that is not made.
	mostThrottled = 0.9
	// fewest calls in the window say nothing about a service.
	fewest = 20
	// throttleSlices of 100 ms are the window: 3 s. The book has 2 minutes, which is
	// how long a service that is well again would be kept from its calls.
	throttleSlices = 30
	// recentSlices of 100 ms show that a service has recovered.
	recentSlices = 5
	// recovered is the share of recent calls that a service which has recovered
	// accepts.
	recovered = 0.9
)

// Throttle keeps a share of calls from a method whose service turns most of them
// away, all replicas together: what a breaker cannot do, since it chooses among
// replicas. It is the client-side throttling of Google's SRE book (chapter 21):
// calls are left out with the probability (calls - 2 accepted)/(calls + 1). Its
// methods may be called by several goroutines at once.
type Throttle struct {
	counts window // first counts what was asked for, then counts what was accepted
	lately window // first counts what was made, then counts what was accepted
	// troubled is set by the first call that is turned away. Until then nothing is
	// counted, so that it costs nothing.
	troubled atomic.Bool
	last     atomic.Pointer[status.Status] // what the service said when it turned one away
}

// NewThrottle returns a throttle that lets everything pass.
func NewThrottle() *Throttle {
	return &Throttle{
		counts: newWindow(throttleSlices, 100*time.Millisecond),
		lately: newWindow(recentSlices, 100*time.Millisecond),
	}
}

// Refusal returns nil for a call that is to be made, and else what the service has
// last answered instead.
func (t *Throttle) Refusal() *status.Status {
	if !t.troubled.Load() || rand.Float64() >= t.Share() {
		return nil
	}
	t.counts.now().first.Add(1) // as in the book: what is left out counts as asked
	return t.last.Load()
}

// Share returns the share of calls that are left out, from 0 to 0.9.
func (t *Throttle) Share() float64 {
	asked, accepted := t.counts.sum(throttleSlices)
	if asked < fewest {
		return 0
	}
	return min(mostThrottled, max(0, float64(asked-overcommit*accepted)/float64(asked+1)))
}

// Ended counts an attempt by the error that it ended with.
func (t *Throttle) Ended(err error) {
	away := turnedAway(err)
	if !away && !t.troubled.Load() {
		return
	}
	accepted := int64(1)
	if away {
		accepted = 0
		t.last.Store(status.Convert(err))
		t.troubled.Store(true)
	}
	for _, w := range []*window{&t.counts, &t.lately} {
		s := w.now()
		s.first.Add(1)
		s.then.Add(accepted)
	}
	t.relax()
}

// relax ends the throttling when a service accepts what it gets.
func (t *Throttle) relax() {
	made, accepted := t.lately.sum(recentSlices)
	if accepted >= fewest/2 && float64(accepted) >= recovered*float64(made) {
		t.counts.forget()
		t.troubled.Store(false)
	}
}

// turnedAway says whether an error means that the service cannot take more. An
// answer, also one that the caller does not like, means that it can; so does
// INTERNAL, with which a handler fails for one request and not for the next.
func turnedAway(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.ResourceExhausted:
		return true
	}
	return false
}
