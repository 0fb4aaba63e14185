package balance

import "slices"

// maxTried is how many endpoints are left out because they were tried.
const maxTried = 4

// filter is what a candidate must have, and how much of it is left.
type filter struct {
	method string
	now    int64
	tried  []*Endpoint
	open   bool // candidates whose breaker is open will do
	again  bool // those that were tried
	idle   bool // those with weight 0
	level  int
}

func (f *filter) serves(c *candidate) bool { return c.serves == nil || c.serves(f.method) }

func (f *filter) passes(c *candidate) bool {
	return (f.open || c.endpoint.openUntil.Load() == 0) &&
		(len(f.tried) == 0 || f.again || !slices.Contains(f.tried, c.endpoint)) &&
		f.serves(c)
}

// lower asks for less: first for anybody of any group, then also for those whose
// breaker is open, then for those that were tried, last for those with weight 0. It
// returns false when there is nothing left to give up.
func (f *filter) lower() bool {
	f.level++
	f.open = f.open || f.level >= 2
	f.again = f.level >= 3
	f.idle = f.level >= 4
	return f.level <= 4
}

func (f *filter) among(t *table) *group {
	if f.idle {
		return &t.everybody
	}
	return &t.weighty
}
