package balance

import (
	"sync/atomic"
	"time"
)

// window counts the calls of the last 10 s, second by second. It is not exact to
// the call when a second begins: what is counted in that very moment may be lost.
type window struct{ seconds [windowSeconds]second }

const windowSeconds = 10

type second struct {
	number               atomic.Uint32 // which second it is
	chosen, good, failed atomic.Uint32
}

// counts are sums of a window. good and failed leave out calls that say nothing of
// the replica, and those that have not ended.
type counts struct{ chosen, good, failed uint32 }

func (w *window) at(now int64) *second {
	number := uint32(now / int64(time.Second))
	s := &w.seconds[number%windowSeconds]
	if was := s.number.Load(); was != number && s.number.CompareAndSwap(was, number) {
		s.chosen.Store(0)
		s.good.Store(0)
		s.failed.Store(0)
	}
	return s
}

func (w *window) sum(now int64) counts {
	var c counts
	number := uint32(now / int64(time.Second))
	for i := range w.seconds {
		s := &w.seconds[i]
		if number-s.number.Load() < windowSeconds {
			c.chosen += s.chosen.Load()
			c.good += s.good.Load()
			c.failed += s.failed.Load()
		}
	}
	return c
}

// covered is how many seconds the sum at a moment is of, at least 1: all of those
// before, and a part of this one.
func covered(now int64) float64 {
	this := now % int64(time.Second)
	return max(1, time.Duration(min(now, (windowSeconds-1)*int64(time.Second)+this)).Seconds())
}

// forgive forgets how calls ended, not that they were made.
func (w *window) forgive() {
	for i := range w.seconds {
		w.seconds[i].good.Store(0)
		w.seconds[i].failed.Store(0)
	}
}
