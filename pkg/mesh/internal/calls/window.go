package calls

import (
	"sync/atomic"
	"time"
)

// window counts two things over the last slices of time. A slice that is begun
// anew while others count in it may lose some of their counts: these are
// statistics.
type window struct {
	origin time.Time
	width  time.Duration
	slices []slice
}

type slice struct {
	turn        atomic.Int64 // which slice of time since the origin this is, from 1
	first, then atomic.Int64
}

func newWindow(slices int, width time.Duration) window {
	return window{origin: time.Now(), width: width, slices: make([]slice, slices)}
}

// now returns the slice to count in.
func (w *window) now() *slice {
	turn := w.turn()
	s := &w.slices[turn%int64(len(w.slices))]
	if was := s.turn.Load(); was != turn && s.turn.CompareAndSwap(was, turn) {
		s.first.Store(0)
		s.then.Store(0)
	}
	return s
}

func (w *window) turn() int64 { return int64(time.Since(w.origin)/w.width) + 1 }

// sum adds up the last slices, the one that has just begun among them.
func (w *window) sum(last int) (first, then int64) {
	turn := w.turn()
	for i := range w.slices {
		s := &w.slices[i]
		if age := turn - s.turn.Load(); age < int64(last) {
			first += s.first.Load()
			then += s.then.Load()
		}
	}
	return first, then
}

// forget sets all counts to nothing.
func (w *window) forget() {
	for i := range w.slices {
		w.slices[i].turn.Store(0)
		w.slices[i].first.Store(0)
		w.slices[i].then.Store(0)
	}
}
