package shed_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/shed"
)

// Nobody is refused where there is little to do, however long calls take and
// however they end.
func TestLowTrafficIsNeverRefused(t *testing.T) {
	for name, service := range map[string]func(int) time.Duration{
		"quick": func(int) time.Duration { return time.Microsecond },
		"erratic": func(int) time.Duration {
			return time.Duration(rand.ExpFloat64() * float64(rand.N(500*time.Millisecond)+1))
		},
		"slow":    func(int) time.Duration { return 800 * time.Millisecond },
		"hanging": func(int) time.Duration { return time.Hour },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(shed.Options{}, 1000, 1, service)
				s.offer(t, load{rate: 3, length: 10 * time.Minute})
				if refused := s.take().only(func(a answered) bool { return !a.admitted }); len(refused) > 0 {
					t.Errorf("%d were refused; %+v", len(refused), s.limiter.State())
				}
			})
		})
	}
}

// A server that bears the load lets it in, though it has seen nothing like it.
func TestLimitFollowsTheLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(shed.Options{}, 10000, 1, steady)
		for _, rate := range []float64{1000, 4000, 8000} {
			s.offer(t, load{rate: rate, length: 3 * time.Second})
			if got := s.take().share(); got < 0.99 {
				t.Errorf("of %v in a second, %.4f were let in; %+v", rate, got, s.limiter.State())
			}
		}
		s.offer(t, load{rate: 100, length: 2 * time.Minute})
		if got := s.limiter.State().Limit; got > 100 {
			t.Errorf("the limit is still %d", got)
		}
	})
}

// A lock is noticed like any other bottleneck.
func TestLockIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(shed.Options{}, 1, 1, func(int) time.Duration { return 5 * time.Millisecond })
		s.offer(t, load{rate: 100, length: 10 * time.Second})
		s.take()
		s.offer(t, load{rate: 1000, length: 30 * time.Second})
		if got := s.take().quantile(0.9); got > 35*time.Millisecond {
			t.Errorf("p90 is %s, for 5 ms in the lock", got)
		}
		if got := s.limiter.State().Limit; got > 4 {
			t.Errorf("the limit is %d", got)
		}
	})
}

// What hangs tells nothing of how many calls can run: the limit does not grow, and
// when calls are answered again they are soon let in again.
func TestTimeoutsDoNotRaiseTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		hangs := false
		s := newServer(shed.Options{}, 10000, 1, func(int) time.Duration {
			mu.Lock()
			defer mu.Unlock()
			if hangs {
				return time.Hour
			}
			return usual
		})
		s.offer(t, load{rate: 1000, length: 10 * time.Second})
		before := s.limiter.State().Limit
		set := func(now bool) { mu.Lock(); hangs = now; mu.Unlock() }
		set(true)
		s.offer(t, load{rate: 1000, length: time.Minute})
		if got := s.limiter.State().Limit; got > before {
			t.Errorf("the limit has grown from %d to %d", before, got)
		}
		set(false)
		s.offer(t, load{rate: 1000, length: 3 * time.Second})
		s.take()
		s.offer(t, load{rate: 1000, length: 5 * time.Second})
		if got := s.take().share(); got < 0.99 {
			t.Errorf("3 s after, %.4f are answered", got)
		}
	})
}

// The times of methods differ by a thousand; that one is called more than another
// is no overload.
func TestMixOfMethodsMayChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		times := []time.Duration{time.Millisecond, 10 * time.Millisecond, time.Second}
		s := newServer(shed.Options{}, 1000, 3, func(m int) time.Duration { return times[m] })
		for _, mix := range [][]int{{0, 0, 0, 1, 2}, {0, 1}, {1, 2, 2}, {2}} {
			s.offer(t, load{rate: 12, length: 30 * time.Second, timeout: 5 * time.Second, method: func() int { return mix[rand.IntN(len(mix))] }})
			if got := s.take().share(); got < 0.95 {
				t.Errorf("of %v, %.4f were let in; %+v", mix, got, s.limiter.State())
			}
		}
	})
}

// One method of ten that hangs does not shut out the others.
func TestOneSlowMethodDoesNotShutOutTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := false
		s := newServer(shed.Options{}, 10000, 10, func(m int) time.Duration {
			if m == 0 && slow {
				return 500 * time.Millisecond
			}
			return usual / 4
		})
		one := func() int { return rand.IntN(10) }
		s.offer(t, load{rate: 1000, length: 10 * time.Second, method: one})
		slow = true
		s.take()
		s.offer(t, load{rate: 1000, length: 30 * time.Second, method: one})
		if got := s.take().share(); got < 0.97 {
			t.Errorf("%.4f were answered; %+v", got, s.limiter.State())
		}
	})
}

// A server that becomes slower for good is not held at a limit that was right for
// its old self.
func TestSlowerServerIsLearned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		takes := usual
		s := newServer(shed.Options{}, 10000, 1, func(int) time.Duration { return takes })
		s.offer(t, load{rate: 1000, length: 10 * time.Second})
		takes = 5 * usual
		s.offer(t, load{rate: 1000, length: 15 * time.Second})
		s.take()
		s.offer(t, load{rate: 1000, length: 15 * time.Second})
		if got := s.take().share(); got < 0.99 {
			t.Errorf("%.4f were answered; %+v", got, s.limiter.State())
		}
	})
}

func TestBounds(t *testing.T) {
	l := shed.New(shed.Options{Min: 2, Max: 10, Rest: 3})
	for _, b := range [][2]int{{-1, 0}, {11, 0}, {0, 1}, {5, 4}} {
		if l.SetBounds(b[0], b[1]) {
			t.Errorf("%v were taken", b)
		}
	}
	if !l.SetBounds(5, 5) || l.State().Limit != 5 {
		t.Errorf("got %+v", l.State())
	}
	for _, o := range []shed.Options{{Max: 1}, {Min: 7, Max: 3}, {Min: -5, Rest: -5}} {
		if l := shed.New(o); l.State().Limit < 1 || l.State().Limit > max(o.Max, o.Min, 2) {
			t.Errorf("%+v: got %+v", o, l.State())
		}
	}
}

func TestUsual(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(shed.Options{}, 100, 1, steady)
		if s.methods[0].Usual() != 0 {
			t.Error("is known before the first call")
		}
		s.offer(t, load{rate: 100, length: 5 * time.Second})
		if got := s.methods[0].Usual(); got < usual*8/10 || got > usual*12/10 {
			t.Errorf("got %s", got)
		}
	})
}

// Who has given up waiting takes no permit along.
func TestPermitsAreNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(shed.Options{}, 5, 1, steady)
		var calls sync.WaitGroup
		for range 5000 {
			calls.Go(func() {
				time.Sleep(rand.N(2 * time.Second))
				ctx, cancel := context.WithTimeout(t.Context(), rand.N(30*time.Millisecond))
				defer cancel()
				s.call(ctx, 0, shed.Classes)
			})
		}
		calls.Wait()
		if state := s.limiter.State(); state.Running != 0 || state.Waiting != 0 {
			t.Errorf("left behind: %+v", state)
		}
	})
}
