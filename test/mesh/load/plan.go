package load

import (
	"errors"
	"fmt"
	"time"
)

// Plan is what the generator does until it gets another.
type Plan struct {
	// Rate is how many unary calls begin per second, whether others are answered or
	// not; 0 for none.
	Rate int `json:"rate"`
	// Service is the full name of the one to call.
	Service string `json:"service"`
	// Writes is how many of 100 calls are of the method that must not be called twice;
	// only the last tier has it.
	Writes int `json:"writes,omitempty"`
	// Deadline is how long a call may take, in nanoseconds.
	Deadline time.Duration `json:"deadline"`
	// Mix says how important the calls are; when empty they do not say.
	Mix []Share `json:"mix,omitempty"`
	// Streams is how many streams are open, whose servers send an item every
	// millisecond of Every. One that breaks is opened again after the last item.
	Streams int   `json:"streams,omitempty"`
	Every   int64 `json:"every,omitempty"`
}

// Share is how many of 100 calls have a criticality.
type Share struct {
	Criticality string `json:"criticality"`
	Percent     int    `json:"percent"`
}

const (
	maxRate    = 50_000
	maxStreams = 1_000
)

func (p Plan) check() error {
	switch {
	case p.Rate < 0 || p.Rate > maxRate:
		return fmt.Errorf("rate %d is not 0 to %d", p.Rate, maxRate)
	case p.Writes < 0 || p.Writes > 100:
		return fmt.Errorf("writes %d is not 0 to 100", p.Writes)
	case p.Streams < 0 || p.Streams > maxStreams:
		return fmt.Errorf("streams %d is not 0 to %d", p.Streams, maxStreams)
	case p.Streams > 0 && p.Every < 1:
		return errors.New("every must be 1 or more where there are streams")
	case p.Rate > 0 && (p.Service == "" || p.Deadline <= 0):
		return errors.New("service and deadline are needed where there is a rate")
	}
	sum := 0
	for _, s := range p.Mix {
		sum += s.Percent
	}
	if len(p.Mix) > 0 && sum != 100 {
		return fmt.Errorf("the mix has %d per cent", sum)
	}
	return nil
}

// kind is what one call is.
type kind struct {
	write       bool
	criticality string
}

// class is the name under which its calls are counted: "read", "write", or either
// with its criticality.
func (k kind) class() string {
	name := "read"
	if k.write {
		name = "write"
	}
	if k.criticality != "" {
		name += " " + k.criticality
	}
	return name
}

// kind chooses what the call with that number is: every hundred calls in a row have
// the shares of the plan, spread evenly.
func (p Plan) kind(n int64) kind {
	// 37 and 100 have no common divisor: the numbers come once each, in another order.
	spread := int(n * 37 % 100)
	k := kind{write: spread < p.Writes}
	spread = int((n + n/100) * 61 % 100) // not the same calls each time
	for _, s := range p.Mix {
		if spread < s.Percent {
			k.criticality = s.Criticality
			break
		}
		spread -= s.Percent
	}
	return k
}
