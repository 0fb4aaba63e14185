package mesh

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-mesh/fairlead/test/chaos"
	"github.com/fairlead-mesh/fairlead/test/mesh/echo"
	"github.com/fairlead-mesh/fairlead/test/mesh/lab"
	"github.com/fairlead-mesh/fairlead/test/mesh/load"
)

// Run is one scenario that runs.
type Run struct {
	*lab.Lab
	Options
	*Result

	scenario Scenario
	progress chaos.Progress
	load     *lab.Load            // the first generator
	plan     load.Plan            // what it follows
	before   map[string]lab.Level // of all processes, at rest
	begun    time.Time
}

// longest bounds a scenario beside its outage.
const longest = 8 * time.Minute

// Try runs a scenario. Why it could not be run to its end is in the Result.
func (s Scenario) Try(ctx context.Context, o Options, programs lab.Programs, p chaos.Progress) *Result {
	ctx, cancel := context.WithTimeout(ctx, longest+o.Outage+o.Duration)
	defer cancel()
	r := &Run{Options: o, scenario: s, progress: p, begun: time.Now(), Result: &Result{Number: s.Number, Name: s.Name, PerSecond: o.Rate}}
	p.Say("%d  %s", s.Number, s.Name)
	if err := r.whole(ctx, programs); err != nil {
		r.Error = err.Error()
	}
	r.Seconds = time.Since(r.begun).Seconds()
	return r.Result
}

// whole sets a mesh up, runs the scenario, looks for what is left over, and takes the
// mesh down.
func (r *Run) whole(ctx context.Context, programs lab.Programs) (err error) {
	dir := filepath.Join(r.Options.Dir, fmt.Sprint(r.Number))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if r.Lab, err = lab.New(ctx, dir, programs); err != nil {
		return err
	}
	if err = r.scenario.run(ctx, r); err == nil {
		err = r.settle(ctx)
	}
	return errors.Join(err, r.Lab.Close())
}

// measure judges a value by the bar of that name.
func (r *Run) measure(what string, v float64) {
	b, err := r.scenario.bar(what)
	if err != nil {
		r.evidence(err.Error())
		r.Rows = append(r.Rows, Row{What: what, Value: v, Measured: number(v, ""), Verdict: Fail})
		return
	}
	verdict := Fail
	switch {
	case b.Met(v):
		verdict = Pass
	case b.Timed && r.Short:
		verdict = Shown
	}
	r.Rows = append(r.Rows, Row{b.What, b.String(), v, number(v, b.Unit), verdict})
}

// note shows a value without a bar.
func (r *Run) note(what string, v float64, unit string) {
	r.Rows = append(r.Rows, Row{What: what, Value: v, Measured: number(v, unit)})
}

// long returns how long a phase lasts, which is shorter in a short run.
func (r *Run) long(full time.Duration) time.Duration {
	switch {
	case !r.Short:
		return full
	case full <= warmUp:
		return time.Second
	}
	return min(full, 2*time.Second)
}

// stay lets the load go on for a time, and returns its beginning and end.
func (r *Run) stay(ctx context.Context, d time.Duration, what string) (from, to time.Time, err error) {
	from = time.Now()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for end := time.After(d); ; {
		select {
		case <-end:
			return from, time.Now(), nil
		case <-tick.C:
			r.progress.Step("%d  %s: %.0f of %.0f s", r.Number, what, time.Since(from).Seconds(), d.Seconds())
		case <-ctx.Done():
			return from, time.Now(), ctx.Err()
		}
	}
}

// The phases before something happens.
const (
	warmUp  = 3 * time.Second
	healthy = 8 * time.Second
)

// deadline is what every call has. In a short run it is longer: who judges counts on a
// slow machine must not count how slow that is.
const (
	deadline      = time.Second
	shortDeadline = 5 * time.Second
)

// callTime is how long the handlers take unless a scenario says otherwise.
const callTime = 20 * time.Millisecond

// replicas starts as many, and a generator.
func (r *Run) replicas(ctx context.Context, count int, o lab.NodeOptions) error {
	if o.Delay == 0 {
		o.Delay = callTime
	}
	if err := r.AddNodes(ctx, count, o); err != nil {
		return err
	}
	return r.generator(ctx, lab.LoadOptions{})
}

func (r *Run) generator(ctx context.Context, o lab.LoadOptions) (err error) {
	r.load, err = r.AddLoad(ctx, o)
	r.plan = load.Plan{Rate: r.Rate, Service: echo.Services[echo.Back], Deadline: deadline}
	if r.Short {
		r.plan.Deadline = shortDeadline
	}
	return err
}

