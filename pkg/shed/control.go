package shed

import (
	"math"
	"time"
)

// The clockwork of the limit. Times are measured from the start of the limiter.
const (
	// A window ends after 50 ms with 10 calls, or after a second with any.
	shortest = 50 * time.Millisecond
	longest  = time.Second
	// The mean of as many calls is looked at as make it right to a tenth of an octave
	// (7 %), given how far their times are spread: 10 at least, 200 at most.
	precision           = octave / 10
	fewCalls, manyCalls = 10, 200
	// What is usual follows a change in half a minute while nobody waits.
	learning = 30 * time.Second
	// After 10 s without resistance the limit may double until it meets some.
	quiet = 10 * time.Second
	// headroom is how many times the calls that ran the limit may be (failsafe-go).
	headroom = 5
	// While calls wait, though those that run are not slow, the limit grows by a tenth
	// in each window: no more than what lies between grow and shrink.
	crowdedStep = 10
)

// Slowness in parts of an octave: below grow the limit grows, above shrink it
// shrinks, to where calls should take as long as aim says. Between 1.15 and 1.4
// times the usual time it stays: the server is full, and nobody waits long.
var (
	grow   = math.Log2(1.15) * octave
	aim    = math.Log2(1.2) * octave
	shrink = math.Log2(1.4) * octave
)

type bounds struct{ min, max, rest int }

// control decides on the limit at the end of each window.
type control struct {
	limiter *Limiter
	bounds

	limit    float64
	began    time.Duration // the window
	slow     float64       // smoothed deviation from usual
	variance float64       // smoothed variance of the deviations
	evidence float64       // calls since the limit was changed
	seen     float64       // calls since the start
	eager    bool          // the limit may double
	proved   bool          // an experiment has shown that fewer calls at once are faster
	resisted time.Duration // when calls were slow last
	probe    probe
}

func newControl(l *Limiter, b bounds) control {
	c := control{limiter: l, bounds: b, eager: true, probe: probe{next: soonProbe}}
	c.set(float64(b.rest))
	return c
}

// window is what happened in one.
type window struct {
	tally
	now, length time.Duration
	gaveUp      float64
	peak        float64
	crowded     bool
}

// endWindow ends a window, unless another goroutine does or there are too few
// calls in it.
func (l *Limiter) endWindow(at int64) {
	if !l.mu.TryLock() {
		return
	}
	before := l.limit.Load()
	l.control.tick(time.Duration(at))
	l.mu.Unlock()
	if l.limit.Load() > before {
		l.handOver()
	}
}

func (c *control) tick(now time.Duration) {
	l := c.limiter
	if now < time.Duration(l.due.Load()) {
		return // another goroutine has
	}
	if c.pending() < fewCalls && now-c.began < longest {
		l.due.Store(int64(now + shortest/5))
		return
	}
	c.decide(c.close(now))
	c.began = now
	l.due.Store(int64(now + shortest))
	l.slow.Store(int64(c.slow))
	l.proved.Store(c.proved)
	l.limit.Store(c.whole())
}

// pending counts the calls of the window so far.
func (c *control) pending() (n int64) {
	for _, m := range c.limiter.methods {
		n += int64(m.tally.Load()/counted) + m.gaveUp.Load()
	}
	return n
}

// close gathers what the methods have seen, and lets them learn from it.
func (c *control) close(now time.Duration) window {
	l := c.limiter
	w := window{now: now, length: max(now-c.began, 1)}
	w.peak, w.crowded = float64(l.peak.Swap(l.running.Load())), l.crowded.Swap(false)
	calm := !w.crowded && c.slow < shrink || c.calibrates()
	var shift float64
	for _, m := range l.methods {
		w.gaveUp += float64(m.gaveUp.Swap(0))
		t := m.drain()
		w.add(t)
		switch {
		case c.probe.running:
			m.probed.add(t)
		case calm || m.seen.Load() < fewCalls: // the first ones are all that is known
			shift += m.learn(t, min(w.length, longest)) * t.calls // a pause is no window
		}
	}
	// What is usual has moved, and what deviates from it by as much.
	w.sum -= shift
	c.slow -= shift / max(w.calls, 1)
	return w
}

