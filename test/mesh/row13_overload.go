package mesh

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fairlead-mesh/fairlead/test/mesh/echo"
	"github.com/fairlead-mesh/fairlead/test/mesh/lab"
	"github.com/fairlead-mesh/fairlead/test/mesh/load"
)

// What three replicas bear: each works on 4 calls at once, of 40 ms: 100 calls/s. The
// machine could do more, so that the generator is never what is overloaded.
const (
	atOnce   = 4
	workTime = 40 * time.Millisecond
	bears    = 3 * atOnce * int(time.Second/workTime)
)

// mix has as much of what is critical as the replicas bear at ten times the load.
var mix = []load.Share{
	{Criticality: "CRITICAL_PLUS", Percent: 1}, {Criticality: "CRITICAL", Percent: 5},
	{Criticality: "SHEDDABLE_PLUS", Percent: 24}, {Criticality: "SHEDDABLE", Percent: 70},
}

var overload = Scenario{
	Number: 13, Name: "three and ten times the load that the replicas bear, for 60 s each",
	Bars: append(overloadBars(3), overloadBars(10)...),
	run: func(ctx context.Context, r *Run) error {
		if err := r.AddNodes(ctx, 3, lab.NodeOptions{}); err != nil {
			return err
		}
		if err := r.behave(ctx, r.Nodes, echo.Behaviour{Delay: workTime, Capacity: atOnce}); err != nil {
			return err
		}
		if err := r.generator(ctx, lab.LoadOptions{}); err != nil {
			return err
		}
		r.plan.Mix, r.plan.Rate = mix, bears/2
		well, err := r.begin(ctx)
		if err != nil {
			return err
		}
		once, err := r.offer(ctx, 1, 15*time.Second)
		if err != nil {
			return err
		}
		goodputs := []float64{once.goodput()}
		for _, times := range overloads {
			goodput, err := r.overload(ctx, times, well)
			if err != nil {
				return err
			}
			goodputs = append(goodputs, goodput)
		}
		// The best of all is the peak: a server that turns too many away at 1x must not
		// look good by that at 10x.
		peak := slices.Max(goodputs)
		for n, times := range overloads {
			r.measure(fmt.Sprintf("%dx: answered, against the peak", times), 100*goodputs[n+1]/peak)
		}
		return nil
	},
}

// overloads are how many times the load there is that the replicas bear.
var overloads = []int{3, 10}

func overloadBars(times int) []Bar {
	return []Bar{
		{What: fmt.Sprintf("%dx: answered, against the peak", times), Least: true, Limit: 90, Unit: "%", Timed: true},
		{What: fmt.Sprintf("%dx: p99 of those answered, against that at half the load", times), Limit: 2, Unit: "x", Timed: true},
		{What: fmt.Sprintf("%dx: CRITICAL that were answered", times), Least: true, Limit: 99, Unit: "%", Timed: true},
		{What: fmt.Sprintf("%dx: 99 %% succeed again after", times), Limit: 5, Unit: "s", Timed: true},
	}
}

// offered is a time of some load.
type offered struct {
	*load.Summary
	from, to time.Time
}

// goodput is how many calls were answered per second.
func (o offered) goodput() float64 {
	return float64(o.Codes[load.OK]) / o.to.Sub(o.from).Seconds()
}

// offer makes that many times the calls that the replicas bear.
func (r *Run) offer(ctx context.Context, times int, d time.Duration) (o offered, err error) {
	p := r.plan
	p.Rate = bears * times
	if err := r.load.Follow(ctx, p); err != nil {
		return o, err
	}
	o.from, o.to, err = r.stay(ctx, r.long(d), fmt.Sprintf("%d times the load", times))
	if err != nil {
		return o, err
	}
	if err := r.load.Follow(ctx, r.plan); err != nil {
		return o, err
	}
	if o.Summary, err = r.load.Window(ctx, o.from, o.to); err != nil {
		return o, err
	}
	r.note(fmt.Sprintf("%dx: calls per second", times), float64(o.Calls)/o.to.Sub(o.from).Seconds(), "/s")
	r.note(fmt.Sprintf("%dx: answered per second", times), o.goodput(), "/s")
	return o, nil
}

// overload is a time of too much load, and the time after it.
func (r *Run) overload(ctx context.Context, times int, well *load.Summary) (goodput float64, err error) {
	o, err := r.offer(ctx, times, time.Minute)
	if err != nil {
		return 0, err
	}
	end := time.Now()
	_, to, err := r.stay(ctx, r.long(10*time.Second), "the load is gone")
	if err != nil {
		return 0, err
	}
	name := func(what string) string { return fmt.Sprintf("%dx: %s", times, what) }
	r.measure(name("p99 of those answered, against that at half the load"), ratio(load.Quantile(o.Good, 0.99), load.Quantile(well.Good, 0.99)))
	for _, s := range mix {
		c := o.Classes["read "+s.Criticality]
		if c == nil {
			return 0, fmt.Errorf("there were no %s calls", s.Criticality)
		}
		share := percent(c.Codes[load.OK], c.Calls)
		if s.Criticality == "CRITICAL" {
			r.measure(name("CRITICAL that were answered"), share)
			r.evidence(fmt.Sprintf("CRITICAL calls ended with %v %v", c.Codes, c.Reasons))
		} else {
			r.note(name(s.Criticality+" that were answered"), share, "%")
		}
	}
	back, err := r.succeeds(ctx, end, to)
	r.measure(name("99 % succeed again after"), back.Seconds())
	return o.goodput(), err
}
