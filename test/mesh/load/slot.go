package load

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// SlotTime is how long the calls begin that are counted together.
const SlotTime = 100 * time.Millisecond

// The histograms hold microseconds, to two digits: one per cent is less than a noisy
// machine adds.
const (
	lowest, highest = 1, int64(time.Minute / time.Microsecond)
	digits          = 2
)

// NewHistogram returns an empty histogram of microseconds.
func NewHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(lowest, highest, digits) }

// Slot is what came of the calls that were to begin within one SlotTime.
type Slot struct {
	// At is its beginning, in Unix milliseconds.
	At int64 `json:"at"`
	// Classes tells of each kind of call.
	Classes map[string]*Class `json:"classes,omitempty"`
	// Answered counts the good answers by the replica that gave them.
	Answered map[string]int `json:"answered,omitempty"`
	// Attempts and Connections count the attempts and the connections that began, by
	// the address they went to.
	Attempts    map[string]int `json:"attempts,omitempty"`
	Connections map[string]int `json:"connections,omitempty"`
	// Late is by how many milliseconds a call began late, at most: the generator's own
	// fault, or that of a machine that is too busy.
	Late int64 `json:"late,omitempty"`
	// Items are those that came over streams, Lost those of them that did not follow
	// the one before, Resumed how often a stream was opened again as it should be, and
	// Broken the codes of those that ended otherwise.
	Items   int            `json:"items,omitempty"`
	Lost    int            `json:"lost,omitempty"`
	Resumed int            `json:"resumed,omitempty"`
	Broken  map[string]int `json:"broken,omitempty"`
}

// Class is what came of one kind of call.
type Class struct {
	// Codes counts the calls by what they ended with.
	Codes map[string]int `json:"codes"`
	// Reasons counts those that failed by the reason of their error, "" for none.
	Reasons map[string]int `json:"reasons,omitempty"`
	// Good and Bad are the times of the calls that were answered and of those that
	// failed, counted from when they were to begin, as encoded histograms; empty for
	// none.
	Good string `json:"good,omitempty"`
	Bad  string `json:"bad,omitempty"`
	// Errors are some of the errors.
	Errors []string `json:"errors,omitempty"`

	good, bad *hdrhistogram.Histogram
}

// maxErrors is how many errors of a class a slot shows.
const maxErrors = 2

// slots collects.
type slots struct {
	mu   sync.Mutex
	open map[int64]*slot
}

type slot struct {
	Slot
	pending int
}

func newSlots() *slots { return &slots{open: make(map[int64]*slot)} }

func indexOf(t time.Time) int64 { return t.UnixMilli() / SlotTime.Milliseconds() }

// at returns the slot of a time. The caller holds the mutex.
func (s *slots) at(index int64) *slot {
	found := s.open[index]
	if found == nil {
		found = &slot{Slot: Slot{
			At: index * SlotTime.Milliseconds(), Classes: make(map[string]*Class), Answered: make(map[string]int),
			Attempts: make(map[string]int), Connections: make(map[string]int), Broken: make(map[string]int),
		}}
		s.open[index] = found
	}
	return found
}

// note changes the slot of now.
func (s *slots) note(change func(*Slot)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.at(indexOf(time.Now())).Slot)
}

// begin expects a call that is to begin at a time.
func (s *slots) begin(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := s.at(indexOf(at))
	in.pending++
	in.Late = max(in.Late, time.Since(at).Milliseconds())
}

// Failed is how many calls were not answered well.
func (s *Slot) Failed() int {
	n := 0
	for _, c := range s.Classes {
		for code, count := range c.Codes {
			if code != OK {
				n += count
			}
		}
	}
	return n
}

// end counts the call.
func (s *slots) end(at time.Time, k kind, o outcome) {
	took := max(lowest, min(highest, time.Since(at).Microseconds()))
	s.mu.Lock()
	defer s.mu.Unlock()
	in := s.at(indexOf(at))
	in.pending--
	c := in.Classes[k.class()]
	if c == nil {
		c = &Class{Codes: make(map[string]int), Reasons: make(map[string]int)}
		in.Classes[k.class()] = c
	}
	c.Codes[o.code]++
	if o.code == OK {
		in.Answered[o.replica]++
		c.good = record(c.good, took)
		return
	}
	c.bad = record(c.bad, took)
	c.Reasons[o.reason]++
	if len(c.Errors) < maxErrors {
		c.Errors = append(c.Errors, o.text)
	}
}

func record(h *hdrhistogram.Histogram, took int64) *hdrhistogram.Histogram {
	if h == nil {
		h = NewHistogram()
	}
	h.RecordValue(took) // it is within the bounds
	return h
}

// take removes the slots that are over, in their order; one whose calls are not all
// back keeps those after it waiting.
func (s *slots) take(now time.Time) ([]*Slot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var done []*Slot
	for _, index := range slices.Sorted(maps.Keys(s.open)) {
		in := s.open[index]
		if index >= indexOf(now) || in.pending > 0 {
			break
		}
		delete(s.open, index)
		done = append(done, &in.Slot)
	}
	for _, in := range done {
		if err := in.encode(); err != nil {
			return nil, err
		}
	}
	return done, nil
}

func (s *Slot) encode() (err error) {
	for _, c := range s.Classes {
		if c.Good, err = encoded(c.good); err != nil {
			return err
		}
		if c.Bad, err = encoded(c.bad); err != nil {
			return err
		}
	}
	return nil
}

// encoded returns a histogram as text, "" for none.
func encoded(h *hdrhistogram.Histogram) (string, error) {
	if h == nil {
		return "", nil
	}
	b, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	return string(b), err
}
