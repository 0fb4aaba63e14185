package balance

import "math"

// routes are the groups among which a choice goes first, and how often.
type routes struct {
	changes uint32 // of breakers, when these were made
	panics  bool   // fewer than half are usable: breakers do not decide
	groups  []route
}

// route is the group for the turns below a bound that are not below the one before.
type route struct {
	below uint64
	group *group
}

// golden is 2^64 divided by the golden ratio. Its multiples, modulo 2^64, fill the
// range more evenly than anything random (Knuth, TAOCP 6.4): after 10,000 turns a
// group is a few calls off its share, where chance would be a hundred off.
const golden = 0x9E3779B97F4A7C15

// group returns the group for the next choice, and whether breakers decide in it.
func (t *table) group() (g *group, panics bool) {
	r := t.routes.Load()
	if r.changes != t.cluster.changes.Load() {
		r = t.route()
	}
	if len(r.groups) == 1 {
		return r.groups[0].group, r.panics
	}
	turn := t.cluster.turn.Add(1) * golden
	for i := range r.groups {
		if turn <= r.groups[i].below {
			return r.groups[i].group, r.panics
		}
	}
	return &t.weighty, r.panics
}

// route makes the routes anew after breakers have changed.
func (t *table) route() *routes {
	r := &routes{changes: t.cluster.changes.Load()}
	usable := t.usable(&t.weighty)
	r.panics = 2*usable < len(t.weighty.places)
	t.cluster.panics(r.panics, usable, len(t.weighty.places))
	for i := range t.versions {
		v := &t.versions[i]
		shares := t.spread(v.zones)
		if r.panics || shares == nil {
			r.add(v.share, &v.group)
			continue
		}
		for z := range v.zones {
			r.add(v.share*shares[z], &v.zones[z].group)
		}
	}
	if len(r.groups) == 0 {
		r.groups = []route{{math.MaxUint64, &t.weighty}}
	}
	r.groups[len(r.groups)-1].below = math.MaxUint64
	t.routes.Store(r)
	return r
}

// add adds a group that gets a share of the turns.
func (r *routes) add(share float64, g *group) {
	if share <= 0 {
		return
	}
	below := share * (1 << 64)
	if n := len(r.groups); n > 0 {
		below += float64(r.groups[n-1].below)
	}
	bound := uint64(math.MaxUint64)
	if below < 1<<64 {
		bound = uint64(below)
	}
	r.groups = append(r.groups, route{bound, g})
}

func (t *table) usable(g *group) int {
	n := 0
	for _, i := range g.places {
		if t.candidates[i].endpoint.openUntil.Load() == 0 {
			n++
		}
	}
	return n
}

// panics takes note of whether breakers decide.
func (c *Cluster) panics(now bool, usable, ready int) {
	if was := c.panicking.Swap(now); was || !now {
		return
	}
	c.news.tell(func() {
		c.options.Log.Warn("few replicas can be used: those whose breaker is open are called as well",
			"service", c.options.Service, "usable", usable, "ready", ready)
	})
}
