package mesh

import (
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
)

// reconnecting is how long the connection of an instance that the registry has no
// more may be away. Connections are ended when they are old, and made again within
// milliseconds; who has died is not back after 5 s either.
const reconnecting = 5 * time.Second

// membership says which instances of one service are called.
//
// The registry is a hint, and whether an instance can be reached is the truth. Who
// comes is called at once. Who says goodbye, by draining, and goes, is gone. Who
// vanishes without that, as all do when a leader of etcd stalls and ends their
// leases, is suspect: it is called for as long as its connection is ready, and for
// discovery.MissedFor at most. So a registry that lists nobody any more takes no
// service down, and a replica that has died is not in the way.
type membership struct {
	service string
	log     *slog.Logger
	event   func(Event)
	subset  subset
	wake    chan struct{} // holds one; choose has something new to say

	mu       sync.Mutex
	answered bool // there was a list
	roll     discovery.Roll
	links    map[string]link // of those in the roll, by instance ID
	shrink   shrink
}

// link is the connection to an instance.
type link struct {
	address string
	ready   bool
	since   time.Time
}

// member is an instance that is called.
type member struct {
	discovery.Instance
	suspect bool
}

func newMembership(m *Mesh, service string, limit int) *membership {
	return &membership{
		service: service, log: m.log, event: m.event,
		subset: subset{limit: limit, client: m.config.ID, zone: m.config.Zone},
		wake:   make(chan struct{}, 1), links: make(map[string]link),
	}
}

// limit changes how many instances are called at most.
func (m *membership) limit(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.subset.limit = n
	m.poke()
}

// list takes in what the registry lists now.
func (m *membership) list(instances []discovery.Instance, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answered = true
	lost := m.roll.Update(instances, now)
	m.relink(now)
	if lost > 0 {
		m.count(discovery.Missed, lost)
		m.log.Warn("instances vanished from the registry; those that can be reached are still called", "service", m.service, "count", lost)
	}
	if m.shrink.note(now, len(instances), lost) {
		m.count(discovery.Shrunk, 1)
		m.log.Error("more than half of the instances vanished at once: look at the registry", "service", m.service, "left", len(instances))
	}
	m.poke()
}

// relink begins to follow who is new, and forgets who is gone.
func (m *membership) relink(now time.Time) {
	before := m.links
	m.links = make(map[string]link)
	missed, _ := m.roll.Missed(now)
	for _, i := range append(m.roll.Listed(), missed...) {
		l, known := before[i.ID]
		if !known || l.address != i.Address {
			l = link{address: i.Address, since: now}
		}
		m.links[i.ID] = l
	}
}

// connected notes whether the connection to an instance is ready. The balancer
// calls it within its own callbacks, so it neither waits nor calls back.
func (m *membership) connected(instanceID, address string, ready bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l, known := m.links[instanceID]
	if !known || l.address != address || l.ready == ready {
		return
	}
	m.links[instanceID] = link{address, ready, time.Now()}
	m.poke()
}

// choose returns who is called, sorted by ID, and when to ask again although
// nothing has happened; the zero time for never. It is not answered before there
// was a list.
func (m *membership) choose(now time.Time) (members []member, until time.Time, answered bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	suspects, until := m.suspects(now)
	var serving, draining []member
	for _, i := range m.roll.Listed() {
		if i.Draining {
			draining = append(draining, member{Instance: i})
			continue
		}
		serving = append(serving, member{Instance: i})
	}
	serving = append(serving, suspects...)
	left := m.left(draining, serving)
	return m.subset.of(oneAtAnAddress(append(left, serving...))), until, m.answered
}

// left returns those who drain and are called: a service that drains answers until
// it stops. While nobody else is connected it is who is connected, and all of them
// when there is nobody else. Otherwise their connections end.
func (m *membership) left(draining, others []member) []member {
	if len(others) == 0 {
		return draining
	}
	var left []member
	reached := slices.ContainsFunc(others, func(o member) bool { return m.links[o.ID].ready })
	for _, d := range draining {
		l := m.links[d.ID]
		if l.ready && !reached {
			left = append(left, d)
		}
		l.ready = l.ready && !reached
		m.links[d.ID] = l
	}
	return left
}

// suspects returns those who are missed and may be reached, drops the others, and
// says when that changes by itself.
func (m *membership) suspects(now time.Time) (list []member, until time.Time) {
	missed, until := m.roll.Missed(now)
	dropped := 0
	for _, i := range missed {
		l := m.links[i.ID]
		end := l.since.Add(reconnecting)
		switch {
		case l.ready:
		case now.Before(end):
			if end.Before(until) {
				until = end
			}
		default:
			m.roll.Drop(i)
			dropped++
			continue
		}
		list = append(list, member{i, true})
	}
	if dropped > 0 {
		m.count(discovery.Dropped, dropped)
		m.log.Info("instances that had vanished cannot be reached either and are given up", "service", m.service, "count", dropped)
	}
	return list, until
}

func (m *membership) count(e discovery.Event, n int) {
	for range n {
		m.event(Event{Kind: string(e), Service: m.service})
	}
}

func (m *membership) poke() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// oneAtAnAddress leaves the later of two IDs that have one address, which is the
// younger when IDs are of UUID version 7; the other was killed. The list is sorted
// by ID, but for who drains, before the others, and the suspects, whose addresses
// nobody else has.
func oneAtAnAddress(members []member) []member {
	var list []member
	at := make(map[string]int)
	for _, m := range members {
		if n, taken := at[m.Address]; taken {
			list[n] = m
			continue
		}
		at[m.Address] = len(list)
		list = append(list, m)
	}
	return list
}
