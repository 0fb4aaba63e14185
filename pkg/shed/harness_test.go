package shed_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/criticality"
	"github.com/fairlead-mesh/fairlead/pkg/shed"
)

// server is a server in simulated time, whose capacity is a semaphore.
type server struct {
	limiter  *shed.Limiter
	methods  []*shed.Method
	capacity chan struct{}
	service  func(method int) time.Duration

	mu    sync.Mutex
	calls []answered
}

// answered is a call that has ended.
type answered struct {
	level    criticality.Level
	at       time.Time // when it came
	took     time.Duration
	admitted bool
	gaveUp   bool
}

func newServer(o shed.Options, capacity, methods int, service func(int) time.Duration) *server {
	s := &server{limiter: shed.New(o), capacity: make(chan struct{}, capacity), service: service}
	for range methods {
		s.methods = append(s.methods, s.limiter.Method())
	}
	return s
}

// call is one call, as rpcserver makes it.
func (s *server) call(ctx context.Context, method int, l criticality.Level) {
	a := answered{level: l, at: time.Now()}
	defer func() {
		a.took = time.Since(a.at)
		s.mu.Lock()
		s.calls = append(s.calls, a)
		s.mu.Unlock()
	}()
	m := s.methods[method]
	a.admitted = m.TryAcquire() || m.Wait(ctx, shed.NewPriority(l, rand.Uint32()), time.Hour)
	if !a.admitted {
		return
	}
	start, outcome := time.Now(), shed.Done
	if !s.handle(ctx, method) {
		a.gaveUp, outcome = true, shed.GaveUp
	}
	m.Release(start, time.Now(), outcome)
}

func (s *server) handle(ctx context.Context, method int) bool {
	select {
	case s.capacity <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	defer func() { <-s.capacity }()
	select {
	case <-time.After(s.service(method)):
		return true
	case <-ctx.Done():
		return false
	}
}

// load is an open loop: calls come whether others have ended or not.
type load struct {
	rate    float64 // in a second
	length  time.Duration
	timeout time.Duration
	level   func() criticality.Level
	method  func() int
}

func (s *server) offer(t *testing.T, o load) {
	var calls sync.WaitGroup
	end := time.Now().Add(o.length)
	for next := time.Now(); next.Before(end); next = next.Add(time.Duration(rand.ExpFloat64() / o.rate * float64(time.Second))) {
		time.Sleep(time.Until(next)) //house:allow the clock of a bubble
		level, method := criticality.Default, 0
		if o.level != nil {
			level = o.level()
		}
		if o.method != nil {
			method = o.method()
		}
		calls.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), max(o.timeout, time.Second))
			defer cancel()
			s.call(ctx, method, level)
		})
	}
	calls.Wait()
}

// take returns what has ended since the last time.
func (s *server) take() sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls
	s.calls = nil
	return calls
}

type sample []answered

func (s sample) only(keep func(answered) bool) sample {
	return slices.DeleteFunc(slices.Clone(s), func(a answered) bool { return !keep(a) })
}

func good(a answered) bool { return a.admitted && !a.gaveUp }

// goodput is how many calls were answered in a second.
func (s sample) goodput(length time.Duration) float64 {
	return float64(len(s.only(good))) / length.Seconds()
}

// share is how many of the calls were answered.
func (s sample) share() float64 {
	return float64(len(s.only(good))) / max(1, float64(len(s)))
}

// quantile is how long the calls took that were admitted.
func (s sample) quantile(q float64) time.Duration {
	admitted := s.only(func(a answered) bool { return a.admitted })
	if len(admitted) == 0 {
		return 0
	}
	slices.SortFunc(admitted, func(a, b answered) int { return int(a.took - b.took) })
	return admitted[int(q*float64(len(admitted)-1))].took
}

const usual = 20 * time.Millisecond

// steady takes 20 ms, with a spread of a quarter.
func steady(int) time.Duration { return usual*3/4 + rand.N(usual/2) }

// skewed takes 20 ms in the mean, and three times that now and then.
func skewed(int) time.Duration { return time.Duration(rand.ExpFloat64() * float64(usual)) }
