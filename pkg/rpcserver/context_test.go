package rpcserver

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/policy"
)

type key struct{}

func newCall(parent context.Context, end time.Duration) *call {
	c := &call{Context: context.WithValue(parent, key{}, "value"), method: &method{server: new(Server)}}
	if end > 0 {
		c.end = time.Now().Add(end)
	}
	return c
}

// A call is a context like those of the standard library.
func TestCallEndsAtItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCall(t.Context(), time.Second)
		if end, ok := c.Deadline(); !ok || !end.Equal(time.Now().Add(time.Second)) {
			t.Errorf("the deadline is %v, %v", end, ok)
		}
		if c.Err() != nil {
			t.Error("has ended")
		}
		derived, cancel := context.WithCancel(c)
		defer cancel()
		before := time.Now()
		<-derived.Done()
		if took := time.Since(before); took != time.Second {
			t.Errorf("ended after %s", took)
		}
		for name, ctx := range map[string]context.Context{"call": c, "derived": derived} {
			if ctx.Err() != context.DeadlineExceeded || context.Cause(ctx) != context.DeadlineExceeded || ctx.Value(key{}) != "value" || callOf(ctx) != c {
				t.Errorf("%s: %v, %v", name, ctx.Err(), context.Cause(ctx))
			}
		}
	})
}

// Who only looks sees the end too.
func TestCallHasEndedWithoutATimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCall(t.Context(), time.Second)
		time.Sleep(time.Second)
		if c.Err() != context.DeadlineExceeded {
			t.Errorf("got %v", c.Err())
		}
		<-c.Done()
	})
}

func TestCallEndsWithItsParent(t *testing.T) {
	for _, end := range []time.Duration{0, time.Hour} {
		for _, first := range []bool{true, false} {
			parent, cancel := context.WithCancelCause(t.Context())
			c, reason := newCall(parent, end), errors.New("reason")
			if first {
				c.Done()
			}
			cancel(reason)
			<-c.Done()
			if c.Err() != context.Canceled || context.Cause(c) != reason {
				t.Errorf("got %v, %v", c.Err(), context.Cause(c))
			}
			c.disarm()
		}
	}
}

func TestCallEndsWithItsHandler(t *testing.T) {
	c := newCall(t.Context(), time.Hour)
	derived, cancel := context.WithCancel(c)
	defer cancel()
	c.disarm()
	<-derived.Done()
	if c.Err() != context.Canceled {
		t.Errorf("got %v", c.Err())
	}
}

func TestDeadlineOf(t *testing.T) {
	arrived := time.Now()
	for name, test := range map[string]struct {
		caller, timeout, want time.Duration // 0 for none
	}{
		"none":                 {0, 0, 0},
		"the method's":         {0, time.Second, time.Second},
		"the caller's":         {time.Second, 0, 980 * time.Millisecond},
		"the caller's, short":  {100 * time.Millisecond, time.Second, 90 * time.Millisecond},
		"the caller's, longer": {time.Second, 900 * time.Millisecond, 900 * time.Millisecond},
		"it has passed":        {-time.Second, time.Second, -time.Second},
	} {
		got := deadlineOf(arrived, arrived.Add(test.caller), test.caller != 0, test.timeout)
		if test.want == 0 && !got.IsZero() || test.want != 0 && got.Sub(arrived) != test.want {
			t.Errorf("%s: got %v", name, got.Sub(arrived))
		}
	}
	if timeoutOf(nil) != policy.DefaultTimeout || timeoutOf(&policy.Policy{Timeout: 1}) != 1 {
		t.Error("the timeout is another")
	}
}

func TestAFifthMayBeHopeless(t *testing.T) {
	var a allowance
	now := time.Now()
	a.began.Store(now.UnixNano())
	count := func(calls int64, now time.Time) (refused int) {
		a.calls.Add(calls)
		for range calls {
			if a.allow(now) {
				refused++
			}
		}
		return refused
	}
	if got := count(100, now); got != 20 {
		t.Errorf("of 100, %d were refused", got)
	}
	if got := count(100, now.Add(5*time.Second)); got != 20 {
		t.Errorf("of the next 100, %d were refused", got)
	}
	// What was long ago allows little now: 300 calls in 100 s are 30 in 10 s.
	if got := count(100, now.Add(100*time.Second)); got != 6 {
		t.Errorf("after a while %d were refused", got)
	}
}
