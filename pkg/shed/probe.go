package shed

import (
	"math"
	"math/rand/v2"
	"time"
)

const (
	// The first experiment comes a second after overload has begun, and another one a
	// second after each that has found something, or that has not found why calls are
	// slow; else there is one in some 10 s, as BBR looks for the shortest round trip.
	// It takes two seconds at most, and where fewer calls end than tell anything, ten.
	soonProbe, nextProbe, longestProbe = time.Second, 10 * time.Second, 2 * time.Second
	// urgent is how many calls are enough while it is not known whether fewer at once
	// would be faster: half of those that it takes to be sure.
	urgent = manyCalls / 2
	// leastProbed is how many calls it takes to learn anything.
	leastProbed = 5
)

// probe is the experiment under overload: half as many calls may run, and how long
// they take is usual.
type probe struct {
	running bool
	began   time.Duration
	next    time.Duration // when the next may begin
	tally
}

// startProbe begins an experiment when calls wait, and when the last change of the
// limit has taken effect, or was long ago: where few calls end it is the way out. It
// says whether it does.
func (c *control) startProbe(w window) bool {
	if !w.crowded {
		c.probe.next = w.now + soonProbe
	}
	enough := c.urgently()
	if w.now-time.Duration(c.limiter.since.Load()) > nextProbe {
		enough = leastProbed
	}
	if w.now < c.probe.next || c.evidence < enough {
		return false
	}
	c.probe = probe{running: true, began: w.now}
	c.limiter.since.Store(int64(w.now))
	return true
}

// urgently is how many calls an experiment needs, and the time before it.
func (c *control) urgently() float64 {
	if c.proved {
		return c.needed()
	}
	return min(c.needed(), urgent)
}

// watchProbe ends an experiment when there were enough calls, or when it takes too
// long or tells nothing because most calls are given up.
func (c *control) watchProbe(w window) {
	p := &c.probe
	p.add(w.tally)
	if p.calls < c.urgently() && w.now-p.began < p.longest() && w.gaveUp <= w.calls {
		return
	}
	before := c.slow
	if p.calls >= leastProbed && float64(c.whole()) < c.limit {
		chance := 3 * math.Sqrt(c.variance/p.calls) // three deviations of the mean
		c.proved = before-p.mean() > max(grow, chance)
	}
	for _, m := range c.limiter.methods {
		m.move(c.concluded(m.probed))
		m.probed = tally{}
	}
	c.slow -= c.concluded(p.tally)
	pause := nextProbe*3/4 + rand.N(nextProbe/2)
	if math.Abs(c.slow-before) > grow || c.slow > shrink && !c.proved {
		pause = soonProbe
	}
	c.evidence = 0
	c.probe = probe{next: w.now + pause}
}

// longest is how long the experiment may take.
func (p *probe) longest() time.Duration {
	if p.calls < leastProbed {
		return nextProbe
	}
	return longestProbe
}

// concluded is how much of a deviation is believed: the more calls there were and
// the more alike they are, the more. What is too large for chance is believed at
// once.
func (c *control) concluded(t tally) float64 {
	if t.calls < leastProbed {
		return 0
	}
	doubt := max(c.variance/(precision*precision), 1)
	if math.Abs(t.mean()) > shrink {
		doubt = 1
	}
	return t.mean() * t.calls / (t.calls + doubt)
}
