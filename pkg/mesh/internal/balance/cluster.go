package balance

import (
	"cmp"
	"log/slog"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Options say what a Cluster is of, and to whom it reports.
type Options struct {
	// Service is the name of the service, for logs.
	Service string
	// Zone is where the caller runs; empty when it is unknown.
	Zone string
	// Log is slog.Default when nil.
	Log *slog.Logger
	// Events is told of each change of a breaker, one after the other. The cluster
	// does not wait for it: when it is slow, some changes are left out. It may be nil.
	Events func(Event)
}

// Event is a change of the breaker of one replica.
type Event struct {
	// Instance is the id of the replica.
	Instance string
	// State is "closed", "half-open" or "open".
	State string
	// Reason says what led to it, for people.
	Reason string
}

// Settings are the numbers that may change while the service is called.
type Settings struct {
	// Weights are the shares of instances by id, where 100 is the usual one and 0
	// means no calls as long as there is another instance. They stand over those of
	// the registry.
	Weights map[string]int
	// Split is the share of calls, in per cent, that goes to a version. The other
	// versions share the rest.
	Split map[string]float64
}

// Cluster is what one client knows of the replicas of one service. It outlives
// every change of who is ready. Its methods may be called by several goroutines at
// once.
type Cluster struct {
	options Options
	base    time.Time
	rand    func() uint64

	open      atomic.Int32  // breakers that are open or half-open
	places    atomic.Int32  // for them
	changes   atomic.Uint32 // of breakers
	nextProbe atomic.Int64  // when the first of them has something to do
	probing   sync.Mutex    // whoever looks after it
	turn      atomic.Uint64 // of the choice among groups
	ready     atomic.Pointer[[]*Endpoint]
	panicking atomic.Bool
	usual     usual
	news      news

	mu        sync.Mutex
	endpoints map[endpointKey]*Endpoint
	settings  Settings
	picker    *Picker // the last one
}

type endpointKey struct{ instance, address string }

// NewCluster returns a cluster that knows of no replica yet.
func NewCluster(o Options) *Cluster {
	o.Log = cmp.Or(o.Log, slog.Default())
	c := &Cluster{options: o, base: time.Now(), rand: rand.Uint64, endpoints: make(map[endpointKey]*Endpoint)}
	c.nextProbe.Store(math.MaxInt64)
	c.ready.Store(new([]*Endpoint))
	c.turn.Store(rand.Uint64()) // so that clients do not send the same turns to the same group
	return c
}

// now returns the time since the cluster was made, in nanoseconds, never 0.
func (c *Cluster) now() int64 { return int64(time.Since(c.base)) + 1 }

// time is the reverse of now.
func (c *Cluster) time(now int64) time.Time { return c.base.Add(time.Duration(now - 1)) }

// Configure puts new settings in the place of the ones before. It takes effect with
// the next call.
func (c *Cluster) Configure(s Settings) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settings = Settings{Weights: maps.Clone(s.Weights), Split: maps.Clone(s.Split)}
	if c.picker != nil {
		c.picker.table.Store(newTable(c, c.picker.members, c.picker.endpoints))
	}
}

// Ready returns how many replicas are ready.
func (c *Cluster) Ready() int { return len(*c.ready.Load()) }

// Usable returns how many of them are good for a call now: their breakers are
// closed.
func (c *Cluster) Usable() int {
	n := 0
	for _, e := range *c.ready.Load() {
		if e.openUntil.Load() == 0 {
			n++
		}
	}
	return n
}

// changed is called when a breaker has changed.
func (c *Cluster) changed(e Event) {
	c.changes.Add(1)
	if c.options.Events != nil {
		c.news.tell(func() { c.options.Events(e) })
	}
}

// usual caches the median of the costs, which takes long to find.
type usual struct {
	value atomic.Int64
	until atomic.Int64
	mu    sync.Mutex
	costs []float64
}

const usualFor = 100 * time.Millisecond

// typical returns how long a call of the service takes at present: the median of
// the costs of the replicas that are ready, which one that hangs does not move.
func (c *Cluster) typical(now int64) time.Duration {
	u := &c.usual
	if now >= u.until.Load() && u.mu.TryLock() {
		defer u.mu.Unlock()
		u.until.Store(now + int64(usualFor))
		u.costs = u.costs[:0]
		for _, e := range *c.ready.Load() {
			u.costs = append(u.costs, e.cost.value(now))
		}
		slices.Sort(u.costs)
		median := float64(firstCost)
		if n := len(u.costs); n > 0 {
			median = u.costs[(n-1)/2] // the lower one: of two, the other may hang
		}
		u.value.Store(int64(median))
	}
	return time.Duration(u.value.Load())
}
