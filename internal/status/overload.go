package status

import (
	"fmt"
	"maps"
	"slices"
)

// much is the share of calls from which on it is a problem that they are refused.
// Less is what a server does in a burst.
const much = 0.1

// throttling tells of calls that the clients of a service do not even make.
func (s *service) throttling(names map[replica]string) []string {
	var by []string
	worst := 0.0
	for _, c := range s.clients {
		if share := c.view.ThrottledShare; share >= much {
			by = append(by, names[c.replica])
			worst = max(worst, share)
		}
	}
	if len(by) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("up to %.0f%% of the calls of a method are not made, since it turns most away, as seen by %s", 100*worst, listed(by))}
}

// shedding tells of the instances of a service that refuse calls because they have
// too much work.
func (m *merger) shedding(s *service, names map[replica]string) []string {
	var all []string
	for _, r := range slices.SortedFunc(maps.Keys(s.instances), compareReplicas) {
		told := answerOf(m.answers, r)
		if told == nil {
			continue
		}
		refused := told.view.GetServer().GetShedPerSecond()
		// There may be callers that nobody asks, such as jobs.
		share := refused / max(refused, m.asked(r))
		if refused > 0 && share >= much {
			all = append(all, fmt.Sprintf("%s has too much work and refuses %.0f%% of its calls, %s/s", names[r], 100*share, rate(refused)))
		}
	}
	return all
}

// asked is how many attempts per second all clients make at an instance, of all of
// its services.
func (m *merger) asked(r replica) float64 {
	n := 0.0
	for _, s := range m.services {
		if i := s.instances[r]; i != nil {
			n += i.traffic().rate
		}
	}
	return n
}
