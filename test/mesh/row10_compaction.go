package mesh

import (
	"context"
	"time"

	"github.com/fairlead-mesh/fairlead/test/mesh/lab"
)

// partition is for how long the watcher hears nothing.
const partition = 30 * time.Second

var compaction = Scenario{
	Number: 10, Name: "etcd compacts while a watcher is cut off for 30 s",
	Bars: []Bar{
		failedCalls,
		{What: "a replica that came meanwhile is called after", Limit: 5, Unit: "s", Timed: true},
		{What: "attempts to one that went, 5 s after", Limit: 0},
	},
	run: func(ctx context.Context, r *Run) error {
		if err := r.AddNodes(ctx, 3, lab.NodeOptions{Delay: callTime}); err != nil {
			return err
		}
		proxies, urls, err := r.EtcdProxies()
		if err != nil {
			return err
		}
		if err := r.generator(ctx, lab.LoadOptions{Etcd: urls}); err != nil {
			return err
		}
		if _, err := r.begin(ctx); err != nil {
			return err
		}
		from := time.Now()
		for _, p := range proxies {
			if err := p.Drop(lab.Forth, lab.Back); err != nil {
				return err
			}
		}
		fresh, err := r.changeUnseen(ctx, from)
		if err != nil {
			return err
		}
		for _, p := range proxies {
			if err := p.Heal(ctx, lab.Forth, lab.Back); err != nil {
				return err
			}
		}
		return r.converges(ctx, from, fresh)
	},
}

// changeUnseen lets a replica come and another go while the watcher is cut off, and
// makes etcd forget how that was.
func (r *Run) changeUnseen(ctx context.Context, from time.Time) (*lab.Node, error) {
	fresh, err := r.AddNode(ctx, lab.NodeOptions{Delay: callTime})
	if err != nil {
		return nil, err
	}
	if err := r.Nodes[0].Stop(); err != nil {
		return nil, err
	}
	for range 2 {
		if err := r.Etcd.Compact(ctx); err != nil {
			return nil, err
		}
	}
	_, _, err = r.stay(ctx, time.Until(from.Add(partition)), "the watcher is cut off")
	return fresh, err
}

func (r *Run) converges(ctx context.Context, from time.Time, fresh *lab.Node) error {
	healed, to, err := r.stay(ctx, 10*time.Second, "the watcher hears again")
	if err != nil {
		return err
	}
	s, err := r.window(ctx, from, to)
	if err != nil {
		return err
	}
	stats, err := fresh.Stats(ctx, false)
	if err != nil {
		return err
	}
	r.note("calls", float64(s.Calls), "")
	r.measure(failedCalls.What, float64(s.Failed))
	after := to.Sub(healed) // not yet
	if stats.First > 0 {
		after = max(0, time.Unix(0, stats.First).Sub(healed))
	}
	r.measure("a replica that came meanwhile is called after", after.Seconds())
	late, err := r.load.Window(ctx, healed.Add(5*time.Second), to)
	if err != nil {
		return err
	}
	r.measure("attempts to one that went, 5 s after", float64(late.Attempts[r.Nodes[0].Address]))
	return nil
}
