package balance

import (
	"sync/atomic"

	"google.golang.org/grpc/connectivity"
)

// table is what a choice is made from: the endpoints that are ready, with the
// settings of now. It does not change, but for the routes, which follow the
// breakers.
type table struct {
	cluster    *Cluster
	candidates []candidate
	weighty    group // all with a weight
	everybody  group // those with weight 0 as well, all alike
	versions   []version
	routes     atomic.Pointer[routes]
}

type candidate struct {
	endpoint      *Endpoint
	serves        func(method string) bool
	place         int // in the list of members
	weight        int
	scale         float64 // how many times lighter it is than the heaviest
	version, zone string
}

func newTable(c *Cluster, members []Member, endpoints []*Endpoint) *table {
	t := &table{cluster: c}
	for i, m := range members {
		if endpoints[i] != nil && m.Connectivity == connectivity.Ready {
			t.candidates = append(t.candidates, candidate{endpoints[i], m.Serves, i, c.settings.weight(m), 1, m.Version, m.Zone})
		}
	}
	t.weigh()
	t.weighty = newGroup(t.candidates, func(c *candidate) bool { return c.weight > 0 })
	for i := range t.candidates {
		t.everybody.places = append(t.everybody.places, int32(i))
	}
	t.versions = newVersions(t.candidates, &c.settings)
	t.route()
	return t
}

// weigh compares the weights. When all are 0, they count as equal.
func (t *table) weigh() {
	heaviest := 0
	for i := range t.candidates {
		heaviest = max(heaviest, t.candidates[i].weight)
	}
	for i := range t.candidates {
		c := &t.candidates[i]
		if heaviest == 0 {
			c.weight = usualWeight
		} else if c.weight > 0 {
			c.scale = float64(heaviest) / float64(c.weight)
		}
	}
}

// weight is 0 for a version without a share, else the one that was set, else that of
// the record.
func (s *Settings) weight(m Member) int {
	if s.share(m.Version) == 0 {
		return 0
	}
	if w, set := s.Weights[m.Instance]; set {
		return min(max(0, w), heaviestWeight)
	}
	if m.Weight <= 0 {
		return usualWeight
	}
	return min(m.Weight, heaviestWeight)
}
