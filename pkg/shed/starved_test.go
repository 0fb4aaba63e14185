package shed_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/shed"
)

// perSecond offers a load second by second and logs what came of it.
func perSecond(t *testing.T, s *server, l load, seconds int, label string) (share float64) {
	good, all := 0, 0
	for i := range seconds {
		l.length = time.Second
		s.offer(t, l)
		got := s.take()
		good += int(got.share()*float64(len(got)) + 0.5)
		all += len(got)
		t.Logf("%s s%02d share %.3f limit %+v", label, i, got.share(), s.limiter.State())
	}
	return float64(good) / float64(all)
}

// Everything becomes slower, however many calls run: others took the processors.
// There is no queue inside that a lower limit would shorten.
func TestStarvedServer(t *testing.T) {
	for name, slow := range map[string]func() time.Duration{
		"20ms even":      func() time.Duration { return 15*time.Millisecond + rand.N(10*time.Millisecond) },
		"20ms exp":       func() time.Duration { return time.Duration(rand.ExpFloat64() * float64(20*time.Millisecond)) },
		"bimodal 2/80ms": func() time.Duration {
			if rand.Float64() < 0.5 {
				return 2 * time.Millisecond
			}
			return 80 * time.Millisecond
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				starved := false
				s := newServer(shed.Options{}, 100000, 1, func(int) time.Duration {
					mu.Lock()
					defer mu.Unlock()
					if starved {
						return slow()
					}
					return 2 * time.Millisecond
				})
				set := func(b bool) { mu.Lock(); starved = b; mu.Unlock() }
				s.offer(t, load{rate: 500, length: 10 * time.Second})
				s.take()
				for range 3 {
					set(true)
					if got := perSecond(t, s, load{rate: 500}, 10, "starved"); got < 0.95 {
						t.Errorf("starved: %.3f answered", got)
					}
					set(false)
					if got := perSecond(t, s, load{rate: 500}, 10, "normal"); got < 0.95 {
						t.Errorf("normal: %.3f answered", got)
					}
				}
			})
		})
	}
}

// The process gets a processor for 100 ms of every 200 ms (a CPU quota, or a
// neighbour). 500 calls/s of 1 ms need half of one.
func TestStalls(t *testing.T) {
	for _, c := range []struct {
		name        string
		every, stall time.Duration
	}{{"100 of 200ms", 200 * time.Millisecond, 100 * time.Millisecond}, {"80 of 100ms", 100 * time.Millisecond, 80 * time.Millisecond}, {"300ms a second", time.Second, 300 * time.Millisecond}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				on := false
				var mu sync.Mutex
				s := newServer(shed.Options{}, 8, 1, func(int) time.Duration {
					mu.Lock()
					defer mu.Unlock()
					d := time.Millisecond
					if on {
						if into := time.Since(start) % c.every; into+d > c.every-c.stall {
							d += c.every - into
						}
					}
					return d
				})
				s.offer(t, load{rate: 500, length: 10 * time.Second})
				s.take()
				mu.Lock()
				on = true
				mu.Unlock()
				if got := perSecond(t, s, load{rate: 500}, 30, "stalls"); got < 0.95 {
					t.Errorf("%.3f answered", got)
				}
			})
		})
	}
}

// "While no more than half of Rest run at once, nobody is refused, however long
// calls take and however they end" (Options.Rest).
func TestLowLoadAfterOverloadIsNotRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		d := 5 * time.Millisecond
		s := newServer(shed.Options{}, 1, 1, func(int) time.Duration { mu.Lock(); defer mu.Unlock(); return d })
		s.offer(t, load{rate: 100, length: 10 * time.Second})
		s.offer(t, load{rate: 1000, length: 10 * time.Second}) // the limit goes to 2 or so
		t.Logf("%+v", s.limiter.State())
		s.take()
		s.capacity = make(chan struct{}, 1000)
		mu.Lock()
		d = 2 * time.Second // a dependency hangs; callers wait 1 s
		mu.Unlock()
		got := perSecond2(t, s, 60)
		t.Logf("admitted %.3f", got)
		if got < 0.99 {
			t.Errorf("of 8 calls/s that wait 1 s each (8 at once), %.3f were let in; %+v", got, s.limiter.State())
		}
	})
}

func perSecond2(t *testing.T, s *server, seconds int) float64 {
	admitted, all := 0, 0
	for i := range seconds {
		s.offer(t, load{rate: 8, length: time.Second})
		for _, a := range s.take() {
			all++
			if a.admitted {
				admitted++
			}
		}
		t.Logf("s%02d %+v", i, s.limiter.State())
	}
	return float64(admitted) / float64(all)
}