func (c *control) decide(w window) {
	switch busy := w.crowded || w.peak >= c.limit/2; {
	case c.probe.running:
		c.watchProbe(w)
	case w.gaveUp > w.calls:
		c.halve(w)
	default:
		c.smooth(w.tally)
		if !c.calibrates() && !c.startProbe(w) {
			c.adjust(w, busy)
		}
	}
}

// halve lowers the limit where most calls are given up, or raises it to half of the
// rest, which is left to find out when they are answered again: what was shown
// before that was shown of a server that answered.
func (c *control) halve(w window) {
	half := min(max(c.limit/2, c.floor()), float64(c.max))
	if !w.crowded || half == c.limit {
		return
	}
	c.change(half, w.now)
	c.eager, c.proved = false, false
}

// floor is what the limit is never lowered below for a mere belief.
func (c *control) floor() float64 { return max(float64(c.rest)/2, float64(c.min)) }

// smooth takes the calls of a window into the running means.
func (c *control) smooth(t tally) {
	part := 1 - math.Exp(-2*t.calls/c.needed())
	c.slow += (t.mean() - c.slow) * part
	c.variance += (t.variance() - c.variance) * part
	c.evidence += t.calls
	c.seen += t.calls
}

// calibrates says that the server has seen too little to know what is usual. The
// first calls to end are the shortest ones, whatever the others take.
func (c *control) calibrates() bool {
	return c.seen < max(2*float64(c.rest), c.needed())
}

// needed is how many calls it takes to know their mean.
func (c *control) needed() float64 {
	return min(max(c.variance/(precision*precision), fewCalls), manyCalls)
}

// adjust moves the limit.
func (c *control) adjust(w window, busy bool) {
	if c.slow >= grow {
		c.eager, c.resisted = false, w.now
	} else if w.now-c.resisted > quiet {
		c.eager, c.proved = true, false
	}
	switch {
	case busy && c.slow > shrink:
		c.shrink(w)
	case w.crowded && c.slow < grow && c.eager:
		c.change(2*c.limit, w.now)
	case w.crowded && c.slow < grow:
		c.change(c.limit+max(1, c.limit/crowdedStep), w.now)
	case busy && c.slow < grow, !busy && c.limit < float64(c.rest):
		c.set(c.limit + step(c.limit))
	case !busy && c.limit > max(headroom*w.peak, float64(c.rest)):
		c.set(c.limit - step(c.limit))
	}
}

// step is how far the limit moves in a window while nobody waits, as in TCP Vegas.
func step(limit float64) float64 { return max(1, math.Log10(limit)) }

// shrink lowers the limit to where nobody should wait long: by Little's law as many
// calls run as there is throughput times latency, and throughput stays. Where the
// machine is short of processors calls are slow however few run, and fewer would only
// be less work done: so below the floor it takes an experiment.
func (c *control) shrink(w window) {
	least := float64(c.min)
	if !c.proved {
		least = c.floor()
	}
	if c.evidence < c.needed() || c.limit <= least {
		return
	}
	enough := min(c.limit, w.peak) * math.Exp2((aim-c.slow)/octave)
	c.change(max(enough, c.limit/4, least), w.now)
	c.slow = aim
}

// change sets another limit. What runs already began under the old one, and says
// nothing of the new: before that has shown how it does there is no other change.
func (c *control) change(limit float64, now time.Duration) {
	c.set(limit)
	c.evidence = 0
	c.limiter.since.Store(int64(now))
}

func (c *control) set(limit float64) {
	c.limit = min(max(limit, float64(c.min)), float64(c.max))
}

// whole is how many calls may run, an experiment considered.
func (c *control) whole() int64 {
	if c.probe.running {
		return int64(max(c.limit/2, float64(c.min)))
	}
	return int64(c.limit)
}
