package shed

import (
	"context"
	"math"
	"sync/atomic"
	"time"
)

// Outcome is how a call ended, as far as the limiter cares.
type Outcome int

const (
	// Done: the call was answered; how long that took counts.
	Done Outcome = iota
	// GaveUp: the deadline passed or the caller went away.
	GaveUp
	// Failed: an error, which may take any time. It does not count.
	Failed
)

const (
	// noise is added to each time before it is compared: what takes a fraction of a
	// millisecond is delayed by as much by the scheduler and the collector, and a
	// wait that short hurts nobody.
	noise = 2 * time.Millisecond
	// octave is the precision of logarithms: 256 steps to a factor of two, 0.3 % each.
	octave = 256
	// widest bounds what one call says: four times longer or shorter than usual.
	widest = 2 * octave
	// counted is how a tally packs a count above a sum of 40 bits.
	counted = 1 << 40
)

// Method is one method of a server, which has its own usual time.
type Method struct {
	limiter *Limiter
	usual   atomic.Int64  // log2 of the time, in parts of an octave; 0 when not known
	tally   atomic.Uint64 // of this window: the count and the sum of deviations from usual
	squares atomic.Int64  // of this window: the sum of the squares of deviations
	gaveUp  atomic.Int64  // of this window
	seen    atomic.Int64  // how many calls usual is made of
	probed  tally         // of the experiment that runs
}

// TryAcquire gets a permit if one is free and nobody waits for it. Whoever has one
// must give it back with Release or Return.
func (m *Method) TryAcquire() bool {
	return m.limiter.queue.length.Load() == 0 && m.limiter.take()
}

// Wait queues for a permit, and says whether there was one in time. More critical
// calls overtake. It waits no longer than the queue allows, which the package's
// comment describes, nor than patience or ctx.
func (m *Method) Wait(ctx context.Context, p Priority, patience time.Duration) bool {
	return m.limiter.wait(ctx, caller{p, patience, m.Usual()})
}

// Release gives a permit back that was got at start, and notes how the call ended.
func (m *Method) Release(start, now time.Time, o Outcome) {
	l := m.limiter
	if o != Failed && l.at(start) >= l.since.Load() {
		m.observe(now.Sub(start), o)
	}
	l.put()
	if at := l.at(now); at >= l.due.Load() {
		l.endWindow(at)
	}
}

// Return gives a permit back whose time says nothing, such as that of a stream.
func (m *Method) Return() { m.limiter.put() }

// Usual is how long a call of the method takes when the server is not crowded; 0
// before that is known.
func (m *Method) Usual() time.Duration {
	if m.seen.Load() < fewCalls {
		return 0
	}
	return max(0, time.Duration(math.Exp2(float64(m.usual.Load())/octave))-noise)
}

func (m *Method) observe(took time.Duration, o Outcome) {
	if o == GaveUp {
		m.gaveUp.Add(1)
		return
	}
	log := logarithm(took)
	usual := m.usual.Load()
	if usual == 0 {
		// The first call is what is usual, less what the server is slow now.
		usual = log - m.limiter.slow.Load()
		m.usual.CompareAndSwap(0, usual)
	}
	deviation := min(max(log-usual, -widest), widest)
	m.tally.Add(counted + uint64(deviation+widest))
	m.squares.Add(deviation * deviation)
}

// drain returns what was seen since the last time.
func (m *Method) drain() tally {
	packed := m.tally.Swap(0)
	t := tally{calls: float64(packed / counted), squares: float64(m.squares.Swap(0))}
	t.sum = float64(packed%counted) - t.calls*widest
	return t
}

// tally is what was seen of some calls: their deviations from usual, in parts of an
// octave.
type tally struct{ calls, sum, squares float64 }

func (t *tally) add(o tally) {
	t.calls, t.sum, t.squares = t.calls+o.calls, t.sum+o.sum, t.squares+o.squares
}

func (t tally) mean() float64 { return t.sum / max(t.calls, 1) }

func (t tally) variance() float64 {
	return max(t.squares/max(t.calls, 1)-t.mean()*t.mean(), 0)
}

// learn takes the calls of a quiet window for usual: the first ones quickly, later
// ones with the weight that the window has in the time of learning. It returns by
// how much what is usual has moved.
func (m *Method) learn(t tally, length time.Duration) float64 {
	if t.calls == 0 {
		return 0
	}
	seen := min(float64(m.seen.Load()), t.calls*float64(learning)/float64(length))
	m.seen.Add(int64(t.calls))
	return m.move(t.mean() * t.calls / (t.calls + seen))
}

// move changes what is usual.
func (m *Method) move(by float64) float64 {
	by = math.Round(by)
	m.usual.Add(int64(by))
	return by
}

func logarithm(d time.Duration) int64 {
	return int64(math.Log2(float64(max(d, 0)+noise)) * octave)
}

// ratio is the inverse of a logarithm that has no unit.
func ratio(log int64) float64 { return math.Exp2(float64(log) / octave) }
