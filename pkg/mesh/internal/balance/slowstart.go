package balance

import "time"

const (
	// warmFor is the slow start of a replica that joins: empty caches and pools take
	// tens of seconds to fill. A tenth of the calls at first, as Envoy has it.
	warmFor   = 30 * time.Second
	warmLeast = 0.1
	// recoverFor is the slow start after a breaker closed: long enough to see that a
	// replica fails with more than one call, and short enough that one which fails
	// fast has its share back within 5 s of the repair, longest penalty included.
	recoverFor = 2 * time.Second
	// away is how long a connection may be gone without being a new start.
	away = time.Second
)

// accepts says whether an endpoint that was drawn may be chosen, which in a slow
// start it is more and more often. draw is a random number.
func (e *Endpoint) accepts(now int64, draw uint64) bool {
	until := e.warmUntil.Load()
	if until == 0 {
		return true
	}
	if now >= until {
		e.warmUntil.CompareAndSwap(until, 0)
		return true
	}
	age := 1 - float64(until-now)/float64(e.warmFor.Load())
	return unit(draw) < max(warmLeast, age)
}

// warm begins a slow start, unless there is one that lasts longer.
func (e *Endpoint) warm(now int64, length time.Duration) {
	until := now + int64(length)
	if e.warmUntil.Load() < until {
		e.warmFor.Store(int64(length))
		e.warmUntil.Store(until)
	}
}

// connected takes note of whether an endpoint is ready. One that becomes so starts
// slowly when others have settled; when none has, nobody else is there to take the
// calls meanwhile.
func (e *Endpoint) connected(now int64, ready, others bool) {
	switch {
	case ready && !e.ready:
		if e.readySince == 0 || now-e.readyUntil > int64(away) {
			e.readySince = now
			if others {
				e.warm(now, warmFor)
			}
		}
	case !ready && e.ready:
		e.readyUntil = now
	}
	e.ready = ready
}

// settled says whether an endpoint has been ready for longer than a slow start.
func (e *Endpoint) settled(now int64) bool {
	return e.ready && now-e.readySince > int64(warmFor)
}

// unit makes a number from 0 to 1 of a random one.
func unit(draw uint64) float64 { return float64(draw>>11) / (1 << 53) }
