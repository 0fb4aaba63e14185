package balance

import "google.golang.org/grpc/connectivity"

// Member is one replica as the registry and its connection tell of it.
type Member struct {
	// Instance is the id of the replica, Address where it listens.
	Instance, Address string
	// Version and Zone are empty when they are unknown.
	Version, Zone string
	// Weight is its share of calls relative to others; 0 means 100.
	Weight int
	// Connectivity is the state of the connection to it; calls go to those that are
	// connectivity.Ready.
	Connectivity connectivity.State
	// Serves says which methods it has; nil when it has all. It is asked at each
	// choice, by several goroutines at once, and must be fast.
	Serves func(method string) bool
}

// usualWeight is the weight of who says nothing of it. heaviestWeight bounds what a
// record may say, so that one replica cannot draw all calls to itself.
const (
	usualWeight    = 100
	heaviestWeight = 100 * usualWeight
)

// Picker returns a picker for the members of the cluster as they are now. Those that
// were members before are known again; what is known of others is forgotten. Of
// members with the same id and address, the first one counts.
func (c *Cluster) Picker(members []Member) *Picker {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := &Picker{members: members, endpoints: c.admit(members)}
	c.connected(p.endpoints)
	c.places.Store(int32(len(c.endpoints) / 2))
	c.closeSurplus()
	p.table.Store(newTable(c, members, p.endpoints))
	c.picker = p
	return p
}

// admit returns the endpoints of members, in their order, nil for repeated ones,
// and forgets all others.
func (c *Cluster) admit(members []Member) []*Endpoint {
	now := c.now()
	first := float64(c.typical(now))
	admitted := make([]*Endpoint, len(members))
	known := c.endpoints
	c.endpoints = make(map[endpointKey]*Endpoint, len(members))
	for i, m := range members {
		key := endpointKey{m.Instance, m.Address}
		if c.endpoints[key] != nil {
			continue
		}
		e := known[key]
		if e == nil {
			e = newEndpoint(c, m, now, first)
		}
		e.member = m
		c.endpoints[key], admitted[i] = e, e
		delete(known, key)
	}
	for _, e := range known {
		e.gone.Store(true)
		e.breaker.release()
	}
	return admitted
}

// connected takes note of who is ready.
func (c *Cluster) connected(endpoints []*Endpoint) {
	now := c.now()
	settled := false
	for _, e := range endpoints {
		settled = settled || e != nil && e.settled(now)
	}
	ready := make([]*Endpoint, 0, len(endpoints))
	for _, e := range endpoints {
		if e == nil {
			continue
		}
		e.connected(now, e.member.Connectivity == connectivity.Ready, settled)
		if !e.ready {
			continue
		}
		ready = append(ready, e)
		if at := e.openUntil.Load(); at != 0 {
			c.wake(at)
		}
	}
	c.ready.Store(&ready)
}

// closeSurplus closes breakers, those that opened first, when members have left and
// more than half of the others are open.
func (c *Cluster) closeSurplus() {
	for range c.endpoints {
		if c.open.Load() <= c.places.Load() {
			return
		}
		var oldest *Endpoint
		for _, e := range c.endpoints {
			if e.breaker.holds.Load() && (oldest == nil || e.breaker.changedAt() < oldest.breaker.changedAt()) {
				oldest = e
			}
		}
		if oldest == nil {
			return
		}
		oldest.breaker.reset(c.now(), "replicas left, and too few would be in use")
	}
}
