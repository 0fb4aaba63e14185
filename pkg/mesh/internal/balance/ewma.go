package balance

import (
	"math"
	"sync/atomic"
	"time"
)

// memory is the time in which a cost forgets two thirds of what it was, and
// firstCost the cost of the first replica, of which nothing is known. Both are
// those of Finagle's and Linkerd's peak EWMA.
const (
	memory    = 10 * time.Second
	firstCost = 30 * time.Millisecond
)

// stamped is a number, as a float32, and the tick at which it was so, in one word. A
// tick is 2^20 ns, about a millisecond, and 32 bits of them last 52 days: whoever
// was not called for half of that is taken for somebody who never was.
type stamped struct{ word atomic.Uint64 }

const tickBits = 20

func stamp(now int64, number float64) uint64 {
	return uint64(math.Float32bits(float32(number)))<<32 | uint64(uint32(now>>tickBits))
}

func (s *stamped) set(now int64, number float64) { s.word.Store(stamp(now, number)) }

// get returns the number and how long ago it was so.
func (s *stamped) get(now int64) (number float64, idle time.Duration) {
	return unstamp(s.word.Load(), now)
}

func unstamp(word uint64, now int64) (number float64, idle time.Duration) {
	ticks := int32(uint32(now>>tickBits) - uint32(word))
	if ticks < -1000 { // not just another goroutine's clock
		ticks = math.MaxInt32
	}
	return float64(math.Float32frombits(uint32(word >> 32))), max(0, time.Duration(ticks)<<tickBits)
}

// kept is the part of the past that still counts after a time. Below a hundredth of
// the memory all does, which spares most choices the exponential.
func kept(idle time.Duration) float64 {
	if idle < memory/100 {
		return 1
	}
	return math.Exp(-float64(idle) / float64(memory))
}

// peak is a peak EWMA of latencies in nanoseconds (Finagle's P2CPeakEwma): a longer
// one counts at once and in full, shorter ones bring it down slowly, and so does
// time in which there are none.
type peak struct{ stamped }

func (p *peak) value(now int64) float64 {
	cost, idle := p.get(now)
	return cost * kept(idle)
}

// observe takes in a latency.
func (p *peak) observe(now int64, latency float64) {
	for {
		old := p.word.Load()
		cost, idle := unstamp(old, now)
		switch {
		case latency > cost:
			cost = latency
		case idle == 0: // another one of the same millisecond counts for it
			return
		default:
			w := math.Exp(-float64(idle) / float64(memory))
			cost = cost*w + latency*(1-w)
		}
		if p.word.CompareAndSwap(old, stamp(now, cost)) {
			return
		}
	}
}

// recent is the share of calls that succeeded, of about the last 10. Failures are
// also forgotten with time, since whoever fails gets few calls to make up for them.
// As long as all succeed, nothing is written.
type recent struct{ stamped }

const (
	recentWeight = 0.1   // of the newest call
	recentWhole  = 0.999 // from where on it counts as all
)

func (r *recent) value(now int64) float64 {
	share, idle := r.get(now)
	if share == 1 {
		return 1
	}
	return 1 - (1-share)*kept(idle)
}

func (r *recent) add(now int64, success bool) {
	for {
		old := r.word.Load()
		was, idle := unstamp(old, now)
		if success && was == 1 {
			return
		}
		is := (1 - (1-was)*kept(idle)) * (1 - recentWeight)
		if success {
			is += recentWeight
		}
		if is > recentWhole {
			is = 1
		}
		if r.word.CompareAndSwap(old, stamp(now, is)) {
			return
		}
	}
}
