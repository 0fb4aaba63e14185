package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/fairlead-mesh/fairlead/edge/event"
	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/mesh/status"
)

// settle brings the services in step with a list of instances. A service whose
// last instance drained is gone at once; one whose last instance vanished stays
// for a while, since it is more likely to come back than to have left.
func (c *Catalog) settle(list []discovery.Instance) {
	serving, draining := make(map[string][]discovery.Instance), make(map[string]bool)
	for _, i := range list {
		switch {
		case i.Service == status.Service: // every part serves it, and none to clients
		case i.Draining:
			draining[i.Service] = true
		case !c.Grants.MayServe(i.Identity, i.Service):
			c.refuse(i.Service, fmt.Sprintf("%s is registered for it (instance %s) but has no grant to serve it", i.Identity, i.ID))
		default:
			serving[i.Service] = append(serving[i.Service], i)
		}
	}
	for name, instances := range serving {
		s := c.services[name]
		if s == nil {
			s = &service{name: name}
			c.services[name] = s
		}
		s.instances, s.orphaned = instances, time.Time{}
	}
	for name, s := range c.services {
		if serving[name] == nil && c.left(s, draining[name]) {
			delete(c.services, name)
			c.Events.Add(event.Removed, name, "its last instance has left")
		}
	}
}

// left says whether a service without instances is gone.
func (c *Catalog) left(s *service, draining bool) bool {
	if draining || len(s.exposed.methods) == 0 {
		return true
	}
	if s.orphaned.IsZero() {
		s.orphaned = time.Now()
	}
	s.instances = nil
	return time.Since(s.orphaned) > orphanLife
}

// compare puts services that are exposed before those that are not yet.
func compare(a, b *service) int {
	stands := func(s *service) int { return min(len(s.exposed.methods), 1) }
	return cmp.Or(cmp.Compare(stands(b), stands(a)), cmp.Compare(a.name, b.name))
}

// refuse records why something is not exposed, once for each reason.
func (c *Catalog) refuse(subject, reason string) {
	if c.said[subject] == reason {
		return
	}
	if len(c.said) > maxSaid {
		clear(c.said) // strangers may not fill the memory; some is said twice
	}
	c.said[subject] = reason
	c.Events.Add(event.Refused, subject, reason)
}

// maxSaid bounds how many refusals are remembered.
const maxSaid = 4096

// announce records that what a service exposes has changed.
func (c *Catalog) announce(s *service, e exposed) {
	if e.equal(s.exposed) {
		return
	}
	c.Events.Add(event.Exposed, s.name, fmt.Sprintf("%d methods, %d routes, %d instances", len(e.methods), len(e.routes), len(s.instances)))
}

// digests returns the digests of the instances, the most common first.
func (s *service) digests() []string {
	count := make(map[string]int)
	var all []string
	for _, i := range s.instances {
		if count[i.Digest]++; count[i.Digest] == 1 {
			all = append(all, i.Digest)
		}
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(a, b)) })
	return all
}
