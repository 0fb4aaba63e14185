package calls

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

const (
	// perOctave buckets for each doubling of the time: a quantile is at most 19 %
	// too long.
	perOctave = 4
	octaves   = 26 // from 1 us to 67 s
	// generation is how long samples are gathered before those of the generation
	// before are forgotten.
	generation = 10 * time.Second
	// enough samples for a quantile.
	enough = 100
	// refresh is how often quantiles are worked out.
	refresh = 500 * time.Millisecond
)

// Latency says how long the calls of one method take, over the last 10 to 20 s.
// Its methods may be called by several goroutines at once.
type Latency struct {
	origin  time.Time
	current atomic.Int64 // which generation is being gathered
	halves  [2]histogram
	known   atomic.Pointer[quantiles]
	next    atomic.Int64 // when quantiles are worked out again, ns since the origin
}

type histogram [perOctave * octaves]atomic.Uint32

type quantiles struct{ p50, p95, p99, longest time.Duration }

// NewLatency returns a Latency without samples.
func NewLatency() *Latency {
	l := &Latency{origin: time.Now()}
	l.known.Store(&quantiles{})
	return l
}

// Observe adds a call that took d.
func (l *Latency) Observe(d time.Duration) {
	now := time.Since(l.origin)
	g := int64(now / generation)
	if was := l.current.Load(); was != g && l.current.CompareAndSwap(was, g) {
		l.begin(g, g-was > 1)
	}
	l.halves[g&1][bucketOf(d)].Add(1)
	if d > l.known.Load().longest {
		l.next.Store(0) // the longest call counts at once, also when it is the first
	}
	if due := l.next.Load(); int64(now) >= due && l.next.CompareAndSwap(due, int64(now+refresh)) {
		l.refresh()
	}
}

// begin empties the half that generation g is gathered in, and the other one too
// when that is older than the generation before.
func (l *Latency) begin(g int64, both bool) {
	l.halves[g&1].clear()
	if both {
		l.halves[1-g&1].clear()
	}
}

func (h *histogram) clear() {
	for i := range h {
		h[i].Store(0)
	}
}

// P50, P95 and P99 return quantiles; 0 as long as too little is known.
func (l *Latency) P50() time.Duration { return l.known.Load().p50 }

// P95 is like P50.
func (l *Latency) P95() time.Duration { return l.known.Load().p95 }

// P99 is like P50.
func (l *Latency) P99() time.Duration { return l.known.Load().p99 }

// Longest returns how long the longest call took, also when little is known.
func (l *Latency) Longest() time.Duration { return l.known.Load().longest }

func (l *Latency) refresh() {
	var counts [perOctave * octaves]uint64
	var total uint64
	for i := range counts {
		counts[i] = uint64(l.halves[0][i].Load()) + uint64(l.halves[1][i].Load())
		total += counts[i]
	}
	longest := quantile(&counts, total, 1)
	if total < enough {
		before := l.known.Load()
		l.known.Store(&quantiles{before.p50, before.p95, before.p99, longest})
		return
	}
	l.known.Store(&quantiles{
		quantile(&counts, total, 0.50), quantile(&counts, total, 0.95), quantile(&counts, total, 0.99), longest,
	})
}

// quantile returns the upper bound of the bucket in which the quantile is.
func quantile(counts *[perOctave * octaves]uint64, total uint64, q float64) time.Duration {
	rank := uint64(math.Ceil(q * float64(total)))
	var seen uint64
	for i, n := range counts {
		if seen += n; seen >= rank {
			return upperBound(i)
		}
	}
	return upperBound(len(counts) - 1)
}

// bucketOf takes the two bits below the highest one of the microseconds: four
// buckets of equal width in each octave.
func bucketOf(d time.Duration) int {
	us := uint64(max(d, 0)/time.Microsecond) + 1
	octave := bits.Len64(us) - 1
	within := int(us<<2>>octave) & 3
	return min(octave*perOctave+within, perOctave*octaves-1)
}

func upperBound(bucket int) time.Duration {
	octave, within := bucket/perOctave, bucket%perOctave
	return time.Duration(1<<octave*(perOctave+within+1)/perOctave) * time.Microsecond
}
