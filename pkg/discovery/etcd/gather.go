package etcd

import "time"

const (
	// shortestGather gathers the changes that come together, as when a process
	// registers all of its services.
	shortestGather = 20 * time.Millisecond
	// longestGather is for a storm, in which hundreds of leases a second run out:
	// each list costs all who take it, six in a second are enough. It is less than
	// a process that drains waits for others to hear of it.
	longestGather = 160 * time.Millisecond
	// calm is how long nothing changes before a storm is over.
	calm = time.Second
)

// gathering says when changes that come close together are told. It waits longer
// from one time to the next while they go on.
type gathering struct {
	done  <-chan time.Time // nil when nothing is gathered
	wait  time.Duration
	ended time.Time
}

// begin starts to gather, if it has not.
func (g *gathering) begin() {
	if g.done != nil {
		return
	}
	if g.wait = min(2*g.wait, longestGather); g.wait == 0 || time.Since(g.ended) > calm {
		g.wait = shortestGather
	}
	g.done = time.After(g.wait)
}

func (g *gathering) end() { g.done, g.ended = nil, time.Now() }
