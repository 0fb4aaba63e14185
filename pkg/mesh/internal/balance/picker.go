package balance

import (
	"math/bits"
	"sync/atomic"
)

// Picker chooses among the members that it was made for. Another one takes its place
// when they or their connections change. Its methods may be called by several
// goroutines at once.
type Picker struct {
	members   []Member
	endpoints []*Endpoint
	table     atomic.Pointer[table] // Cluster.Configure changes it
}

// Pick chooses who serves an attempt of a call, a member that is ready and has the
// method, and returns its place in the list of members and true. It returns false
// only when there is none. a may be nil, for a unary call that may not be repeated.
// The attempt begins with Pick, and call must be told of its end.
//
// Two different candidates are drawn by weight, and the cheaper one is taken (power
// of two choices): who is best is known late, and when all took the best they would
// make it the worst.
func (p *Picker) Pick(method string, a *Attempt, call *Call) (place int, ok bool) {
	t := p.table.Load()
	f := filter{method: method, now: t.cluster.now()}
	if a != nil {
		f.tried = a.Tried[:min(len(a.Tried), maxTried)]
	}
	i := t.probe(&f, a)
	probe := i >= 0
	if !probe {
		i = t.choose(&f)
	}
	if i < 0 {
		return 0, false
	}
	c := &t.candidates[i]
	call.begin(c.endpoint, a, f.now, probe)
	return c.place, true
}

// choose asks the group whose turn it is, then all, and lowers its demands as long as
// nobody meets them. It returns the place of a candidate, or -1.
func (t *table) choose(f *filter) int {
	g, panics := t.group()
	f.open = panics
	if i := t.cheaper(g, f); i >= 0 {
		return i
	}
	for f.lower() {
		if i := t.cheaper(f.among(t), f); i >= 0 {
			return i
		}
	}
	return -1
}

// cheaper draws two candidates of a group and returns the place of the one to take,
// or -1.
//
// The one drawn second is taken when it would be busier with the call than the first
// is now, or little more, that is, when it is better by about half a call. Among
// equals the draw decides, and thus the weights do.
func (t *table) cheaper(g *group, f *filter) int {
	first := t.find(g, f, -1)
	if first < 0 || len(g.places) == 1 {
		return first
	}
	second := t.find(g, f, first)
	if second < 0 {
		return first
	}
	a, b := &t.candidates[first], &t.candidates[second]
	callA, inflightA := a.endpoint.price(f.now)
	callB, inflightB := b.endpoint.price(f.now)
	if callB*(inflightB+1)*b.scale < callA*(inflightA*a.scale+0.5) {
		return second
	}
	return first
}

// draws is how often a candidate is drawn before all are looked at.
const draws = 3

// find returns the place of a candidate that passes the filter and is not the one
// left out (-1: nobody is), or -1. When nobody is left out, it finds one as long as
// there is one: a slow start only makes way for others.
func (t *table) find(g *group, f *filter, leftOut int) int {
	if len(g.places) == 0 {
		return -1
	}
	for range draws {
		random := t.cluster.rand()
		i := int(g.draw(random))
		if c := &t.candidates[i]; i != leftOut && f.passes(c) && c.endpoint.accepts(f.now, bits.RotateLeft64(random, 32)) {
			return i
		}
	}
	return t.scan(g, f, leftOut)
}

func (t *table) scan(g *group, f *filter, leftOut int) int {
	random := t.cluster.rand()
	start := random % uint64(len(g.places))
	cold := -1
	for n := range uint64(len(g.places)) {
		i := int(g.places[(start+n)%uint64(len(g.places))])
		c := &t.candidates[i]
		if i == leftOut || !f.passes(c) {
			continue
		}
		if c.endpoint.accepts(f.now, random) {
			return i
		}
		cold = i
	}
	if leftOut >= 0 {
		return -1 // there is the first
	}
	return cold
}
