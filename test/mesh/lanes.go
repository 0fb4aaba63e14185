package mesh

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/fairlead-mesh/fairlead/test/mesh/echo"
	"github.com/fairlead-mesh/fairlead/test/mesh/lab"
)

// lane is a series of things that are done one at a time, with pauses.
type lane struct {
	least, most time.Duration // of a pause
	draw        func(*rand.Rand) deed
}

// deed is a thing to do.
type deed struct {
	what  string
	lasts time.Duration
	do    func(context.Context, *mix19) error
}

// lanes19 are the lanes. Registries break more rarely than replicas do, and what is
// expected half a minute after all is well can only be seen in pauses longer than
// that.
var lanes19 = []lane{
	{2 * time.Second, 30 * time.Second, harm(0)},
	{2 * time.Second, 30 * time.Second, harm(2)},
	{10 * time.Second, 50 * time.Second, disturb},
	{2 * time.Minute, 5 * time.Minute, darken},
}

// harm draws what is done to one of two replicas.
func harm(first int) func(*rand.Rand) deed {
	return func(random *rand.Rand) deed {
		i := first + random.IntN(2)
		lasts := between(random, time.Second, 12*time.Second)
		code := []string{"UNAVAILABLE", "INTERNAL"}[random.IntN(2)]
		way := []lab.Direction{lab.Forth, lab.Back}[random.IntN(2)]
		deeds := []deed{
			{"kill -9", lasts, killed(i, lasts)},
			{"SIGSTOP", lasts, while(i, lasts, freeze, thaw)},
			{"restart", 0, restarted(i)},
			{"100 times slower", lasts, behaves(i, lasts, echo.Behaviour{Delay: 100 * callTime})},
			{"fails with " + code, lasts, behaves(i, lasts, echo.Behaviour{Fail: code, FailPercent: 100})},
			{"fails every second call", lasts, behaves(i, lasts, echo.Behaviour{Delay: callTime, Fail: "UNAVAILABLE", FailPercent: 50, FailLate: true})},
			{"network loses " + string(way), lasts, while(i, lasts, dropping(way), healing(way))},
		}
		d := deeds[random.IntN(len(deeds))]
		d.what = fmt.Sprintf("replica %d: %s", i+1, d.what)
		return d
	}
}

// while does something to a replica, and undoes it after a time.
func while(i int, lasts time.Duration, do, undo func(context.Context, *lab.Node) error) func(context.Context, *mix19) error {
	return func(ctx context.Context, n *mix19) error {
		n.ill(i)
		if err := do(ctx, n.Nodes[i]); err != nil {
			return err
		}
		if err := lab.Pause(ctx, lasts); err != nil {
			return err
		}
		defer n.isWell(i)
		return undo(ctx, n.Nodes[i])
	}
}

func freeze(_ context.Context, n *lab.Node) error { n.Freeze(); return nil }
func thaw(_ context.Context, n *lab.Node) error   { n.Thaw(); return nil }

func dropping(way lab.Direction) func(context.Context, *lab.Node) error {
	return func(_ context.Context, n *lab.Node) error { return n.Proxy.Drop(way) }
}

func healing(way lab.Direction) func(context.Context, *lab.Node) error {
	return func(ctx context.Context, n *lab.Node) error { return n.Proxy.Heal(ctx, way) }
}

func behaves(i int, lasts time.Duration, b echo.Behaviour) func(context.Context, *mix19) error {
	return while(i, lasts,
		func(ctx context.Context, n *lab.Node) error { return n.Behave(ctx, b) },
		func(ctx context.Context, n *lab.Node) error { return n.Behave(ctx, echo.Behaviour{Delay: callTime}) })
}

func killed(i int, lasts time.Duration) func(context.Context, *mix19) error {
	return while(i, lasts,
		func(_ context.Context, n *lab.Node) error { n.Kill(); return nil },
		func(ctx context.Context, n *lab.Node) error { _, err := n.Start(ctx); return err })
}

// restarted stops a replica as an orchestrator does, and looks when its last call came.
func restarted(i int) func(context.Context, *mix19) error {
	return func(ctx context.Context, n *mix19) error {
		node, sure := n.Nodes[i], n.settled(i, 0)
		n.ill(i)
		heard := make(chan time.Time, 1)
		looking, cancel := context.WithCancel(ctx)
		defer cancel()
		go func() { heard <- n.goodbye(looking, node.Instance) }()
		failure := node.Stop()
		cancel()
		at := <-heard
		if failure == nil && sure && !at.IsZero() {
			final, err := node.Final()
			if err != nil {
				return err
			}
			n.mu.Lock()
			n.late = max(n.late, time.Unix(0, final.Last).Sub(at))
			n.mu.Unlock()
		}
		if failure != nil {
			n.mu.Lock()
			n.exits++
			n.evidence(failure.Error())
			n.mu.Unlock()
		}
		_, err := node.Start(ctx)
		n.isWell(i)
		return err
	}
}

