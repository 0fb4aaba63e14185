package load

import (
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Summary is what came of many slots.
type Summary struct {
	// Calls are all, Failed those that were not answered well, and Codes count them by
	// what they ended with.
	Calls, Failed int
	Codes         map[string]int
	// Reasons counts those that failed by the reason of their error, "" for none.
	Reasons map[string]int
	// Good and All hold the times of those that were answered well and of all.
	Good, All *hdrhistogram.Histogram
	// Classes are the same for each kind of call.
	Classes map[string]*Summary
	// The others are the sums of those of the slots.
	Answered, Attempts, Connections map[string]int
	Items, Lost, Resumed            int
	Broken                          map[string]int
	// Late is by how much a call began late, at most.
	Late time.Duration
	// Errors are some of the errors.
	Errors []string
}

func newSummary() *Summary {
	return &Summary{
		Codes: make(map[string]int), Reasons: make(map[string]int), Good: NewHistogram(), All: NewHistogram(), Classes: make(map[string]*Summary),
		Answered: make(map[string]int), Attempts: make(map[string]int), Connections: make(map[string]int), Broken: make(map[string]int),
	}
}

// Sum adds slots up.
func Sum(slots []*Slot) (*Summary, error) {
	sum := newSummary()
	for _, s := range slots {
		add(sum.Answered, s.Answered)
		add(sum.Attempts, s.Attempts)
		add(sum.Connections, s.Connections)
		add(sum.Broken, s.Broken)
		sum.Late = max(sum.Late, time.Duration(s.Late)*time.Millisecond)
		sum.Items, sum.Lost, sum.Resumed = sum.Items+s.Items, sum.Lost+s.Lost, sum.Resumed+s.Resumed
		for name, c := range s.Classes {
			if sum.Classes[name] == nil {
				sum.Classes[name] = newSummary()
			}
			if err := sum.add(c); err != nil {
				return nil, err
			}
			if err := sum.Classes[name].add(c); err != nil {
				return nil, err
			}
		}
	}
	return sum, nil
}

// add adds the calls of one class.
func (s *Summary) add(c *Class) error {
	add(s.Codes, c.Codes)
	add(s.Reasons, c.Reasons)
	for code, n := range c.Codes {
		s.Calls += n
		if code != OK {
			s.Failed += n
		}
	}
	for _, text := range c.Errors {
		if len(s.Errors) < 10 {
			s.Errors = append(s.Errors, text)
		}
	}
	if err := merge(c.Good, s.Good, s.All); err != nil {
		return err
	}
	return merge(c.Bad, s.All)
}

func merge(encoded string, into ...*hdrhistogram.Histogram) error {
	if encoded == "" {
		return nil
	}
	h, err := hdrhistogram.Decode([]byte(encoded))
	if err != nil {
		return fmt.Errorf("histogram: %w", err)
	}
	for _, i := range into {
		i.Merge(h)
	}
	return nil
}

func add(to, from map[string]int) {
	for k, n := range from {
		to[k] += n
	}
}

// Quantile returns the time within which a share of the calls in a histogram ended:
// 0.999 of them.
func Quantile(h *hdrhistogram.Histogram, share float64) time.Duration {
	return time.Duration(h.ValueAtQuantile(share*100)) * time.Microsecond
}

// Slower returns how many calls took longer than a time.
func Slower(h *hdrhistogram.Histogram, than time.Duration) int {
	n := int64(0)
	for _, b := range h.Distribution() {
		if b.From > than.Microseconds() {
			n += b.Count
		}
	}
	return int(n)
}

// Total returns the sum of counts.
func Total(counts map[string]int) int {
	n := 0
	for _, c := range counts {
		n += c
	}
	return n
}
