package calls_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/pkg/mesh/internal/calls"
	policyv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/policy/v1"
)

const critical = policyv1.Criticality_CRITICALITY_CRITICAL

var unavailable = status.Error(codes.Unavailable, "gone")

// A service that fails every call gets a fifth more attempts than calls, and ten
// per second.
func TestBudgetBoundsAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := calls.NewBudget()
		const perSecond, seconds = 1000, 60
		extra := 0
		for range perSecond * seconds {
			b.Pay()
			if b.Take() {
				extra++
			}
			time.Sleep(time.Second / perSecond)
		}
		if most := perSecond*seconds/5 + 10*(seconds+10); extra > most || extra < perSecond*seconds/6 {
			t.Errorf("%d attempts beside %d calls, at most %d wanted", extra, perSecond*seconds, most)
		}
	})
}

// Whoever makes few calls may repeat each of them.
func TestBudgetOfFewCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := calls.NewBudget()
		for range 600 {
			b.Pay()
			if !b.Take() {
				t.Fatal("no attempt left")
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
}

func TestBudgetRatioZeroLeavesTheReserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := calls.NewBudget()
		b.SetRatio(0)
		taken := 0
		for range 1000 {
			b.Pay()
			if b.Take() {
				taken++
			}
		}
		if taken != 100 {
			t.Errorf("%d attempts, want the reserve of 10 s", taken)
		}
	})
}

// offer makes calls at 1,000 per second for d and returns how many were made, and
// how many of them a service that answers err(i) would have got right.
func offer(th *calls.Throttle, d time.Duration, err error) (offered, made int) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Millisecond) { //house:allow in a bubble
		offered++
		if th.Refusal(critical) == nil {
			made++
			th.Ended(critical, err, nil)
		}
	}
	return offered, made
}

// A service that turns all calls away gets a tenth of them, and its own words are
// what callers hear; when it is well again it has all of them within 2 s.
func TestThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := calls.NewThrottle()
		offer(th, 10*time.Second, nil)
		offer(th, 5*time.Second, unavailable)
		offered, made := offer(th, 10*time.Second, unavailable)
		if share := float64(made) / float64(offered); share < 0.05 || share > 0.15 {
			t.Errorf("%.2f of the calls made to a service that is away", share)
		}
		var said error
		for said == nil {
			said = th.Refusal(critical)
		}
		if status.Code(said) != codes.Unavailable || strings.Contains(said.Error(), "gone") {
			t.Errorf("refused with %v", said)
		}
		offer(th, 2*time.Second, nil)
		if offered, made := offer(th, time.Second, nil); made != offered {
			t.Errorf("%d of %d calls made 2 s after the service was well", made, offered)
		}
	})
}

// A service that does half of what it is asked for keeps all of its calls: a
// throttle must not take away what replicas that work could do.
func TestThrottleLeavesAHalf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := calls.NewThrottle()
		refused := 0
		for i := range 10_000 {
			if th.Refusal(critical) != nil {
				refused++
				continue
			}
			th.Ended(critical, []error{nil, nil, unavailable}[i%3], nil)
			time.Sleep(time.Millisecond)
		}
		if refused > 0 {
			t.Errorf("%d calls refused", refused)
		}
	})
}

// Calls that may be shed are turned away, and those that may not are made all the
// same.
func TestThrottleKeepsCriticalitiesApart(t *testing.T) {
	th := calls.NewThrottle()
	for range 1000 {
		th.Ended(policyv1.Criticality_CRITICALITY_SHEDDABLE, unavailable, nil)
		th.Ended(critical, nil, nil)
	}
	if share := th.Share(policyv1.Criticality_CRITICALITY_SHEDDABLE); share < 0.85 || th.Share(critical) != 0 || !th.Troubled() {
		t.Errorf("leaves out %.2f of what may be shed and %.2f of what may not", share, th.Share(critical))
	}
}

// A criticality that nobody knows is one of its own.
func TestThrottleOfAnUnknownCriticality(t *testing.T) {
	th := calls.NewThrottle()
	for range 1000 {
		th.Ended(-1, unavailable, nil)
		th.Ended(1<<30, unavailable, nil)
	}
	if th.Share(99) < 0.85 || th.Share(critical) != 0 {
		t.Error("unknown criticalities are mistaken for known ones")
	}
}

// Answers that a caller does not like are answers.
func TestThrottleIsForServicesThatTurnAway(t *testing.T) {
	th := calls.NewThrottle()
	for _, code := range []codes.Code{
		codes.NotFound, codes.Internal, codes.Unauthenticated, codes.Canceled, codes.DeadlineExceeded, codes.ResourceExhausted,
	} {
		for range 1000 {
			th.Ended(critical, status.Error(code, "no"), nil)
		}
	}
	if th.Share(critical) != 0 {
		t.Errorf("throttles %.2f", th.Share(critical))
	}
}

func TestLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := calls.NewLatency()
		if l.P50() != 0 || l.P99() != 0 {
			t.Error("knows a latency of no calls")
		}
		fill := func(unit time.Duration) {
			for range 20 {
				for ms := range 100 {
					l.Observe(time.Duration(ms+1) * unit)
				}
				time.Sleep(500 * time.Millisecond)
			}
		}
		fill(time.Millisecond)
		for _, q := range []struct{ got, want time.Duration }{
			{l.P50(), 50 * time.Millisecond}, {l.P95(), 95 * time.Millisecond}, {l.P99(), 99 * time.Millisecond},
		} {
			if q.got < q.want || q.got > q.want*5/4 {
				t.Errorf("got %s, want %s and at most a quarter more", q.got, q.want)
			}
		}
		time.Sleep(30 * time.Second)
		fill(10 * time.Microsecond)
		if l.P99() > 1300*time.Microsecond {
			t.Errorf("p99 %s still knows of what is long ago", l.P99())
		}
	})
}

// Nothing is out of the range of the buckets.
func TestLatencyOfExtremes(t *testing.T) {
	l := calls.NewLatency()
	for _, d := range []time.Duration{-time.Hour, 0, 1, time.Microsecond, 24 * time.Hour, 1<<63 - 1} {
		l.Observe(d)
	}
}

func TestAfter(t *testing.T) {
	pushback := func(ms string) metadata.MD { return metadata.Pairs(calls.Pushback, ms) }
	exhausted, internal := status.Error(codes.ResourceExhausted, ""), status.Error(codes.Internal, "")
	for name, test := range map[string]struct {
		ended       calls.Ended
		again       bool
		least, most time.Duration
	}{
		"unavailable":                        {calls.Ended{Attempt: 1, Err: unavailable, Repeatable: true}, true, 0, 10 * time.Millisecond},
		"the second time":                    {calls.Ended{Attempt: 2, Err: unavailable, Repeatable: true}, true, 0, 20 * time.Millisecond},
		"the last time":                      {calls.Ended{Attempt: 3, Err: unavailable, Repeatable: true}, false, 0, 0},
		"internal":                           {calls.Ended{Attempt: 1, Err: internal, Repeatable: true}, true, 0, 10 * time.Millisecond},
		"not repeatable":                     {calls.Ended{Attempt: 1, Err: unavailable}, false, 0, 0},
		"not found":                          {calls.Ended{Attempt: 1, Err: status.Error(codes.NotFound, ""), Repeatable: true}, false, 0, 0},
		"the caller's deadline":              {calls.Ended{Attempt: 1, Err: status.Error(codes.DeadlineExceeded, ""), Repeatable: true}, false, 0, 0},
		"given up":                           {calls.Ended{Attempt: 1, Err: status.Error(codes.DeadlineExceeded, ""), Repeatable: true, CutOff: true}, true, 0, 10 * time.Millisecond},
		"not a status":                       {calls.Ended{Attempt: 1, Err: errors.New("x"), Repeatable: true}, false, 0, 0},
		"told to wait":                       {calls.Ended{Attempt: 1, Err: exhausted, Repeatable: true, Trailer: pushback("70")}, true, 70 * time.Millisecond, 71 * time.Millisecond},
		"told not to":                        {calls.Ended{Attempt: 1, Err: unavailable, Repeatable: true, Trailer: pushback("-1")}, false, 0, 0},
		"told to wait for ever":              {calls.Ended{Attempt: 1, Err: unavailable, Repeatable: true, Trailer: pushback("9223372036854775807")}, false, 0, 0},
		"told nonsense":                      {calls.Ended{Attempt: 1, Err: unavailable, Repeatable: true, Trailer: pushback("soon")}, false, 0, 0},
		"exhausted":                          {calls.Ended{Attempt: 1, Err: exhausted, Repeatable: true}, false, 0, 0},
		"no handler saw it":                  {calls.Ended{Attempt: 1, Err: exhausted, Trailer: metadata.Pairs(calls.Unprocessed, "1")}, true, 0, 10 * time.Millisecond},
		"no handler saw it, and told not to": {calls.Ended{Attempt: 1, Err: exhausted, Trailer: metadata.Pairs(calls.Unprocessed, "1", calls.Pushback, "-1")}, false, 0, 0},
	} {
		wait, again := calls.After(test.ended)
		if again != test.again || wait < test.least || wait > test.most {
			t.Errorf("%s: got %v after %s", name, again, wait)
		}
	}
}
