package mesh

import (
	"slices"
	"time"
)

// shrinkWithin is the time in which a service that loses more than half of its
// instances is suspicious: replicas die one by one, leases all at once.
const shrinkWithin = 10 * time.Second

// shrink finds out when a list has lost more than half at once.
type shrink struct {
	updates []shrinkUpdate // of the last shrinkWithin
	warned  bool
}

type shrinkUpdate struct {
	at         time.Time
	size, lost int
}

// note takes in how long the list is and how many have vanished from it, and says
// whether that is suspicious and was not before.
func (s *shrink) note(now time.Time, size, lost int) bool {
	s.updates = append(slices.DeleteFunc(s.updates, func(u shrinkUpdate) bool { return now.Sub(u.at) > shrinkWithin }), shrinkUpdate{now, size, lost})
	most, gone := 0, 0
	for _, u := range s.updates {
		most, gone = max(most, u.size+u.lost), gone+u.lost
	}
	suspicious := 2*size < most && 2*gone > most
	first := suspicious && !s.warned
	s.warned = suspicious
	return first
}
