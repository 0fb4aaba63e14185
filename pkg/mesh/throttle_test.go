package mesh_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// One caller without patience must not throttle the others: the service is well.
func TestImpatientCallerDoesNotThrottleOthers(t *testing.T) {
	w := newWorld(t)
	slow := func(ctx context.Context) (string, error) {
		select {
		case <-time.After(20 * time.Millisecond):
			return "well", nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	for range 2 {
		w.serve(t, counting(new(atomic.Int64), slow))
	}
	cc := serving(t, w.knowing(t), 2)
	for range 200 {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		call(ctx, cc, put)
		cancel()
	}
	failed := 0
	var last error
	for range 40 {
		if _, err := call(bounded(t), cc, put); err != nil {
			failed, last = failed+1, err
		}
	}
	if failed > 0 {
		t.Errorf("%d of 40 calls with 20 s of time were refused, the last with %v", failed, last)
	}
}

// What the service told one user is no answer for another one.
func TestQuotaOfOneUserIsNotThatOfAnother(t *testing.T) {
	w := newWorld(t)
	quota := func(ctx context.Context) (string, error) {
		if len(metadata.ValueFromIncomingContext(ctx, "user")) > 0 {
			return "", status.Error(codes.ResourceExhausted, "alice@example.org has used up her 5 posts of today")
		}
		return "well", nil
	}
	for range 2 {
		w.serve(t, counting(new(atomic.Int64), quota))
	}
	cc := serving(t, w.knowing(t), 2)
	for range 200 {
		call(metadata.NewOutgoingContext(bounded(t), metadata.Pairs("user", "alice")), cc, put)
	}
	failed := 0
	var last error
	for range 40 {
		if _, err := call(bounded(t), cc, put); err != nil {
			failed, last = failed+1, err
		}
	}
	if failed > 0 {
		t.Errorf("%d of 40 calls of Bob were refused, the last with %v", failed, last)
	}
}

// A budget is a share of the calls that were made, not of those that the throttle
// kept back.
func TestThrottledCallsDoNotPayForRetries(t *testing.T) {
	w := newWorld(t)
	w.serve(t, counting(new(atomic.Int64), fails(codes.Unavailable)))
	m := w.knowing(t)
	cc := serving(t, m, 1)
	// The reserve of 10/s is used up first.
	for range 200 {
		call(bounded(t), cc, get)
	}
	before := m.View().GetServices()[0]
	const calls = 2000
	for range calls {
		call(bounded(t), cc, get)
	}
	after := m.View().GetServices()[0]
	throttled := after.GetThrottled() - before.GetThrottled()
	made := calls - throttled
	retries := after.GetRetries() - before.GetRetries()
	if float64(retries) > 0.2*float64(made)+100 {
		t.Errorf("%d retries of %d calls that were made", retries, made)
	}
}

// A server that sheds what is SHEDDABLE and serves what is CRITICAL gets what is
// CRITICAL.
func TestThrottleSparesWhatIsCritical(t *testing.T) {
	w := newWorld(t)
	sheds := func(ctx context.Context) (string, error) {
		if metadata.ValueFromIncomingContext(ctx, "x-fairlead-criticality")[0] == "SHEDDABLE" {
			return unseen(ctx)
		}
		return "well", nil
	}
	for range 2 {
		w.serve(t, counting(new(atomic.Int64), sheds))
	}
	cc := serving(t, w.knowing(t), 2)
	level := func(l string) context.Context {
		return metadata.NewOutgoingContext(bounded(t), metadata.Pairs("x-fairlead-criticality", l))
	}
	failed := 0
	var last error
	for n := range 400 {
		if n%5 != 0 {
			call(level("SHEDDABLE"), cc, put)
		} else if _, err := call(level("CRITICAL"), cc, put); err != nil {
			failed, last = failed+1, err
		}
	}
	if failed > 0 {
		t.Errorf("%d of 80 critical calls were refused, the last with %v", failed, last)
	}
}
