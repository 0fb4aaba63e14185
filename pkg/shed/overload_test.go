package shed_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/criticality"
	"github.com/fairlead-mesh/fairlead/pkg/shed"
)

// overloads are what a server is put to: three and ten times what it bears.
func overloads(t *testing.T, test func(t *testing.T, capacity int, service func(int) time.Duration, times float64)) {
	for _, s := range []struct {
		name     string
		capacity int
		service  func(int) time.Duration
	}{
		{"4 at once", 4, steady}, {"12 at once", 12, steady}, {"20 at once, skewed", 20, skewed},
	} {
		for _, times := range []float64{3, 10} {
			t.Run(fmt.Sprintf("%s, %v times the load", s.name, times), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { test(t, s.capacity, s.service, times) })
			})
		}
	}
}

// bears is how many calls in a second a capacity is good for.
func bears(capacity int) float64 { return float64(capacity) / usual.Seconds() }

// critical makes a part of the calls critical, and the others sheddable.
func critical(part float64) func() criticality.Level {
	return func() criticality.Level {
		if rand.Float64() < part {
			return criticality.Critical
		}
		return criticality.Sheddable
	}
}

func isCritical(a answered) bool { return a.level == criticality.Critical }

// A server does as much under overload as at its best, as fast as when half of it
// is in use, but for the first second; and what is critical hardly notices.
func TestOverload(t *testing.T) {
	overloads(t, func(t *testing.T, capacity int, service func(int) time.Duration, times float64) {
		s := newServer(shed.Options{}, capacity, 1, service)
		s.offer(t, load{rate: bears(capacity) * 0.7, length: 10 * time.Second})
		before := s.take()
		const length = 20 * time.Second
		s.offer(t, load{rate: bears(capacity) * times, length: length, level: critical(0.5 / times)})
		over := s.take()
		s.offer(t, load{rate: bears(capacity) * 0.7, length: 5 * time.Second})
		after := s.take()

		if got := before.share(); got < 0.99 {
			t.Errorf("before, %.4f were answered", got)
		}
		if got := over.goodput(length) / bears(capacity); got < 0.9 {
			t.Errorf("goodput is %.3f of the best", got)
		}
		// The semaphore of 4 makes calls wait for each other at 0.7 of its load already.
		if got, want := over.quantile(0.99), 2*before.quantile(0.99)+spared; got > want {
			t.Errorf("p99 is %s, want less than %s", got, want)
		}
		if got := over.only(isCritical).share(); got < 0.99 {
			t.Errorf("%.4f of what is critical was answered", got)
		}
		// Its first second is part of these five; TestRecovery has the rest.
		if got := after.share(); got < 0.96 {
			t.Errorf("afterwards, %.4f were answered", got)
		}
	})
}

// spared is how long critical calls may wait for a place.
const spared = 50 * time.Millisecond

// Where all calls are alike, the load beyond what the server bears is refused, and
// the rest is served, also when the server has never seen better days.
func TestOverloadFromTheFirstCallOn(t *testing.T) {
	overloads(t, func(t *testing.T, capacity int, service func(int) time.Duration, times float64) {
		s := newServer(shed.Options{}, capacity, 1, service)
		s.offer(t, load{rate: bears(capacity) * times, length: 20 * time.Second})
		s.take()
		const length = 20 * time.Second
		s.offer(t, load{rate: bears(capacity) * times, length: length})
		over := s.take()
		if got := over.goodput(length) / bears(capacity); got < 0.9 {
			t.Errorf("goodput is %.3f of the best", got)
		}
		if got := s.limiter.State().Limit; got > 2*capacity {
			t.Errorf("the limit is %d with a capacity of %d", got, capacity)
		}
	})
}

// Overload does not become the baseline, however long it lasts.
func TestSteadyOverloadDoesNotRaiseTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(shed.Options{}, 10, 1, steady)
		s.offer(t, load{rate: bears(10) * 0.7, length: 10 * time.Second})
		for range 10 {
			s.take()
			s.offer(t, load{rate: bears(10) * 3, length: 30 * time.Second})
			limit, goodput := s.limiter.State().Limit, s.take().goodput(30*time.Second)/bears(10)
			if limit > 20 || goodput < 0.9 {
				t.Fatalf("the limit is %d with a capacity of 10, goodput %.3f of the best", limit, goodput)
			}
		}
	})
}

func TestRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(shed.Options{}, 10, 1, steady)
		s.offer(t, load{rate: bears(10) * 10, length: 30 * time.Second})
		s.take()
		s.offer(t, load{rate: bears(10) * 0.9, length: time.Second})
		s.take() // five would do
		s.offer(t, load{rate: bears(10) * 0.9, length: 30 * time.Second})
		if got := s.take().share(); got < 0.99 {
			t.Errorf("%.4f were answered", got)
		}
	})
}
