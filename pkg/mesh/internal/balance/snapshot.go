package balance

import (
	"cmp"
	"slices"
	"time"

	"github.com/sony/gobreaker/v2"
)

// Snapshot is what one client sees of one service at one moment.
type Snapshot struct {
	// Service is the full name of the service.
	Service string
	// Panic says that fewer than half of the replicas are usable: an open breaker
	// then only makes a choice less likely.
	Panic bool
	// Endpoints are sorted by instance, then by address.
	Endpoints []EndpointSnapshot
}

// EndpointSnapshot is what one client sees of one replica at one moment. Counts and
// rates are of the last 9 to 10 s, quantiles of the last 10 to 20 s.
type EndpointSnapshot struct {
	Instance, Address, Version, Zone string
	// Connectivity is "READY", "CONNECTING", "IDLE" or "TRANSIENT_FAILURE".
	Connectivity string
	// Weight is the one in use, 100 when nobody says another.
	Weight int
	// Share is the part of the calls that was sent to it, from 0 to 1.
	Share float64
	// Rate is how many calls were sent to it per second.
	Rate float64
	// ErrorRate is the part of its calls that failed, from 0 to 1.
	ErrorRate float64
	// P50 and P99 are latencies of the calls that were answered, to about 20 %; 0 when
	// there were none.
	P50, P99 time.Duration
	// InFlight is how many calls and streams are on their way.
	InFlight int
	// Breaker is "closed", "half-open" or "open".
	Breaker string
	// Reason is why the breaker opened last, for people; empty when it never did.
	// Probes that failed afterwards are no reason.
	Reason string
	// Since is when that was, or when it closed, if it is closed; zero when it never
	// opened.
	Since time.Time
	// NextTry is when it is tried next; zero unless the breaker is open.
	NextTry time.Time
}

// Snapshot returns what is known of each replica now.
func (c *Cluster) Snapshot() Snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Snapshot{Service: c.options.Service, Panic: c.panicking.Load()}
	now, chosen := c.now(), 0.0
	for _, e := range c.endpoints {
		found := e.snapshot(now)
		chosen += found.Share
		s.Endpoints = append(s.Endpoints, found)
	}
	for i := range s.Endpoints {
		s.Endpoints[i].Share /= max(1, chosen)
	}
	slices.SortFunc(s.Endpoints, func(a, b EndpointSnapshot) int {
		return cmp.Or(cmp.Compare(a.Instance, b.Instance), cmp.Compare(a.Address, b.Address))
	})
	return s
}

// snapshot leaves in Share how many calls there were.
func (e *Endpoint) snapshot(now int64) EndpointSnapshot {
	calls, quantiles := e.calls.sum(now), e.latency.quantiles(now, 0.5, 0.99)
	unary, _ := e.flight.load(now)
	s := EndpointSnapshot{
		Instance: e.instance, Address: e.address, Version: e.member.Version, Zone: e.member.Zone,
		Connectivity: e.member.Connectivity.String(),
		Weight:       e.cluster.settings.weight(e.member),
		Share:        float64(calls.chosen),
		Rate:         float64(calls.chosen) / covered(now),
		ErrorRate:    float64(calls.failed) / max(1, float64(calls.good+calls.failed)),
		P50:          quantiles[0],
		P99:          quantiles[1],
		InFlight:     int(unary) + int(e.streams.Load()),
	}
	e.breaker.describe(&s)
	return s
}

func (b *breaker) describe(s *EndpointSnapshot) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := b.endpoint.cluster.time
	s.Breaker, s.Reason = b.now().String(), b.reason
	switch {
	case b.now() != gobreaker.StateClosed:
		s.Since = at(b.opening)
	case b.since != 0:
		s.Since = at(b.since)
	}
	if until := b.endpoint.openUntil.Load(); until != 0 && b.now() == gobreaker.StateOpen {
		s.NextTry = at(until)
	}
}

// changedAt returns when the breaker changed last.
func (b *breaker) changedAt() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.since
}
