package mesh

import (
	"cmp"
	"hash/fnv"
	"slices"
)

// defaultSubset is the default of Config.Subset.
const defaultSubset = 60

// leastOfKind is how many members of each kind a subset has, if there are as many:
// with one alone, its death would leave a client without its kind.
const leastOfKind = 2

// subset chooses whom a client keeps connections to when a service has more
// instances than it needs, by rendezvous hashing (gRFC A68): of all, it takes those
// with the highest hash of client and instance. So each client has others, each
// instance has about as many clients, and when one comes or goes, each client
// changes at most one or two connections, most of them none.
//
// Methods may be there in one version of the API only, and calls shall stay in
// their zone: so each version, and the zone of the client, has members in the
// subset.
type subset struct {
	limit  int // no limit when it is not positive
	client string
	zone   string
}

// ranked is a member in the order of preference of a client.
type ranked struct {
	member
	rank   uint64
	chosen bool
}

// of returns the members that the client calls, sorted by ID.
func (s subset) of(members []member) []member {
	if s.limit <= 0 || len(members) <= s.limit {
		return sorted(members)
	}
	all := s.rank(members)
	left := s.reserve(all)
	for i := range all {
		if !all[i].chosen && left > 0 {
			all[i].chosen = true
			left--
		}
	}
	var chosen []member
	for _, r := range all {
		if r.chosen {
			chosen = append(chosen, r.member)
		}
	}
	return sorted(chosen)
}

// rank sorts the members by what the client prefers.
func (s subset) rank(members []member) []ranked {
	all := make([]ranked, 0, len(members))
	for _, m := range members {
		all = append(all, ranked{member: m, rank: rank(s.client, m.ID)})
	}
	slices.SortFunc(all, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(b.rank, a.rank), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// reserve chooses the first of each kind, and returns how many places are left.
func (s subset) reserve(all []ranked) int {
	type kind struct{ digest, zone string }
	left, have := s.limit, make(map[kind]int)
	for i := range all {
		m := &all[i]
		kinds := []kind{{digest: m.Digest}}
		if s.zone != "" && m.Zone == s.zone {
			kinds = append(kinds, kind{zone: m.Zone})
		}
		wanted := slices.ContainsFunc(kinds, func(k kind) bool { return have[k] < leastOfKind })
		if !wanted || left == 0 {
			continue
		}
		for _, k := range kinds {
			have[k]++
		}
		m.chosen = true
		left--
	}
	return left
}

// rank is the same in every process and every release, or a deploy would move all
// connections at once.
func rank(client, instance string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(client + "\x00" + instance)) // never fails
	// FNV leaves the high bits of names that differ at the end alike; this is the
	// finalizer of MurmurHash3, which spreads them.
	x := h.Sum64()
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

func sorted(members []member) []member {
	slices.SortFunc(members, func(a, b member) int { return cmp.Compare(a.ID, b.ID) })
	return members
}
