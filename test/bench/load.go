package bench

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Sample is what one window has shown, for each call.
type Sample struct {
	Calls int `json:"calls"`
	// Failed is how many of them had no answer.
	Failed int `json:"failed,omitempty"`
	// CPU is the time that client and servers have used on all cores, in
	// nanoseconds, the kernel's share included.
	CPU    float64 `json:"cpu_ns"`
	Bytes  float64 `json:"bytes"`
	Allocs float64 `json:"allocs"`
	// P50 and P99 are how long calls took, in nanoseconds.
	P50 float64 `json:"p50_ns"`
	P99 float64 `json:"p99_ns"`
}

// What samples are compared by.
func ofCPU(s Sample) float64    { return s.CPU }
func ofBytes(s Sample) float64  { return s.Bytes }
func ofAllocs(s Sample) float64 { return s.Allocs }
func ofP50(s Sample) float64    { return s.P50 }
func ofP99(s Sample) float64    { return s.P99 }

// timeout is the deadline of every call: shorter than that of the policy, as that
// of most callers is.
const timeout = 4 * time.Second

// load makes calls for d and says what they cost.
func load(ctx context.Context, call func(context.Context) error, callers int, d time.Duration) (Sample, error) {
	workers := make([]worker, callers)
	for i := range workers {
		workers[i].times = make([]time.Duration, 0, mostTimes/callers)
	}
	before := read()
	end := time.Now().Add(d)
	var wait sync.WaitGroup
	for i := range workers {
		wait.Go(func() { workers[i].run(ctx, call, end) })
	}
	wait.Wait()
	return sum(workers, read().minus(before))
}

// mostTimes is how many durations are kept of a window: room for them is made
// beforehand, so that it does not count.
const mostTimes = 1 << 18

type worker struct {
	calls  int
	failed int
	times  []time.Duration
	err    error // of the last call that failed
}

// mostFailed is which share of the calls may fail. Above it, what was measured is
// not the price of an answer any more.
const mostFailed = 0.01

// run makes one call after the other, at least one of them. It asks for the time
// once for each.
func (w *worker) run(ctx context.Context, call func(context.Context) error, end time.Time) {
	for now := time.Now(); w.calls == 0 || now.Before(end); {
		if err := within(ctx, call); err != nil {
			w.failed, w.err = w.failed+1, err
		}
		then := time.Now()
		if w.calls++; len(w.times) < cap(w.times) {
			w.times = append(w.times, then.Sub(now))
		}
		now = then
	}
}

func within(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return call(ctx)
}

func sum(workers []worker, used usage) (Sample, error) {
	var s Sample
	var times []time.Duration
	var err error
	for _, w := range workers {
		s.Calls, s.Failed = s.Calls+w.calls, s.Failed+w.failed
		times, err = append(times, w.times...), cmp.Or(err, w.err)
	}
	if float64(s.Failed) > mostFailed*float64(s.Calls) {
		return Sample{}, fmt.Errorf("%d of %d calls failed, one with: %w", s.Failed, s.Calls, err)
	}
	slices.Sort(times)
	n := float64(s.Calls)
	s.CPU, s.Bytes, s.Allocs = used.cpu/n, used.bytes/n, used.allocs/n
	s.P50, s.P99 = float64(times[len(times)/2]), float64(times[len(times)*99/100])
	return s, nil
}

// usage is what the process has used.
type usage struct{ cpu, bytes, allocs float64 }

func (u usage) minus(o usage) usage {
	return usage{u.cpu - o.cpu, u.bytes - o.bytes, u.allocs - o.allocs}
}

func read() usage {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	var r syscall.Rusage
	// It fails only for a bad argument.
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return usage{float64(r.Utime.Nano() + r.Stime.Nano()), float64(m.TotalAlloc), float64(m.Mallocs)}
}
