package balance

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

// histogram keeps the latencies of the last 10 to 20 s, to about 20 %: four
// classes for each doubling, from 64 us to a minute. It takes less than 700 bytes.
type histogram struct{ spans [2]span }

const (
	spanLength   = 10 * time.Second
	lowestBit    = 16 // 2^16 ns is 66 us
	classes      = 4 * 20
	classesShift = 2
)

type span struct {
	number atomic.Uint32
	counts [classes]atomic.Uint32
}

func (h *histogram) add(now, latency int64) {
	number := uint32(now / int64(spanLength))
	s := &h.spans[number%2]
	if was := s.number.Load(); was != number && s.number.CompareAndSwap(was, number) {
		for i := range s.counts {
			s.counts[i].Store(0)
		}
	}
	s.counts[class(latency)].Add(1)
}

// class is the place of the highest bit, and the two bits after it.
func class(latency int64) int {
	l := max(uint64(max(0, latency)), 1<<lowestBit)
	high := bits.Len64(l) - 1
	fraction := l >> (high - classesShift) & (1<<classesShift - 1)
	return min((high-lowestBit)<<classesShift+int(fraction), classes-1)
}

// middle is a latency in the middle of a class.
func middle(class int) time.Duration {
	low := float64(int64(1) << (lowestBit + class>>classesShift))
	fraction := float64(class&(1<<classesShift-1)) + 0.5
	return time.Duration(low * (1 + fraction/(1<<classesShift)))
}

// quantiles returns the latencies which these shares of the calls stayed below, in
// rising order; 0 when there were no calls.
func (h *histogram) quantiles(now int64, shares ...float64) []time.Duration {
	var merged [classes]uint32
	var total uint32
	number := uint32(now / int64(spanLength))
	for i := range h.spans {
		if s := &h.spans[i]; number-s.number.Load() < 2 {
			for j := range s.counts {
				n := s.counts[j].Load()
				merged[j] += n
				total += n
			}
		}
	}
	found := make([]time.Duration, len(shares))
	for i, share := range shares {
		found[i] = quantile(&merged, uint32(math.Ceil(share*float64(total))))
	}
	return found
}

func quantile(merged *[classes]uint32, rank uint32) time.Duration {
	if rank == 0 {
		return 0
	}
	for i, n := range merged {
		if n >= rank {
			return middle(i)
		}
		rank -= n
	}
	return middle(classes - 1)
}
