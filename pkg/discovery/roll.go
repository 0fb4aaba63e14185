package discovery

import "time"

// MissedFor is how long an instance that the registry has lost without a goodbye
// may count as missed. When etcd loses its leases, those who live are back within
// seconds; 15 min leave time for people to mend an etcd in which nobody can
// register.
const MissedFor = 15 * time.Minute

// Roll remembers the instances of a registry beyond what it says at the moment.
// One that was draining and then goes is gone. One that goes without a word, as
// all do when the leases of a whole mesh are revoked, is missed: it may well be
// there. It is no longer missed when it comes back, when another has taken its
// address, after MissedFor, and when it is dropped.
//
// The zero value is an empty roll. It is not safe for use by several goroutines.
type Roll struct {
	listed map[place]Instance
	missed map[place]missed
}

type place struct{ service, id string }

type missed struct {
	Instance
	since time.Time
}

// Update takes in what the registry lists now, and returns how many have gone
// without a goodbye since the last time.
func (r *Roll) Update(list []Instance, now time.Time) (lost int) {
	before := r.listed
	r.listed = make(map[place]Instance, len(list))
	taken := make(map[Instance]bool, len(list)) // by service and address
	for _, i := range list {
		r.listed[place{i.Service, i.ID}] = i
		taken[Instance{Service: i.Service, Address: i.Address}] = true
	}
	if r.missed == nil {
		r.missed = make(map[place]missed)
	}
	for at, i := range before {
		if _, stays := r.listed[at]; !stays && !i.Draining {
			r.missed[at] = missed{i, now}
			lost++
		}
	}
	for at, i := range r.missed {
		if _, back := r.listed[at]; back || taken[Instance{Service: i.Service, Address: i.Address}] {
			delete(r.missed, at)
		}
	}
	return lost
}

// Listed returns what the registry lists, sorted by ID.
func (r *Roll) Listed() []Instance {
	list := make([]Instance, 0, len(r.listed))
	for _, i := range r.listed {
		list = append(list, i)
	}
	Sort(list)
	return list
}

// Missed returns who is missed, sorted by ID, and when the first of them will be
// no longer; the zero time when nobody is.
func (r *Roll) Missed(now time.Time) (list []Instance, until time.Time) {
	for at, i := range r.missed {
		end := i.since.Add(MissedFor)
		if !now.Before(end) {
			delete(r.missed, at)
			continue
		}
		list = append(list, i.Instance)
		if until.IsZero() || end.Before(until) {
			until = end
		}
	}
	Sort(list)
	return list, until
}

// Drop gives up an instance that is missed. One that is listed stays.
func (r *Roll) Drop(i Instance) { delete(r.missed, place{i.Service, i.ID}) }
