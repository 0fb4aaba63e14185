package mesh

import (
	"context"
	"time"

	"github.com/fairlead-mesh/fairlead/test/mesh/lab"
)

var oneWayDrop = Scenario{
	Number: 12, Name: "the network loses what clients send to one replica of three",
	Bars: []Bar{failedCalls, slowCalls, avoidedAfter},
	run: func(ctx context.Context, r *Run) error {
		if err := r.AddNodes(ctx, 2, lab.NodeOptions{Delay: callTime}); err != nil {
			return err
		}
		victim, err := r.AddNode(ctx, lab.NodeOptions{Delay: callTime, Proxied: true})
		if err != nil {
			return err
		}
		if err := r.generator(ctx, lab.LoadOptions{}); err != nil {
			return err
		}
		well, err := r.begin(ctx)
		if err != nil {
			return err
		}
		if err := victim.Proxy.Drop(lab.Forth); err != nil {
			return err
		}
		from, to, err := r.stay(ctx, r.long(20*time.Second), "one is not reached")
		if err != nil {
			return err
		}
		if err := victim.Proxy.Heal(ctx, lab.Forth); err != nil {
			return err
		}
		if err := r.unanswered(ctx, well, victim, from, to); err != nil {
			return err
		}
		back, err := r.recovers(ctx, victim, to)
		r.note("time until it has half its share again", back.Seconds(), "s")
		return err
	},
}
