package mesh

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/fairlead-mesh/fairlead/test/mesh/lab"
)

// Bars of the nemesis.
const (
	barFailed     = "failed reads while a replica was well"
	barRegistered = "living replicas not registered 30 s after all was well"
	barDrained    = "latest call after a goodbye was heard"
	barAttempts   = "attempts, against calls"
	barShare      = "replicas without half their share 60 s after the end"
	barBreakers   = "breakers that are not closed 60 s after the end"
	barExit       = "replicas that have not ended with 0"
)

// nemesisRate bounds the calls: much of the machine is used to start processes.
const nemesisRate = 500

// nemesis does all of it at random, at once. What it does, when and to whom, follows
// from the seed alone.
var nemesis = Scenario{
	Number: 19, Name: "a random mix of all of it",
	Bars: []Bar{
		{What: barFailed}, {What: barRegistered}, {What: barExit}, {What: barShare}, {What: barBreakers},
		{What: barDrained, Limit: 2, Unit: "s"},
		{What: barAttempts, Limit: 1.2, Unit: "x"},
	},
	run: func(ctx context.Context, r *Run) error {
		n := &mix19{Run: r, well: make([]health, replicas19), random: func(lane uint64) *rand.Rand { return rand.New(rand.NewPCG(r.Seed, lane)) }}
		if err := n.begin(ctx); err != nil {
			return err
		}
		if err := n.lanes(ctx); err != nil {
			return err
		}
		return n.judge(ctx)
	},
}

// replicas19 is how many there are: each of the two lanes has two for itself, and
// harms one at a time.
const replicas19 = 4

// mix19 is a nemesis that runs.
type mix19 struct {
	*Run
	random  func(lane uint64) *rand.Rand
	proxies []*lab.Proxy // before the members of etcd, for the generator

	from, to time.Time

	mu      sync.Mutex
	well    []health // of the replicas
	etcd    health   // of the registry
	acts    []act    // that were begun
	dark    []span   // in which no replica was well
	late    time.Duration
	exits   int
	uneven  bool // a weight was set
	missing map[string]bool
}

// health says since when something is well; the zero time when it is not.
type health struct{ since time.Time }

// span is a time.
type span struct{ from, to time.Time }

// act is one thing that was done.
type act struct {
	span
	text string
}

func (n *mix19) begin(ctx context.Context) error {
	proxies, urls, err := n.EtcdProxies()
	if err != nil {
		return err
	}
	n.proxies = proxies
	for range replicas19 {
		if _, err := n.AddNode(ctx, lab.NodeOptions{Delay: callTime, Proxied: true}); err != nil {
			return err
		}
	}
	if err := n.generator(ctx, lab.LoadOptions{Etcd: urls}); err != nil {
		return err
	}
	n.plan.Rate = min(n.Rate, nemesisRate)
	n.plan.Writes, n.plan.Streams, n.plan.Every = 10, 10, 100
	if _, err := n.Run.begin(ctx); err != nil {
		return err
	}
	now := time.Now()
	n.etcd.since = now
	for i := range n.well {
		n.well[i].since = now
	}
	return n.Rotate(lab.TrustBoth)
}

// lanes does everything, each lane in its own order, until the time is over.
func (n *mix19) lanes(ctx context.Context) error {
	n.from = time.Now()
	n.to = n.from.Add(n.Duration)
	looking, stop := context.WithCancel(ctx)
	defer stop()
	var watching, working sync.WaitGroup
	failures := make(chan error, len(lanes19)+1)
	watching.Go(func() {
		if err := n.watch(looking); err != nil {
			failures <- err
		}
	})
	for number, lane := range lanes19 {
		working.Go(func() {
			if err := n.lane(ctx, uint64(number), lane); err != nil {
				failures <- err
			}
		})
	}
	working.Wait()
	stop()
	watching.Wait()
	select {
	case err := <-failures:
		return err
	default:
		return ctx.Err()
	}
}

// lane does one thing after the other.
func (n *mix19) lane(ctx context.Context, number uint64, l lane) error {
	random := n.random(number)
	for ctx.Err() == nil {
		gap := between(random, l.least, l.most)
		d := l.draw(random)
		if time.Now().Add(gap + d.lasts).After(n.to) {
			return nil
		}
		if err := lab.Pause(ctx, gap); err != nil {
			return err
		}
		began := time.Now()
		text := fmt.Sprintf("%s, %.1f s", d.what, d.lasts.Seconds())
		n.say(began, text)
		if err := d.do(ctx, n); err != nil {
			return fmt.Errorf("%s: %w", d.what, err)
		}
		n.mu.Lock()
		n.acts = append(n.acts, act{span{began, time.Now()}, text})
		n.mu.Unlock()
	}
	return ctx.Err()
}

func (n *mix19) say(at time.Time, text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.progress.Say("19  %5.1f s  %s", at.Sub(n.from).Seconds(), text)
}

func between(random *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(random.Int64N(int64(most-least)))
}

// ill marks a replica, so that nothing is expected of it, until it is well again.
func (n *mix19) ill(i int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.well[i].since = time.Time{}
}

func (n *mix19) isWell(i int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.well[i].since = time.Now()
}

// registryIll and registryWell are the same for etcd.
func (n *mix19) registryIll() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.etcd.since = time.Time{}
}

func (n *mix19) registryWell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.etcd.since = time.Now()
}

// settled says whether both etcd and a replica have been well for a time.
func (n *mix19) settled(i int, d time.Duration) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range []health{n.etcd, n.well[i]} {
		if s.since.IsZero() || time.Since(s.since) < d {
			return false
		}
	}
	return true
}

// registeredWithin is how long a replica may be missing when all is well.
const registeredWithin = 30 * time.Second

// watch looks whether all who are well are registered, until ctx ends.
func (n *mix19) watch(ctx context.Context) error {
	n.missing = make(map[string]bool)
	for lab.Pause(ctx, time.Second) == nil {
		asking, cancel := context.WithTimeout(ctx, time.Second)
		list, err := n.Etcd.Registered(asking, n.plan.Service)
		cancel()
		if err != nil {
			continue // it is away
		}
		for i, node := range n.Nodes {
			record, there := list[node.Instance]
			if n.settled(i, registeredWithin) && (!there || record.Draining) {
				n.missing[node.Name] = true
			}
		}
	}
	return nil
}