// begin warms everything up, measures what the processes use at rest, and returns
// what calls are like while all is well.
func (r *Run) begin(ctx context.Context) (*load.Summary, error) {
	if err := r.rest(ctx); err != nil {
		return nil, err
	}
	if err := r.load.Follow(ctx, r.plan); err != nil {
		return nil, err
	}
	if _, _, err := r.stay(ctx, r.long(warmUp), "warm-up"); err != nil {
		return nil, err
	}
	from, to, err := r.stay(ctx, r.long(healthy), "all is well")
	if err != nil {
		return nil, err
	}
	s, err := r.load.Window(ctx, from, to)
	if err != nil {
		return nil, err
	}
	if s.Codes[load.OK] == 0 {
		return nil, fmt.Errorf("while all is well %d of %d calls fail: %q", s.Failed, s.Calls, s.Errors)
	}
	r.measure(wellFailed.What, float64(s.Failed))
	r.evidence(s.Errors...)
	return s, nil
}

// rest lets calls run for a moment, so that all connections are there, and measures
// what the processes use when they are done.
func (r *Run) rest(ctx context.Context) (err error) {
	for _, p := range []load.Plan{r.plan, {}} {
		if err := r.load.Follow(ctx, p); err != nil {
			return err
		}
		if _, _, err := r.stay(ctx, r.long(warmUp), "first calls"); err != nil {
			return err
		}
	}
	r.before, err = r.Levels(ctx)
	return err
}

// settleTime is how long processes may take to give back what they used.
const settleTime = 20 * time.Second

// settle ends the load and looks for what is left over.
func (r *Run) settle(ctx context.Context) error {
	for _, g := range r.Loads {
		if g.Running() {
			if err := g.Follow(ctx, load.Plan{}); err != nil {
				return err
			}
		}
	}
	left, err := r.Leftovers(ctx, r.before, settleTime)
	if err != nil {
		return err
	}
	late, err := r.late(ctx)
	if err != nil {
		return err
	}
	r.note("the generator itself was late by", late.Seconds(), "s")
	r.measure(leftovers.What, float64(len(left)))
	r.evidence(left...)
	return nil
}

// late is by how much the generator began a call late, at most: on a machine that is
// too busy for all of this.
func (r *Run) late(ctx context.Context) (time.Duration, error) {
	s, err := r.load.Window(ctx, r.begun, time.Now())
	if err != nil {
		return 0, err
	}
	return s.Late, nil
}

// window sums up the calls of the first generator, and keeps some of their errors.
// Those that were under way when it began are counted too: they are the first to fail.
func (r *Run) window(ctx context.Context, from, to time.Time) (*load.Summary, error) {
	s, err := r.load.Window(ctx, from.Add(-deadline), to)
	if err != nil {
		return nil, err
	}
	if s.Failed > 0 {
		r.evidence(fmt.Sprintf("calls ended with %v, %v; failed in second: %s", s.Codes, s.Reasons, r.failedWhen(from, to)))
		r.evidence(s.Errors...)
	}
	return s, nil
}

// failedWhen tells how many calls failed in which second.
func (r *Run) failedWhen(from, to time.Time) string {
	seconds := make(map[int]int)
	for _, s := range r.load.Slots(from.Add(-deadline), to) {
		if failed := s.Failed(); failed > 0 {
			seconds[int(time.UnixMilli(s.At).Sub(from).Seconds())] += failed
		}
	}
	var texts []string
	for _, second := range slices.Sorted(maps.Keys(seconds)) {
		texts = append(texts, fmt.Sprintf("%d: %d", second, seconds[second]))
	}
	return strings.Join(texts, ", ")
}

// calm is for how many slots in a row a replica must be left alone to be avoided.
const calm = 5

// avoided says how long after a time an address began to get less than a twentieth of
// the attempts, for half a second at least. The rest of the run if it never did.
func (r *Run) avoided(address string, from, to time.Time) time.Duration {
	slots := r.load.Slots(from, to)
	quiet := 0
	for _, s := range slots {
		quiet++
		if n := s.Attempts[address]; n > 1 && n*20 > load.Total(s.Attempts) {
			quiet = 0
		}
		if quiet == calm {
			return max(0, time.UnixMilli(s.At).Add(-(calm-1)*load.SlotTime).Sub(from))
		}
	}
	return to.Sub(from)
}

// ratio is a/b, 0 when there is nothing to compare with.
func ratio(a, b time.Duration) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// percent is how many of 100 n are.
func percent(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return 100 * float64(n) / float64(of)
}
