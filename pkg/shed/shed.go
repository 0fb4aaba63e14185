// Package shed keeps a server from taking on more than it can do: a limit on how
// many calls run at once, which it finds by itself, and a short queue in front of
// it that serves the most critical call first. What a refused caller is told is
// the business of package rpcserver.
//
// # How the limit is found
//
// As in TCP Vegas, the limit grows in small steps while calls take as long as they
// usually do, and shrinks when they take longer: then they wait for each other
// inside, for processors, a lock or a database, whatever it is. Every method has
// its own usual time, and a call counts by the ratio to that of its method, so that
// a change in the mix of methods does not look like a change in load. The mean is
// that of the logarithms, each held between a quarter and four times: one slow
// method among many does not shut out the others. How many calls it takes to know
// the mean depends on how far they are spread.
//
// What is usual is learned only while nobody has to wait. Under overload it is
// measured instead: now and then, and soon after overload has begun, half as many
// calls may run until a few have ended. If those are as slow, the server has
// become slower and that is its usual time; if they are faster, it was overloaded
// all the time. So neither steady overload nor a cold start into it becomes the
// baseline, which is how limiters after Netflix's Gradient2 drift upwards. Passive
// correlation of load and latency, which failsafe-go looks at, says nothing while
// neither changes; a small experiment does.
//
// A call that was given up, because of its deadline or its caller, tells only that
// it would have taken longer. It is never learned from. Where most end like that and
// others wait, the limit is halved, down to half of Options.Rest.
//
// A server whose machine is short of processors is slow however few calls run; it
// answers late rather than refuses. So the limit goes below half of Options.Rest only
// when an experiment has shown that fewer calls are faster.
//
// # Who waits
//
// A free permit goes to the most critical call that waits. While the queue stands, a
// call waits for 10 ms at most, or for the usual time of its method up to 100 ms;
// while it is the less critical ones that are too many, for 50 ms; in a burst, for
// 100. Before an experiment has shown that fewer calls are faster, a critical call
// waits for 100 ms or twice its usual time, and a quarter of its time at most. See
// Priority for the order among equals.
package shed

import (
	"cmp"
	"sync"
	"sync/atomic"
	"time"
)

// Options are the bounds of the limit. The zero value has good defaults.
type Options struct {
	// Min and Max bound how many calls run at once: 2 and 5000 when 0. Of 2, one
	// waits for the disk while the other computes; 5000 goroutines with their
	// requests fit in a small container. A Max below Min counts as Min.
	Min, Max int
	// Rest is the limit of a server that has little to do: 20 when 0, as in
	// failsafe-go and Netflix's limiters. While no more than half as many run at once,
	// nobody is refused, however long calls take and however they end; unless an
	// experiment under overload has shown that calls are faster when fewer run. That
	// holds until there was no overload for 10 s, or most calls are given up.
	Rest int
}

// The defaults of Options, which has the reasons.
const defaultMin, defaultMax, defaultRest = 2, 5000, 20

// Limiter is the limit of one server. Its methods may be used by several
// goroutines at once.
type Limiter struct {
	limit   atomic.Int64 // how many may run now
	running atomic.Int64
	_       [48]byte // what every call changes is not beside what few do

	peak    atomic.Int64 // the most that ran at once in this window
	crowded atomic.Bool  // somebody had to wait in this window
	due     atomic.Int64 // when the window may end
	since   atomic.Int64 // calls that began before are not looked at
	slow    atomic.Int64 // log2 of how much slower than usual calls are, in parts of an octave
	proved  atomic.Bool  // fewer calls at once are faster: the server itself is overloaded
	start   time.Time

	queue queue

	made    bounds     // by New
	mu      sync.Mutex // held to end a window
	control control
	methods []*Method
}

// New makes a limiter.
func New(o Options) *Limiter {
	l := &Limiter{start: time.Now(), made: bounds{max(cmp.Or(o.Min, defaultMin), 1), cmp.Or(o.Max, defaultMax), cmp.Or(o.Rest, defaultRest)}}
	l.made.max = max(l.made.max, l.made.min)
	l.control = newControl(l, l.made)
	l.limit.Store(l.control.whole())
	l.due.Store(int64(shortest))
	return l
}

// Method adds a method. Its usual time is not known before its first calls.
func (l *Limiter) Method() *Method {
	m := &Method{limiter: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.methods = append(l.methods, m)
	return m
}

// SetBounds changes the bounds of the limit at once; 0 means the one that the
// limiter was made with. It returns false, and changes nothing, when they contradict
// each other.
func (l *Limiter) SetBounds(least, most int) bool {
	l.mu.Lock()
	b := l.control.bounds
	b.min, b.max = cmp.Or(least, l.made.min), cmp.Or(most, l.made.max)
	ok := b.min >= 1 && b.min <= b.max
	if ok {
		l.control.bounds = b
		l.control.set(l.control.limit)
		l.limit.Store(l.control.whole())
	}
	l.mu.Unlock()
	l.handOver()
	return ok
}

// State is what a limiter shows of itself.
type State struct {
	// Limit is how many calls may run now, Running how many do, and Waiting how many
	// are queued.
	Limit, Running, Waiting int
	// Slow is how many times longer than usual the last calls took; 1 when nobody
	// waits for anybody.
	Slow float64
	// Refused counts the calls that were turned away, by criticality from SHEDDABLE
	// to CRITICAL_PLUS.
	Refused [Classes]int64
	// Refusing is how many calls of all criticalities were turned away, per second,
	// in the last 10 s.
	Refusing float64
}

// State returns what the limiter does now.
func (l *Limiter) State() State {
	s := State{
		Limit: int(l.limit.Load()), Running: int(l.running.Load()), Waiting: int(l.queue.length.Load()),
		Slow: ratio(l.slow.Load()), Refusing: l.queue.refusing(time.Now()),
	}
	for i := range s.Refused {
		s.Refused[i] = l.queue.refused[i].Load()
	}
	return s
}

// take gets a permit if there is one.
func (l *Limiter) take() bool {
	for {
		n := l.running.Load()
		if n >= l.limit.Load() {
			return false
		}
		if l.running.CompareAndSwap(n, n+1) {
			if n >= l.peak.Load() {
				l.peak.Store(n + 1) // of two at once the lower may win: nothing hangs on it
			}
			return true
		}
	}
}

// put gives a permit back, to whoever waits for one.
func (l *Limiter) put() {
	l.running.Add(-1)
	if l.queue.length.Load() > 0 {
		l.handOver()
	}
}

// at is a time as the limiter counts it.
func (l *Limiter) at(t time.Time) int64 { return int64(t.Sub(l.start)) }
