package shed_test

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/shed"
)

// Everything becomes slower, however many calls run: others took the processors.
// There is no queue inside that a lower limit would shorten. Most calls are answered,
// from the first second on, and all are when the processors are back.
func TestStarvedServer(t *testing.T) {
	for name, slow := range map[string]struct {
		takes func() time.Duration
		least float64
	}{
		"even":   {func() time.Duration { return 15*time.Millisecond + rand.N(10*time.Millisecond) }, 0.9},
		"skewed": {func() time.Duration { return skewed(0) }, 0.7},
		// These are 41 ms in the mean, and it takes a while to know that.
		"either": {func() time.Duration { return 2*time.Millisecond + 78*time.Millisecond*time.Duration(rand.N(2)) }, 0.6},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var starved atomic.Bool
				s := newServer(shed.Options{}, 100000, 1, func(int) time.Duration {
					if starved.Load() {
						return slow.takes()
					}
					return 2 * time.Millisecond
				})
				for range 3 {
					s.offer(t, load{rate: 500, length: 10 * time.Second})
					if got := s.take().share(); got < 0.95 {
						t.Errorf("with its processors, %.3f were answered; %+v", got, s.limiter.State())
					}
					starved.Store(true)
					s.offer(t, load{rate: 500, length: 10 * time.Second})
					if got := s.take().share(); got < slow.least {
						t.Errorf("without, %.3f were answered; %+v", got, s.limiter.State())
					}
					starved.Store(false)
				}
			})
		})
	}
}

// The process has processors for 100 ms of every 200: a quota, or a neighbour. 500
// calls/s of 1 ms need far less.
func TestStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const every, stall = 200 * time.Millisecond, 100 * time.Millisecond
		start := time.Now()
		var stalls atomic.Bool
		s := newServer(shed.Options{}, 8, 1, func(int) time.Duration {
			took := time.Millisecond
			if into := time.Since(start) % every; stalls.Load() && into+took > every-stall {
				took += every - into
			}
			return took
		})
		s.offer(t, load{rate: 500, length: 10 * time.Second})
		s.take()
		stalls.Store(true)
		s.offer(t, load{rate: 500, length: 30 * time.Second})
		if got := s.take().share(); got < 0.8 {
			t.Errorf("%.3f were answered; %+v", got, s.limiter.State())
		}
	})
}

// A dependency hangs after overload, when the limit is low: half of the rest is let
// in all the same, so that it shows when there are answers again.
func TestLowLoadAfterOverloadIsNotRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		takes := 5 * time.Millisecond
		s := newServer(shed.Options{}, 1, 1, func(int) time.Duration { return takes })
		s.offer(t, load{rate: 100, length: 10 * time.Second})
		s.offer(t, load{rate: 1000, length: 10 * time.Second})
		s.capacity, takes = make(chan struct{}, 1000), time.Hour
		s.offer(t, load{rate: 8, length: 10 * time.Second})
		s.take()
		s.offer(t, load{rate: 4, length: time.Minute}) // of 1 s each: ten at once are rare
		admitted := s.take().only(func(a answered) bool { return a.admitted })
		if got := float64(len(admitted)) / (4 * 60); got < 0.75 { // give or take four deviations
			t.Errorf("%.3f were let in; %+v", got, s.limiter.State())
		}
		if got := s.limiter.State().Limit; got < 10 {
			t.Errorf("the limit is %d", got)
		}
	})
}
