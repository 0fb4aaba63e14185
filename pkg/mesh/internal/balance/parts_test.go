package balance

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"
	"unsafe"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	ms = int64(time.Millisecond)
	s  = int64(time.Second)
)

func TestJudge(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		ran  time.Duration
		want Verdict
	}{
		"answer":                  {nil, 1, Success},
		"not found":               {status.Error(codes.NotFound, ""), 1, Success},
		"no such method":          {status.Error(codes.Unimplemented, ""), 1, Success},
		"unavailable":             {status.Error(codes.Unavailable, ""), 1, Failure},
		"internal":                {status.Error(codes.Internal, ""), 1, Failure},
		"data loss":               {status.Error(codes.DataLoss, ""), 1, Failure},
		"canceled":                {status.Error(codes.Canceled, ""), time.Hour, Excluded},
		"canceled context":        {context.Canceled, time.Hour, Excluded},
		"full":                    {status.Error(codes.ResourceExhausted, ""), 1, Excluded},
		"unknown":                 {errors.New("?"), 1, Excluded},
		"a caller without time":   {status.Error(codes.DeadlineExceeded, ""), 49 * time.Millisecond, Excluded},
		"a little slow":           {status.Error(codes.DeadlineExceeded, ""), 99 * time.Millisecond, Excluded},
		"too slow":                {status.Error(codes.DeadlineExceeded, ""), 100 * time.Millisecond, Failure},
		"too slow, of a context":  {context.DeadlineExceeded, 100 * time.Millisecond, Failure},
		"a caller's own deadline": {context.DeadlineExceeded, time.Millisecond, Excluded},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Judge(test.err, test.ran, 20*time.Millisecond); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
}

func TestFlight(t *testing.T) {
	const now = 40 * 24 * 3600 * s // the sum of the beginnings has wrapped around
	var f flight
	check := func(calls, age float64) {
		t.Helper()
		if n, mean := f.load(now); n != calls || math.Abs(mean-age) > 2000 {
			t.Errorf("got %v calls of %v ns, want %v of %v", n, mean, calls, age)
		}
	}
	check(0, 0)
	for i := range int64(1000) {
		f.enter(now - i*ms)
	}
	check(1000, 499.5*float64(ms))
	for i := range int64(998) {
		f.leave(now - i*ms)
	}
	check(2, 998.5*float64(ms))
	f.leave(now - 998*ms)
	f.leave(now - 999*ms)
	check(0, 0)
	f.enter(now + ms) // another goroutine has read the clock later
	check(1, 0)
}

func TestPeak(t *testing.T) {
	var p peak
	near := func(now int64, want float64) {
		t.Helper()
		if got := p.value(now); math.Abs(got-want) > want/50 {
			t.Errorf("after %s: %s, want %s", time.Duration(now), time.Duration(got), time.Duration(want))
		}
	}
	p.set(0, 10e6)
	p.observe(s, 100e6)
	near(s, 100e6) // at once
	near(11*s, 100e6/math.E)
	for i := range int64(1000) {
		p.observe(s+(i+1)*10*ms, 10e6)
	}
	near(11*s, 10e6+90e6/math.E) // as slowly as time does
	if got := p.value(60 * 24 * 3600 * s); got > 1 {
		t.Errorf("an idle replica costs %v when the ticks have wrapped around", got)
	}
}

func TestRecent(t *testing.T) {
	var r recent
	r.set(0, 1)
	before := r.word.Load()
	r.add(s, true)
	if r.word.Load() != before {
		t.Error("a success of many is written")
	}
	for range tripConsecutive {
		r.add(s, false)
	}
	if got := r.value(s); math.Abs(got-math.Pow(0.9, 5)) > 1e-6 {
		t.Errorf("%v after 5 failures", got)
	}
	if got := r.value(31 * s); got < 0.97 {
		t.Errorf("%v half a minute later", got)
	}
	for range 100 {
		r.add(s, true)
	}
	if got := r.value(s); got != 1 {
		t.Errorf("%v after 100 successes", got)
	}
}

func TestWindow(t *testing.T) {
	var w window
	for i := range int64(25) {
		w.at(i * s).good.Add(2)
		w.at(i*s + s/2).failed.Add(1)
	}
	if c := w.sum(24*s + s/2); c != (counts{good: 20, failed: 10}) {
		t.Errorf("got %+v", c)
	}
	if c := w.sum(100 * s); c != (counts{}) {
		t.Errorf("long after: %+v", c)
	}
}

func TestHistogram(t *testing.T) {
	var h histogram
	for i := range int64(1000) {
		h.add(12*s, (i+1)*ms)
	}
	within := func(got, want time.Duration) {
		t.Helper()
		if got < want*4/5 || got > want*6/5 {
			t.Errorf("got %s, want about %s", got, want)
		}
	}
	q := h.quantiles(13*s, 0.5, 0.99)
	within(q[0], 500*time.Millisecond)
	within(q[1], 990*time.Millisecond)
	if q := h.quantiles(40*s, 0.5); q[0] != 0 {
		t.Errorf("half a minute later: %s", q[0])
	}
	for _, l := range []int64{-1, 0, 1, 65_535, 65_536, math.MaxInt64} {
		if c := class(l); c < 0 || c >= classes {
			t.Errorf("%d is of class %d", l, c)
		}
	}
	for c := range classes {
		if got := class(int64(middle(c))); got != c {
			t.Errorf("the middle of class %d is of class %d", c, got)
		}
	}
}

func TestPenalty(t *testing.T) {
	grow := func(x ending, closed int64) []time.Duration {
		var p penalty
		var list []time.Duration
		for range 7 {
			list = append(list, p.next(s, x, 0)-time.Millisecond)
		}
		p.closed(2 * s)
		return append(list, p.next(2*s+closed, x, math.MaxUint64))
	}
	cheap := grow(ending{safe: true}, int64(calm))
	if cheap[0] != time.Second || cheap[1] != 1500*time.Millisecond || cheap[6] != cheapLongest || cheap[7] < cheapLongest {
		t.Errorf("of fast failures: %s", cheap)
	}
	if longest := cheap[7]; longest+recoverFor > 5100*time.Millisecond {
		t.Errorf("recovery takes %s", longest+recoverFor)
	}
	for _, dear := range [][]time.Duration{grow(ending{safe: true, hung: true}, s), grow(ending{}, s)} {
		if dear[0] != time.Second || dear[1] != 2*time.Second || dear[6] != dearLongest {
			t.Errorf("of dear failures: %s", dear)
		}
	}
	if after := grow(ending{}, int64(calm)+1)[7]; after > 1300*time.Millisecond {
		t.Errorf("after a calm minute: %s", after)
	}
}

func TestEndpointIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(Endpoint{}); size > 2048 {
		t.Errorf("%d bytes", size)
	}
}
