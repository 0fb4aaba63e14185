package mesh

import "github.com/fairlead-mesh/fairlead/pkg/mesh/internal/balance"

// The kinds of events, beside those of discovery.Event. There are no others, so that
// a kind may be a label.
const (
	Retried   = "retry"    // a call is attempted again
	Hedged    = "hedge"    // a call is attempted a second time beside the first
	Throttled = "throttle" // a call was not made, since the service turns most away
	Opened    = "open"     // a replica gets no calls, since too many fail
	HalfOpen  = "half-open"
	Closed    = "close" // a replica gets calls again
)

// Event is something that happened beside the calls themselves.
type Event struct {
	// Kind is one of the constants above.
	Kind string
	// Service is the full name of the service that was called.
	Service string
	// Instance is the id of the replica, where it is about one.
	Instance string
	// Reason says why, for people; it is no label.
	Reason string
}

func (m *Mesh) event(e Event) {
	if m.config.Events != nil {
		m.config.Events(e)
	}
}

// breakers returns what is told of the breakers of one service.
func (m *Mesh) breakers(service string) func(balance.Event) {
	kinds := map[string]string{"open": Opened, "half-open": HalfOpen, "closed": Closed}
	return func(e balance.Event) {
		m.log.Info("breaker "+e.State, "service", service, "instance", e.Instance, "reason", e.Reason)
		m.event(Event{Kind: kinds[e.State], Service: service, Instance: e.Instance, Reason: e.Reason})
	}
}
