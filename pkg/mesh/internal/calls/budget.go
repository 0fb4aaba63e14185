package calls

import (
	"math"
	"sync/atomic"
	"time"
)

const (
	// DefaultRatio is how many attempts more than calls a service has to bear:
	// 20 %, as Finagle and Linkerd have it.
	DefaultRatio = 0.2
	// reserve is what callers may add who make few calls, per second; also theirs.
	reserve = 10
	// memory is for how long calls that were made pay for attempts.
	memory = 10 // s
)

// Budget bounds the attempts beyond the first that one client makes at one
// service, retries and hedges together, so that a service in trouble gets at most
// a fifth more work than it was asked for, and not several times as much. It is
// Finagle's RetryBudget: each call pays in a share of an attempt, which is worth
// something for 10 s. Its methods may be called by several goroutines at once.
type Budget struct {
	ratio atomic.Uint64 // the bits of a float64
	spent window        // first counts calls, then counts attempts beyond the first
}

// NewBudget returns a budget with the DefaultRatio.
func NewBudget() *Budget {
	b := &Budget{spent: newWindow(memory, time.Second)}
	b.SetRatio(DefaultRatio)
	return b
}

// SetRatio changes how much each call pays in: 0 leaves the reserve of ten
// attempts per second.
func (b *Budget) SetRatio(ratio float64) { b.ratio.Store(math.Float64bits(ratio)) }

// Pay counts a call.
func (b *Budget) Pay() { b.spent.now().first.Add(1) }

// Take takes one attempt out of the budget, if it has one. Two that come at the
// same moment may both take the last one.
func (b *Budget) Take() bool {
	if b.Left() < 1 {
		return false
	}
	b.spent.now().then.Add(1)
	return true
}

// Left returns how many attempts the budget has now.
func (b *Budget) Left() float64 {
	paid, taken := b.spent.sum(memory)
	return math.Float64frombits(b.ratio.Load())*float64(paid) + reserve*memory - float64(taken)
}
