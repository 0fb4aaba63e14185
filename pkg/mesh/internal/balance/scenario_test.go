package balance

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
)

// scenario runs f for several sizes and seeds, after 5 s in which all is well.
func scenario(t *testing.T, f func(t *testing.T, w *world, healthy time.Duration)) {
	t.Helper()
	for _, n := range []int{2, 3, 10} {
		for seed := range uint64(2) {
			t.Run(fmt.Sprintf("%d-seed-%d", n, seed), func(t *testing.T) {
				simulate(t, n, seed, func(w *world) {
					w.run(5 * time.Second)
					healthy := w.quantile(0.99)
					w.clear()
					f(t, w, healthy)
				})
			})
		}
	}
}

// fair is the share of a replica, where 1 is that of all when all are alike.
func (w *world) fair(place int) float64 { return w.share(place) * float64(len(w.replicas)) }

func TestAllAlike(t *testing.T) {
	for _, rate := range []float64{20, 200, 2000} {
		scenario(t, func(t *testing.T, w *world, _ time.Duration) {
			w.rate = rate
			w.run(max(30*time.Second, time.Duration(300*float64(len(w.replicas))/rate*float64(time.Second))))
			for i := range w.replicas {
				if fair := w.fair(i); fair < 0.7 || fair > 1.3 {
					t.Errorf("at %v calls/s replica %d has %.2f of its share", rate, i, fair)
				}
			}
		})
	}
}

// One is a hundred times slower than the others.
func TestSlowReplica(t *testing.T) {
	scenario(t, func(t *testing.T, w *world, healthy time.Duration) {
		w.replicas[0].takes *= 100
		w.run(2 * time.Second)
		w.clear()
		w.run(10 * time.Second)
		if share := w.share(0); share > 0.005 {
			t.Errorf("it gets %.2f %% of the calls", 100*share)
		}
		if p99 := w.quantile(0.99); p99 > healthy*3/2 {
			t.Errorf("p99 %s, %s before", p99, healthy)
		}
		w.replicas[0].takes /= 100
		w.rate = 300
		w.run(45 * time.Second)
		w.clear()
		w.run(10 * time.Second)
		if fair := w.fair(0); fair < 0.5 {
			t.Errorf("45 s after it is well again it has %.2f of its share", fair)
		}
	})
}

// One fails at once, which makes it look fast.
func TestReplicaThatFailsFast(t *testing.T) {
	scenario(t, func(t *testing.T, w *world, _ time.Duration) {
		r := w.replicas[0]
		r.fails, r.code = 1, codes.Unavailable
		w.run(time.Second)
		most := 6 // 5, and one that was on its way
		if len(w.replicas) == 2 {
			most = 8
		}
		if r.failures > most {
			t.Errorf("%d attempts failed in the first second", r.failures)
		}
		w.run(9 * time.Second)
		if r.failures > most+4 {
			t.Errorf("%d attempts failed in 10 s", r.failures)
		}
		if w.lost > 0 {
			t.Errorf("%d calls failed", w.lost)
		}
		r.fails = 0
		w.run(4 * time.Second)
		w.clear()
		w.run(2 * time.Second)
		if fair := w.fair(0); fair < 0.6 {
			t.Errorf("5 s after the repair it has %.2f of its share", fair)
		}
	})
}

func TestFlakyReplica(t *testing.T) {
	scenario(t, func(t *testing.T, w *world, _ time.Duration) {
		w.replicas[0].fails = 0.5
		w.run(2 * time.Second)
		if w.replicas[0].attempts == 0 || w.cluster.Snapshot().Endpoints[0].Reason == "" {
			t.Error("its breaker was not open once in 2 s")
		}
		w.run(8 * time.Second)
		if n := w.replicas[0].failures; n > 150 {
			t.Errorf("%d attempts failed in 10 s", n)
		}
		if w.lost*10_000 > w.calls {
			t.Errorf("%d of %d calls failed", w.lost, w.calls)
		}
	})
}

// One takes calls and does not answer: it is left out before the first of them is
// given up.
func TestHangingReplica(t *testing.T) {
	scenario(t, func(t *testing.T, w *world, healthy time.Duration) {
		w.replicas[0].hangs = true
		w.run(10 * time.Second)
		if w.lost > 0 {
			t.Errorf("%d calls failed", w.lost)
		}
		if late := w.quantile(0.99); late > 3*healthy {
			t.Errorf("p99 %s, %s before", late, healthy)
		}
		w.clear()
		w.run(5 * time.Second)
		if share := w.share(0); share > 0.005 {
			t.Errorf("it gets %.2f %% of the calls", 100*share)
		}
		w.replicas[0].hangs = false
		w.rate = 300
		w.run(time.Minute)
		w.clear()
		w.run(10 * time.Second)
		if fair := w.fair(0); fair < 0.5 {
			t.Errorf("a minute after it is well again it has %.2f of its share", fair)
		}
	})
}

// The same with hedges, which answer each call before it is given up: no attempt
// would ever be seen to fail.
func TestHangingReplicaWithHedges(t *testing.T) {
	scenario(t, func(t *testing.T, w *world, healthy time.Duration) {
		w.hedge = 12 * time.Millisecond // about p95
		w.run(5 * time.Second)
		if open := w.cluster.open.Load(); open > 0 {
			t.Fatal("slow calls of good replicas open breakers")
		}
		w.replicas[0].hangs = true
		w.run(time.Second)
		if w.cluster.Snapshot().Endpoints[0].Breaker == "closed" && len(w.replicas) < 10 {
			t.Error("its breaker is closed after a second") // of ten, it gets too few calls for that
		}
		w.clear()
		w.run(5 * time.Second)
		if share := w.share(0); share > 0.005 || w.lost > 0 {
			t.Errorf("it gets %.2f %% of the calls, and %d failed", 100*share, w.lost)
		}
	})
}

// What all of them need is gone: nobody is an outlier, and all are well at once when
// it is back.
func TestAllFail(t *testing.T) {
	scenario(t, func(t *testing.T, w *world, _ time.Duration) {
		for _, r := range w.replicas {
			r.fails = 1
		}
		w.rate = 300
		w.run(time.Minute)
		if w.refused > 0 {
			t.Errorf("%d calls were refused", w.refused)
		}
		if open, most := w.cluster.open.Load(), int32(len(w.replicas)/2); open > most {
			t.Errorf("%d breakers are open", open)
		}
		for _, r := range w.replicas {
			r.fails = 0
		}
		w.run(time.Second) // what was on its way
		w.clear()
		w.run(5 * time.Second)
		if w.lost > 0 || w.refused > 0 {
			t.Errorf("%d calls failed, %d were refused", w.lost, w.refused)
		}
	})
}
