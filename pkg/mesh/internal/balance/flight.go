package balance

import (
	"sync/atomic"
	"time"
)

// flight is the unary calls that are on their way: how many there are and how old
// they are on average, in one word, so that both are of the same moment. The lower
// 20 bits count; the upper 44 are the sum of the times at which the calls began, in
// microseconds. The sum wraps around and is right nevertheless, as long as all the
// ages together are less than 100 days.
type flight struct{ word atomic.Uint64 }

const flightBits = 20 // a million calls at once

func (f *flight) enter(began int64) { f.word.Add(flightWord(began)) }
func (f *flight) leave(began int64) { f.word.Add(-flightWord(began)) }

func flightWord(began int64) uint64 {
	return micros(began)<<flightBits + 1
}

func micros(t int64) uint64 { return uint64(t) / uint64(time.Microsecond) }

// load returns how many calls there are, and their mean age in nanoseconds.
func (f *flight) load(now int64) (n, age float64) {
	word := f.word.Load()
	count := word & (1<<flightBits - 1)
	if count == 0 {
		return 0, 0
	}
	// What began after now was read makes the sum negative: hence the sign.
	ages := int64((count*micros(now))<<flightBits-(word-count)) >> flightBits
	n = float64(count)
	return n, max(0, float64(ages)) * float64(time.Microsecond) / n
}
