package chaos

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/fairlead-mesh/fairlead/test/harness"
	"github.com/fairlead-mesh/fairlead/test/truth"
)

const (
	// loadPhones are those that the calls of a load are spread over.
	loadPhones = 40
	// maxFailed is how many calls a kill may fail that nobody has repeated.
	maxFailed = 1
	// settle is how long two replicas share the load before one is killed.
	settle = time.Second
)

// killReplica kills the replica of social that is a process of its own.
func killReplica(ctx context.Context, o Options, r *Result) error {
	bin, err := o.Programs.Build("cmd/fairlead")
	if err != nil {
		return err
	}
	database, err := o.Engine.New(ctx)
	if err != nil {
		return err
	}
	defer database.Drop()
	s, err := harness.Open(bin, filepath.Join(o.Dir, "data"), database.Env(), "--replicas", "social=2")
	if err != nil {
		return err
	}
	defer s.Kill()
	if len(s.Replicas) != 1 {
		return fmt.Errorf("up.json names the replicas %v, want one", s.Replicas)
	}
	k := &replicas{Options: o, result: r, system: s}
	if err := k.run(ctx); err != nil {
		return err
	}
	return s.Close()
}

// replicas is a kill-replica that runs.
type replicas struct {
	Options
	result   *Result
	system   *harness.System
	registry *harness.Registry
	calls    calls

	failures []int // of each kill
	back     []time.Duration
}

func (k *replicas) run(ctx context.Context) error {
	d, err := open(k.system.Public)
	if err != nil {
		return err
	}
	defer d.close()
	if k.registry, err = k.system.Registry(); err != nil {
		return err
	}
	defer k.registry.Close()
	c, err := gather(ctx, loadPhones, func(n int) truth.Server { return d.counted(&k.calls, n) })
	if err != nil {
		return err
	}
	k.calls.forget()
	began := time.Now()
	late, err := during(ctx, c, k.Options, func() error { return k.kills(ctx) })
	if err != nil {
		return err
	}
	k.report(late, time.Since(began))
	return verify(ctx, k.Options, k.result, c.recorder, d.rest, d.grpc)
}

// during does something under load, and returns how many calls began late.
func during(ctx context.Context, c *crowd, o Options, do func() error) (late int, err error) {
	stop, loaded := make(chan struct{}), make(chan int)
	go func() { loaded <- c.load(ctx, o, stop) }()
	err = do()
	close(stop)
	return <-loaded, err
}

// kills kills the replica, waits until another has taken its place, and counts
// what failed until the next kill.
func (k *replicas) kills(ctx context.Context) error {
	time.Sleep(settle)
	begun := time.Now()
	for n := 1; n <= k.Kills; n++ {
		victim := k.system.Replicas[0]
		at := time.Now()
		if err := victim.Kill(); err != nil {
			return err
		}
		if err := k.replaced(ctx, victim.PID); err != nil {
			return fmt.Errorf("after kill %d: %w", n, err)
		}
		k.back = append(k.back, time.Since(at))
		time.Sleep(settle)
		failed := k.calls.failed(begun, time.Now())
		begun = time.Now()
		k.failures = append(k.failures, len(failed))
		for _, c := range failed {
			k.result.evidence(rowFailed, "kill %d at %s: %v", n, at.Format("15:04:05.000"), c)
		}
		k.Progress.Step("kill %d of %d: %d calls failed, replaced in %.2f s", n, k.Kills, len(failed), k.back[n-1].Seconds())
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// replaced waits until up.json names another process and both replicas are in the
// registry and alive.
func (k *replicas) replaced(ctx context.Context, old int) error {
	var why error
	if harness.Poll(func() bool { why = k.whole(ctx, old); return why == nil }) {
		return nil
	}
	return why
}

func (k *replicas) whole(ctx context.Context, old int) error {
	if err := k.system.ReadUp(); err != nil {
		return err
	}
	if len(k.system.Replicas) != 1 || k.system.Replicas[0].PID == old || k.system.Replicas[0].PID == 0 {
		return fmt.Errorf("up.json names the replicas %v", k.system.Replicas)
	}
	list, err := k.registry.Instances(ctx)
	if err != nil {
		return err
	}
	living := 0
	for _, i := range list {
		if i.Service != "fairlead.social.v1.SocialService" {
			continue
		}
		if err := k.registry.Reach(ctx, i); err != nil {
			return err
		}
		living++
	}
	if living != 2 {
		return fmt.Errorf("%d replicas are registered", living)
	}
	return nil
}

func (k *replicas) report(late int, took time.Duration) {
	r := k.result
	most, total := 0, 0
	for _, n := range k.failures {
		most, total = max(most, n), total+n
	}
	r.note("kills", float64(k.Kills), "")
	r.bar("failed calls of one kill, most", float64(most), "", maxFailed)
	r.note("failed calls in all", float64(total), "")
	r.times("replaced and found", k.back, harness.Patience)
	loadRows(r, &k.calls, late, took)
}

// loadRows adds what the load was.
func loadRows(r *Result, c *calls, late int, took time.Duration) {
	times := c.took()
	r.note("calls per second", float64(len(times))/took.Seconds(), "/s")
	r.note("calls that had to wait for the load itself", float64(late), "")
	for _, p := range []struct {
		name  string
		share float64
	}{{"median", 0.5}, {"99 of 100 within", 0.99}, {"longest", 1}} {
		r.note("answered, "+p.name, percentile(times, p.share).Seconds(), "s")
	}
}
