package shed

import (
	"container/list"
	"context"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/criticality"
)

const (
	// target and interval are those of CoDel as Facebook uses it for servers (Maurer,
	// "Fail at scale", 2015), with twice its target: a queue that has stood for 100 ms
	// is no burst, and whoever waits in it for 10 ms is refused, or for as long as a
	// call takes: before that nobody may have ended.
	target   = 10 * time.Millisecond
	interval = 100 * time.Millisecond
	// A critical call with nobody less critical to refuse is better answered late: it
	// waits for 100 ms or two turns, but for a quarter of its time at most.
	turns, lateShare = 2, 4
	// stalled is how late a timer is when the whole process stood still: nobody who
	// runs could end meanwhile, and so nobody who waits has waited in vain.
	stalled = 5 * time.Millisecond
	// spared is how long calls may wait of which there are not too many, while less
	// critical ones are refused: five turns of a server that ends a call in 10 ms.
	spared = 50 * time.Millisecond
	// There are too many of a criticality when two thirds of those that had to wait were
	// refused lately, which is some 30 calls.
	tooMany, lately = 2.0 / 3, 30
	// A queue holds four times the calls that may run, but 64 at least, for bursts at
	// a server that has a low limit yet, and 1024 at most.
	minQueue, maxQueue = 64, 1024
)

// Classes is how many criticalities there are, and shares into how many parts the
// callers of each are cut.
const (
	Classes = 4
	shares  = 16
)

// Priority orders waiting calls: by criticality, then by whose call it is.
type Priority uint8

// NewPriority makes the priority of a call. whose is anything that is the same at
// every hop of a request, and for all requests of one user for some time: who is
// refused at one server is then refused at all, before work is done in vain, and
// the others get through. This is the second priority of WeChat's DAGOR.
func NewPriority(l criticality.Level, whose uint32) Priority {
	if l < criticality.Sheddable || l > criticality.CriticalPlus {
		l = criticality.Default
	}
	return Priority(int(l-criticality.Sheddable)*shares + int(whose%shares))
}

func (p Priority) class() int { return int(p) / shares }

// equal is the priority that all of a class have while it is not refused: the
// highest of the class, where they are served in turn.
func (p Priority) equal() Priority { return p | (shares - 1) }

// queue is where calls wait for a permit. Each priority has a list of its own, and
// a bit that says whether anybody is in it.
type queue struct {
	length  atomic.Int64 // changed under mu
	refused [Classes]atomic.Int64

	mu      sync.Mutex
	some    uint64
	lists   [Classes * shares]list.List
	classes [Classes]class
	recent  recent // of those that were refused
}

// class is what the queue knows of the calls of a criticality.
type class struct {
	began   time.Time // when calls of the class or above have begun to wait
	waited  time.Time // when one had to wait last
	refused time.Time // when one of the class itself was refused last
	share   float64   // how many of the class were refused, of those that had to wait
}

// waiter is a call that waits. ready gets whether it may run.
type waiter struct {
	priority Priority
	place    *list.Element
	ready    chan bool
}

// caller is a call that comes to wait.
type caller struct {
	Priority
	patience time.Duration
	usual    time.Duration // of its method
}

func (l *Limiter) wait(ctx context.Context, c caller) bool {
	l.crowded.Store(true)
	began := time.Now()
	w, longest := l.enqueue(c, began)
	if w == nil {
		return false
	}
	longest = min(longest, c.patience)
	timer := time.NewTimer(longest)
	defer timer.Stop()
	for again := false; ; again = true {
		select {
		case admitted := <-w.ready:
			return admitted
		case <-timer.C:
			waited := time.Since(began)
			if again || waited < longest+stalled || waited >= c.patience {
				return l.leave(w)
			}
			timer.Reset(min(longest, c.patience-waited))
		case <-ctx.Done():
			return l.leave(w)
		}
	}
}

