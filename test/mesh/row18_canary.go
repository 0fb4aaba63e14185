package mesh

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/fairlead-mesh/fairlead/test/mesh/echo"
	"github.com/fairlead-mesh/fairlead/test/mesh/lab"
	"github.com/fairlead-mesh/fairlead/test/mesh/load"
)

// The versions, and how many calls a share is taken of.
const (
	stable, fresh = "v1", "v2"
	sample        = 10_000
)

// shares are those of the new version, in per cent, one after the other.
var shares = []float64{1, 5, 50}

var canary = Scenario{
	Number: 18, Name: "a canary gets 1, 5 and 50 % by live configuration, and then a bad one comes",
	Bars: []Bar{
		failedCalls,
		{What: "1 %: off by", Limit: 0.5, Unit: "points"},
		{What: "5 %: off by", Limit: 0.5, Unit: "points"},
		{What: "50 %: off by", Limit: 0.5, Unit: "points"},
		{What: "1 %: in force after", Limit: 1, Unit: "s", Timed: true},
		{What: "5 %: in force after", Limit: 1, Unit: "s", Timed: true},
		{What: "50 %: in force after", Limit: 1, Unit: "s", Timed: true},
		{What: "bad ones that were accepted for writing"},
		{What: "50 % stays, off by", Limit: 0.5, Unit: "points"},
		{What: "the client has counted it as refused", Least: true, Limit: 1},
	},
	run: func(ctx context.Context, r *Run) error {
		if err := r.AddNodes(ctx, 3, lab.NodeOptions{Version: stable, Delay: callTime}); err != nil {
			return err
		}
		if _, err := r.AddNode(ctx, lab.NodeOptions{Version: fresh, Delay: callTime}); err != nil {
			return err
		}
		if err := r.generator(ctx, lab.LoadOptions{}); err != nil {
			return err
		}
		if _, err := r.begin(ctx); err != nil {
			return err
		}
		// New replicas get their full share after 30 s (slow start).
		if _, _, err := r.stay(ctx, 30*time.Second, "replicas warm up"); err != nil {
			return err
		}
		from := time.Now()
		if err := r.splits(ctx); err != nil {
			return err
		}
		if err := r.spoil(ctx); err != nil {
			return err
		}
		s, err := r.window(ctx, from, time.Now())
		if err != nil {
			return err
		}
		r.note("calls", float64(s.Calls), "")
		r.measure(failedCalls.What, float64(s.Failed))
		return nil
	},
}

// splits sets one share after the other.
func (r *Run) splits(ctx context.Context) error {
	before := 25.0 // one of four
	for _, share := range shares {
		set := time.Now()
		if err := r.Etcd.SetLive(ctx, r.plan.Service, fmt.Sprintf("split.%s=%v", fresh, share)); err != nil {
			return err
		}
		got, err := r.share(ctx, set.Add(time.Second))
		if err != nil {
			return err
		}
		name := fmt.Sprintf("%v %%: ", share)
		r.note(name+"share of 10,000 calls", got, "%")
		r.measure(name+"off by", math.Abs(got-share))
		r.measure(name+"in force after", r.crosses(set, (before+share)/2, share > before).Seconds())
		before = share
	}
	return nil
}

// share waits for as many calls as a sample has, from a time on, and says how many of
// 100 the new version has answered.
func (r *Run) share(ctx context.Context, from time.Time) (float64, error) {
	to := from.Add(time.Duration(float64(sample)/float64(r.plan.Rate)*float64(time.Second)) + load.SlotTime)
	if _, _, err := r.stay(ctx, time.Until(to), "calls are counted"); err != nil {
		return 0, err
	}
	s, err := r.load.Window(ctx, from, to)
	if err != nil {
		return 0, err
	}
	return r.fresh(s.Answered), nil
}

// fresh is how many of 100 answers are of the new version.
func (r *Run) fresh(answered map[string]int) float64 {
	n := 0
	for _, node := range r.Nodes {
		if node.Version == fresh {
			n += answered[node.Instance]
		}
	}
	return percent(n, load.Total(answered))
}

// crosses says how long after a time the share of the new version came across a mark,
// taken over three slots.
func (r *Run) crosses(from time.Time, mark float64, up bool) time.Duration {
	const span = 3
	slots := r.load.Slots(from, from.Add(10*time.Second))
	for n := span; n <= len(slots); n++ {
		answered := make(map[string]int)
		for _, s := range slots[n-span : n] {
			for id, count := range s.Answered {
				answered[id] += count
			}
		}
		if r.fresh(answered) > mark == up {
			return time.UnixMilli(slots[n-span].At).Sub(from)
		}
	}
	return 10 * time.Second
}

// spoil tries to write bad configurations as an operator does, and then writes one
// past all checks.
func (r *Run) spoil(ctx context.Context) error {
	accepted := 0
	for _, bad := range []string{"split.v2=150", "split.v2=-1", "weights.x=many", "exposure=EDGE"} {
		if err := r.Etcd.SetLive(ctx, r.plan.Service, bad); err == nil {
			accepted++
			r.evidence("accepted: " + bad)
		}
	}
	r.measure("bad ones that were accepted for writing", float64(accepted))
	before, err := r.load.Events(ctx, "refused")
	if err != nil {
		return err
	}
	at := time.Now()
	for _, bad := range []string{`{"version":100,"split":{"v2":150}}`, "not a document"} {
		if err := r.Etcd.SpoilLive(ctx, echo.Services[echo.Back], bad); err != nil {
			return err
		}
	}
	got, err := r.share(ctx, at)
	if err != nil {
		return err
	}
	r.measure("50 % stays, off by", math.Abs(got-shares[len(shares)-1]))
	after, err := r.load.Events(ctx, "refused")
	r.measure("the client has counted it as refused", after-before)
	return err
}
