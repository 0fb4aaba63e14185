package balance

import "time"

// penalty is how long a replica is left alone after its breaker opened, and after
// each probe that failed. It grows, since probes are calls of users.
//
// What a probe costs decides how far it grows. One that fails fast, and may be made
// again, costs a user next to nothing: every 2.5 to 3 s is not too often, and a
// replica that was repaired is found in time. One that hangs, or that nobody makes
// again, is worth waiting for: up to 30 s, as Linkerd waits up to a minute.
type penalty struct {
	last     time.Duration
	closedAt int64
}

const (
	penaltyFirst  = time.Second
	cheapFactor   = 1.5
	cheapLongest  = 2500 * time.Millisecond
	dearFactor    = 2
	dearLongest   = 30 * time.Second
	penaltyJitter = 0.2 // is added at most, so that clients do not probe together
	// calm is for how long a breaker must have been closed for the penalty to begin
	// anew.
	calm = time.Minute
)

// next returns how long to wait now. draw is a random number.
func (p *penalty) next(now int64, x ending, draw uint64) time.Duration {
	if p.closedAt != 0 && now-p.closedAt > int64(calm) {
		p.last = 0
	}
	p.closedAt = 0
	switch {
	case p.last == 0:
		p.last = penaltyFirst
	case x.safe && !x.hung:
		p.last = min(time.Duration(cheapFactor*float64(p.last)), cheapLongest)
	default:
		p.last = min(dearFactor*p.last, dearLongest)
	}
	jitter := penaltyJitter * float64(draw) / (1 << 64)
	return time.Duration(float64(p.last)*(1+jitter)) + time.Millisecond
}

func (p *penalty) closed(now int64) { p.closedAt = now }