// enqueue finds a place, and says how long the call may wait there. In a full
// queue a less critical call makes room; when there is none, the result is nil.
func (l *Limiter) enqueue(c caller, now time.Time) (*waiter, time.Duration) {
	q, p := &l.queue, c.Priority
	q.mu.Lock()
	defer q.mu.Unlock()
	q.note(p, now)
	longest := c.turn()
	if !l.proved.Load() {
		longest = c.late()
	}
	switch {
	case q.spares(p, now):
		longest, p = spared, p.equal()
	case !q.standing(p, now):
		longest, p = interval, p.equal()
	}
	full := min(max(4*l.limit.Load(), minQueue), maxQueue)
	if q.length.Load() >= full && !q.displace(p, now) {
		q.refuse(p, now)
		return nil, 0
	}
	w := &waiter{priority: p, ready: make(chan bool, 1)}
	q.add(w)
	l.serve(now) // a permit may have become free just before
	return w, longest
}

// turn is how long a call waits in a queue that stands.
func (c caller) turn() time.Duration { return min(max(c.usual, target), interval) }

// late is how long it waits there when it is not known that fewer calls at once
// would be faster.
func (c caller) late() time.Duration {
	if c.class() < int(criticality.Critical-criticality.Sheddable) {
		return c.turn()
	}
	return max(c.turn(), min(max(turns*c.usual, interval), c.patience/lateShare))
}

// leave ends a wait, and says whether the permit came at the last moment.
func (l *Limiter) leave(w *waiter) bool {
	q := &l.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case admitted := <-w.ready:
		return admitted
	default:
	}
	q.remove(w)
	q.refuse(w.priority, time.Now())
	return false
}

// handOver gives free permits to those who wait.
func (l *Limiter) handOver() {
	l.queue.mu.Lock()
	defer l.queue.mu.Unlock()
	l.serve(time.Now())
}

func (l *Limiter) serve(now time.Time) {
	for l.queue.length.Load() > 0 && l.take() {
		l.queue.next(now).ready <- true
	}
}

// note remembers that a call of a priority has to wait.
func (q *queue) note(p Priority, now time.Time) {
	for c := range p.class() + 1 {
		k := &q.classes[c]
		// That the queue is empty for a moment says nothing: those who waited may have
		// been refused.
		if now.Sub(k.waited) > interval {
			k.began = now
		}
		k.waited = now
	}
}

// standing says that what waits before a call of that priority is no burst.
func (q *queue) standing(p Priority, now time.Time) bool {
	return now.Sub(q.classes[p.class()].began) > interval
}

// spares says that less critical calls were refused in the last second, so that it
// is they who are too many, and not those of this priority.
func (q *queue) spares(p Priority, now time.Time) bool {
	c := p.class()
	if q.classes[c].share > tooMany {
		return false
	}
	for below := range c {
		if now.Sub(q.classes[below].refused) < time.Second {
			return true
		}
	}
	return false
}

func (q *queue) refuse(p Priority, now time.Time) {
	k := &q.classes[p.class()]
	k.refused = now
	k.share += (1 - k.share) / lately
	q.refused[p.class()].Add(1)
	q.recent.add(now)
}

// next takes out the most critical call. Of equals it is the first, or in a
// standing queue the last: the first have waited in vain already.
func (q *queue) next(now time.Time) *waiter {
	first := Priority(bits.Len64(q.some) - 1)
	lane := &q.lists[first]
	place := lane.Front()
	if first != first.equal() && q.standing(first, now) {
		place = lane.Back()
	}
	w := place.Value.(*waiter)
	q.remove(w)
	k := &q.classes[first.class()]
	k.share -= k.share / lately
	return w
}

// displace refuses the least critical call that waits, if it is less critical than
// p, and of those the one that has waited longest.
func (q *queue) displace(p Priority, now time.Time) bool {
	lowest := Priority(bits.TrailingZeros64(q.some))
	if lowest >= p {
		return false
	}
	w := q.lists[lowest].Front().Value.(*waiter)
	q.remove(w)
	q.refuse(lowest, now)
	w.ready <- false
	return true
}

func (q *queue) add(w *waiter) {
	w.place = q.lists[w.priority].PushBack(w)
	q.some |= 1 << w.priority
	q.length.Add(1)
}

func (q *queue) remove(w *waiter) {
	lane := &q.lists[w.priority]
	lane.Remove(w.place)
	if lane.Len() == 0 {
		q.some &^= 1 << w.priority
	}
	q.length.Add(-1)
}
