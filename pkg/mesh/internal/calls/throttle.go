package calls

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
	policyv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/policy/v1"
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
// calls are left out with the probability (calls - 2 accepted)/(calls + 1), counted
// for each criticality by itself, so that calls which may be shed do not keep away
// those that may not. Its methods may be called by several goroutines at once.
type Throttle struct {
	// Each level is there from the first call of it that is turned away on. Until then
	// nothing is counted, so that it costs nothing.
	levels [levels]atomic.Pointer[level]
	// troubled is set as long as any of them leaves calls out, or may.
	troubled atomic.Bool
}

// levels are those of the policy, and one for what is none of them.
const levels = int(policyv1.Criticality_CRITICALITY_CRITICAL_PLUS) + 1

// level is the throttle for calls of one criticality.
type level struct {
	counts   window // first counts what was asked for, then counts what was accepted
	lately   window // first counts what was made, then counts what was accepted
	troubled atomic.Bool
	last     atomic.Uint32 // the code of the last call that was turned away
}

// NewThrottle returns a throttle that lets everything pass.
func NewThrottle() *Throttle { return new(Throttle) }

// Troubled says whether the service has turned calls away lately. As long as it has
// not, Refusal and Ended have nothing to do for a call that ended well.
func (t *Throttle) Troubled() bool { return t.troubled.Load() }

// Refusal returns nil for a call that is to be made, and else what to answer
// instead: the code that the service has last answered, and nothing else of that
// answer, which was somebody else's.
func (t *Throttle) Refusal(c policyv1.Criticality) error {
	l := t.levels[index(c)].Load()
	if l == nil || !l.troubled.Load() || rand.Float64() >= l.share() {
		return nil
	}
	l.counts.now().first.Add(1) // as in the book: what is left out counts as asked
	const text = "the service turns most calls away; try again later"
	if codes.Code(l.last.Load()) == codes.Unavailable {
		return errs.Unavailable(errorsv1.Reason_REASON_UNAVAILABLE, text).RetryAfter(retryAfter())
	}
	return errs.Limited(errorsv1.Reason_REASON_OVERLOADED, text).RetryAfter(retryAfter())
}

// retryAfter is when the window may look otherwise, and differs from caller to
// caller, so that they do not come back together.
func retryAfter() time.Duration { return time.Second + rand.N(time.Second) }

// Share returns the share of calls that are left out, from 0 to 0.9.
func (t *Throttle) Share(c policyv1.Criticality) float64 {
	if l := t.levels[index(c)].Load(); l != nil && l.troubled.Load() {
		return l.share()
	}
	return 0
}

// Ended counts an attempt by how it ended. What its caller gave up says nothing of
// the service and is not counted: neither what was cancelled nor what had too
// little time, or one impatient caller would shut out all others.
func (t *Throttle) Ended(c policyv1.Criticality, err error, trailer metadata.MD) {
	code := status.Code(err)
	if code == codes.Canceled || code == codes.DeadlineExceeded {
		return
	}
	away := turnedAway(code, trailer)
	l := t.levels[index(c)].Load()
	if l == nil {
		if !away {
			return
		}
		t.levels[index(c)].CompareAndSwap(nil, newLevel())
		l = t.levels[index(c)].Load()
	}
	if away {
		l.last.Store(uint32(code))
		l.troubled.Store(true)
		t.troubled.Store(true)
	}
	if l.troubled.Load() && l.ended(away) {
		t.troubled.Store(t.any())
	}
}

func (t *Throttle) any() bool {
	for i := range t.levels {
		if l := t.levels[i].Load(); l != nil && l.troubled.Load() {
			return true
		}
	}
	return false
}

func index(c policyv1.Criticality) int {
	if c < 0 || int(c) >= levels {
		return 0
	}
	return int(c)
}

func newLevel() *level {
	return &level{
		counts: newWindow(throttleSlices, 100*time.Millisecond),
		lately: newWindow(recentSlices, 100*time.Millisecond),
	}
}

func (l *level) share() float64 {
	asked, accepted := l.counts.sum(throttleSlices)
	if asked < fewest {
		return 0
	}
	return min(mostThrottled, max(0, float64(asked-overcommit*accepted)/float64(asked+1)))
}

// ended counts an attempt, and says whether the throttling is over.
func (l *level) ended(away bool) bool {
	accepted := int64(1)
	if away {
		accepted = 0
	}
	for _, w := range []*window{&l.counts, &l.lately} {
		s := w.now()
		s.first.Add(1)
		s.then.Add(accepted)
	}
	return l.relax()
}

// relax ends the throttling when the service accepts what it gets.
func (l *level) relax() bool {
	made, accepted := l.lately.sum(recentSlices)
	if accepted < fewest/2 || float64(accepted) < recovered*float64(made) {
		return false
	}
	l.counts.forget()
	l.troubled.Store(false)
	return true
}

// turnedAway says whether an answer means that the service cannot take more: that
// it is away, or that its server refused the call before a handler saw it. A
// handler's RESOURCE_EXHAUSTED is a quota of whoever calls, and its INTERNAL a
// failure for one request and not for the next.
func turnedAway(code codes.Code, trailer metadata.MD) bool {
	return code == codes.Unavailable || code == codes.ResourceExhausted && len(trailer.Get(Unprocessed)) > 0
}