// goodbye waits until the registry says that an instance drains or is gone, and
// returns when; the zero time when it never did.
func (n *mix19) goodbye(ctx context.Context, id string) time.Time {
	for lab.Pause(ctx, 20*time.Millisecond) == nil {
		asking, cancel := context.WithTimeout(ctx, time.Second)
		list, err := n.Etcd.Registered(asking, n.plan.Service)
		cancel()
		if record, there := list[id]; err == nil && (!there || record.Draining) {
			return time.Now()
		}
	}
	return time.Time{}
}

// disturb draws what is done to the registry, and to what hangs on it.
func disturb(random *rand.Rand) deed {
	lasts := between(random, 5*time.Second, 40*time.Second)
	short := min(lasts, 20*time.Second)
	i, weight, next := random.IntN(replicas19), 10+random.IntN(200), random.IntN(2) == 0
	deeds := []deed{
		{"etcd is down", lasts, func(ctx context.Context, n *mix19) error {
			n.Etcd.KillAll()
			if err := lab.Pause(ctx, lasts); err != nil {
				return err
			}
			return n.Etcd.StartAll(ctx)
		}},
		{"a member of etcd is down", lasts, func(ctx context.Context, n *mix19) error {
			n.Etcd.Members[i%len(n.Etcd.Members)].Kill()
			if err := lab.Pause(ctx, lasts); err != nil {
				return err
			}
			return n.Etcd.StartAll(ctx)
		}},
		{"the leader of etcd hangs", short, func(ctx context.Context, n *mix19) error {
			leader, _, err := n.Etcd.Leader(ctx)
			if err != nil {
				return err
			}
			leader.Freeze()
			defer leader.Thaw()
			return lab.Pause(ctx, short)
		}},
		{"all leases are revoked", 0, func(ctx context.Context, n *mix19) error {
			_, err := n.Etcd.RevokeAll(ctx)
			return err
		}},
		{"etcd compacts while the watcher is cut off", short, compacted(short)},
		{fmt.Sprintf("replica %d has the weight %d", i+1, weight), 0, func(ctx context.Context, n *mix19) error {
			n.uneven = true
			return n.Etcd.SetLive(ctx, n.plan.Service, fmt.Sprintf("weights.%s=%d", n.Nodes[i].Instance, weight))
		}},
		{"all certificates are new", 0, func(_ context.Context, n *mix19) error { return n.Renew(next) }},
	}
	d := deeds[random.IntN(len(deeds))]
	do := d.do
	d.do = func(ctx context.Context, n *mix19) error {
		n.registryIll()
		defer n.registryWell()
		return do(ctx, n)
	}
	return d
}

func compacted(lasts time.Duration) func(context.Context, *mix19) error {
	return func(ctx context.Context, n *mix19) error {
		for _, p := range n.proxies {
			if err := p.Drop(lab.Forth, lab.Back); err != nil {
				return err
			}
		}
		if err := lab.Pause(ctx, lasts/2); err != nil {
			return err
		}
		if err := n.Etcd.Compact(ctx); err != nil {
			return err
		}
		if err := lab.Pause(ctx, lasts/2); err != nil {
			return err
		}
		for _, p := range n.proxies {
			if err := p.Heal(ctx, lab.Forth, lab.Back); err != nil {
				return err
			}
		}
		return nil
	}
}

// darken draws a time in which all replicas fail that are well. Nothing is expected of
// calls then.
func darken(random *rand.Rand) deed {
	lasts := between(random, 5*time.Second, 15*time.Second)
	return deed{"all replicas fail", lasts, func(ctx context.Context, n *mix19) error {
		began := time.Now()
		for i := range n.Nodes {
			if n.settled(i, 0) { // one that hangs would begin to fail when it is all over
				n.tell(ctx, i, echo.Behaviour{Delay: callTime, Fail: "UNAVAILABLE", FailPercent: 100})
			}
		}
		if err := lab.Pause(ctx, lasts); err != nil {
			return err
		}
		for i := range n.Nodes {
			n.tell(ctx, i, echo.Behaviour{Delay: callTime})
		}
		n.mu.Lock()
		n.dark = append(n.dark, span{began, time.Now()})
		n.mu.Unlock()
		return nil
	}}
}

// tell tells a replica how to treat calls. One that hangs hears it later; to one that
// is dead it does not matter, since it has forgotten when it starts again.
func (n *mix19) tell(ctx context.Context, i int, b echo.Behaviour) {
	ctx, cancel := context.WithTimeout(ctx, lab.Patience)
	defer cancel()
	if err := n.Nodes[i].Behave(ctx, b); err != nil {
		n.say(time.Now(), fmt.Sprintf("replica %d has not heard it: %v", i+1, err))
	}
}
