package lastgood

import (
	"slices"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
)

// maxLists is how many services can be watched and kept; a process calls no more.
const maxLists = 1000

// list is what is known of one service, or of all.
type list struct {
	roll discovery.Roll
	asOf time.Time // when it held
	live bool      // the registry itself has said so since this process started
}

// instances are those that are listed and those that are missed: after a mass
// expiry they are the better part.
func (l *list) instances(now time.Time) []discovery.Instance {
	missed, _ := l.roll.Missed(now)
	all := append(l.roll.Listed(), missed...)
	discovery.Sort(all)
	return all
}

// note takes in what the registry has said.
func (r *Registry) note(service string, instances []discovery.Instance) {
	r.away.Store(false)
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.lists[service]
	if l == nil && len(r.lists) >= maxLists {
		return
	}
	if l == nil {
		l = new(list)
		r.lists[service] = l
	}
	now := time.Now()
	l.roll.Update(instances, now)
	l.asOf, l.live = now, true
	r.changed()
}

// last returns the last good list of a service, which may be part of the list of
// all, and whether there is one that is young enough.
func (r *Registry) last(service string) ([]discovery.Instance, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	own, all := r.lists[service], r.lists[""]
	if own == nil || all != nil && all.asOf.After(own.asOf) {
		own = all
	}
	if own == nil || !r.young(own.asOf) {
		return nil, false
	}
	instances := own.instances(now)
	if service == "" {
		return instances, true
	}
	return slices.DeleteFunc(instances, func(i discovery.Instance) bool { return i.Service != service }), true
}

// changed wakes the saver. The caller holds the mutex.
func (r *Registry) changed() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}
