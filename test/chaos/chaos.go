// Package chaos does to a running system what happens to it in the field, processes
// that are killed and a registry that is away, while phones go on writing and
// reading; and measures what they notice. At the end of each suite the truth checker
// says whether every acknowledged write is there.
package chaos

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/fairlead-mesh/fairlead/test/harness"
	"github.com/fairlead-mesh/fairlead/test/truth"
)

// Options are what the suites can be told. Each uses some of them.
type Options struct {
	// Engine is where the services keep their data.
	Engine harness.Engine
	// Seed chooses who does what, and when something is killed. The same seed does
	// not give the same run, since the processes have a clock of their own.
	Seed uint64
	// Programs builds what is run, and Dir is an empty folder for all data.
	Programs *harness.Builder
	Dir      string
	// Progress is told what happens.
	Progress Progress

	// Kills is how often something is killed.
	Kills int
	// Rate is how many calls begin per second, whether others are answered or not.
	Rate int
	// Outage is for how long etcd is away, and After for how long the load goes on
	// when it is back: longer than a lease (15 s), to see leases that end late.
	Outage, After time.Duration
}

// Suite is something to try.
type Suite struct {
	// Name is what it is called on the command line, Summary what it does.
	Name, Summary string
	// Defaults are for a run of some minutes.
	Defaults Options

	run func(context.Context, Options, *Result) error
}

// Suites are all that there are.
func Suites() []Suite {
	return []Suite{
		{"kill-all", "kill -9 of the whole of fairlead up, again and again", Options{Kills: 200}, killAll},
		{"kill-replica", "kill -9 of one of two replicas of social under load", Options{Kills: 20, Rate: 500}, killReplica},
		{"etcd-stop", "etcd does not answer (SIGSTOP) under load", Options{Rate: 200, Outage: 30 * time.Second, After: 20 * time.Second}, etcdStop},
		{"etcd-kill", "etcd is killed and started again under load", Options{Rate: 200, Outage: 30 * time.Second, After: 20 * time.Second}, etcdKill},
	}
}

// Run runs a suite. The error says why it could not be run to its end; what was
// found by then is in the Result.
func (s Suite) Run(ctx context.Context, o Options) (*Result, error) {
	r := &Result{Suite: s.Name, Engine: o.Engine.Name, Seed: o.Seed}
	started := time.Now()
	o.Progress.Say("%s on %s, seed %d", s.Name, o.Engine.Name, o.Seed)
	err := s.run(ctx, o, r)
	r.Seconds = time.Since(started).Seconds()
	return r, err
}

// random returns the random numbers of one goroutine.
func (o Options) random(n int) *rand.Rand { return rand.New(rand.NewPCG(o.Seed, uint64(n))) }

// some returns a time below the longest.
func some(random *rand.Rand, longest time.Duration) time.Duration {
	return time.Duration(random.Int64N(int64(longest)))
}

// verify runs the truth checker: three lists of four in REST, the fourth in gRPC.
func verify(ctx context.Context, o Options, r *Result, recorder *truth.Recorder, rest, grpc truth.Server) error {
	o.Progress.Say("reading everything back")
	report, err := truth.Check(ctx, recorder, rest, rest, rest, grpc)
	if err != nil {
		return err
	}
	r.Truth = report
	refusals := 0
	for _, kind := range []truth.Kind{truth.SignIn, truth.Refresh, truth.Follow, truth.Unfollow, truth.Create} {
		for _, o := range recorder.Operations(kind, truth.Refused) {
			refusals++
			r.evidence(rowRefused, "%v", o)
		}
	}
	r.note("posts acknowledged", float64(report.Posts), "")
	r.note("posts read back, on all lists", float64(report.Read), "")
	r.note("refreshes of sessions acknowledged", float64(len(recorder.Operations(truth.Refresh, truth.Acknowledged))), "")
	r.bar(rowRefused, float64(refusals), "", 0)
	r.bar("violations of truth", float64(len(report.Violations)), "", 0)
	return nil
}
