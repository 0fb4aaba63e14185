package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/fairlead-mesh/fairlead/test/harness"
	"github.com/fairlead-mesh/fairlead/test/truth"
)

const (
	// foundTime is how long after etcd's return a service may take to be found that
	// was restarted meanwhile: the longest pause between two attempts is 10 s.
	foundTime = 15 * time.Second
	// warmUp is how long the load runs before etcd goes away.
	warmUp = 2 * time.Second
)

// etcdStop lets etcd stand still, with its connections open.
func etcdStop(ctx context.Context, o Options, r *Result) error {
	return outage(ctx, o, r,
		func(c *harness.Cluster) error { c.Etcd.Signal(syscall.SIGSTOP); return nil },
		func(c *harness.Cluster) error { c.Etcd.Signal(syscall.SIGCONT); return nil })
}

// etcdKill kills etcd and starts it again, with what it had stored.
func etcdKill(ctx context.Context, o Options, r *Result) error {
	return outage(ctx, o, r,
		func(c *harness.Cluster) error { c.Etcd.Kill(); return nil },
		func(c *harness.Cluster) error { return c.StartEtcd() })
}

// outages is one that runs.
type outages struct {
	Options
	result       *Result
	cluster      *harness.Cluster
	registry     *harness.Registry
	calls        calls
	doors        []*doors
	restarted    *harness.Node
	stop, resume func(*harness.Cluster) error
	away, back   time.Time

	registered, serving time.Duration // after etcd was back
	drained             time.Duration // how long the restarted one took to end
	badly               int           // it did not exit with 0
}

func outage(ctx context.Context, o Options, r *Result, stop, resume func(*harness.Cluster) error) (err error) {
	var programs harness.ClusterPrograms
	if err := programs.Build(o.Programs); err != nil {
		return err
	}
	database, err := o.Engine.New(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, database.Drop()) }()
	cluster, err := harness.NewCluster(o.Dir, programs, database)
	if err != nil {
		return err
	}
	x := &outages{Options: o, result: r, cluster: cluster, stop: stop, resume: resume}
	err = x.run(ctx)
	cluster.Etcd.Signal(syscall.SIGCONT) // should it still stand
	return errors.Join(err, x.close())
}

func (x *outages) close() error {
	for _, d := range x.doors {
		d.close()
	}
	if x.registry != nil {
		x.registry.Close()
	}
	return x.cluster.Close()
}

func (x *outages) run(ctx context.Context) error {
	if err := x.start(ctx); err != nil {
		return err
	}
	crowd, err := gather(ctx, loadPhones, func(n int) truth.Server {
		return x.doors[n%len(x.doors)].counted(&x.calls, n/len(x.doors))
	})
	if err != nil {
		return err
	}
	x.calls.forget()
	began := time.Now()
	late, err := during(ctx, crowd, x.Options, func() error { return x.happen(ctx) })
	took := time.Since(began)
	if err != nil {
		return err
	}
	x.report(began, late, took)
	return verify(ctx, x.Options, x.result, crowd.recorder, x.doors[0].rest, x.doors[1].grpc)
}

// start starts two edges, two replicas of social and one of identity.
func (x *outages) start(ctx context.Context) error {
	for _, part := range []string{"identity", "social", "social", "edge", "edge"} {
		n, err := x.cluster.Add(ctx, part)
		if err != nil {
			return err
		}
		if part == "social" {
			x.restarted = n
		}
		if part == "edge" {
			d, err := open(n.Public)
			if err != nil {
				return err
			}
			x.doors = append(x.doors, d)
			if err := routed(ctx, d); err != nil {
				return fmt.Errorf("%s: %w", n.Name, err)
			}
		}
	}
	var err error
	x.registry, err = x.cluster.Registry()
	return err
}

// routed waits until an edge serves both services.
func routed(ctx context.Context, d *doors) error {
	var err error
	ok := harness.Poll(func() bool {
		var s truth.Session
		if s, err = d.rest.SignIn(ctx, []byte("somebody who only looks")); err == nil {
			_, err = d.rest.Timeline(ctx, s, truth.Cursor{})
		}
		return err == nil
	})
	if ok {
		return nil
	}
	return err
}

// happen lets etcd go away and come back, with a restart of social in between.
func (x *outages) happen(ctx context.Context) error {
	time.Sleep(warmUp)
	x.away = time.Now()
	if err := x.stop(x.cluster); err != nil {
		return err
	}
	x.Progress.Say("etcd is away for %v", x.Outage)
	if err := x.wait(ctx, x.Outage/3); err != nil {
		return err
	}
	if err := x.restart(); err != nil {
		return err
	}
	if err := x.wait(ctx, time.Until(x.away.Add(x.Outage))); err != nil {
		return err
	}
	if err := x.resume(x.cluster); err != nil {
		return err
	}
	x.back = time.Now()
	x.Progress.Say("etcd is back")
	if err := x.found(ctx); err != nil {
		return err
	}
	return x.wait(ctx, time.Until(x.back.Add(x.After)))
}

// restart drains the second social and starts it anew, elsewhere.
func (x *outages) restart() error {
	begun := time.Now()
	if err := x.restarted.Stop(); err != nil {
		x.badly++
		x.result.evidence(rowExit, "%v", err)
	}
	x.drained = time.Since(begun)
	return x.cluster.Begin(x.restarted)
}

// wait lets time pass, and tells how it goes.
func (x *outages) wait(ctx context.Context, d time.Duration) error {
	end := time.After(d)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-end:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			x.Progress.Step("%.0f s: %d calls, %d failed", time.Since(x.away).Seconds(), len(x.calls.took()), len(x.calls.failed(time.Time{}, time.Now())))
		}
	}
}

// found waits until the restarted social is registered, and until it is called.
func (x *outages) found(ctx context.Context) error {
	if !harness.Poll(func() bool { return x.restarted.Ready(ctx) }) {
		return fmt.Errorf("%s is not registered again:\n%s", x.restarted.Name, x.restarted.Output())
	}
	x.registered = time.Since(x.back)
	if !harness.Poll(func() bool { return called(ctx, x.restarted) }) {
		return fmt.Errorf("%s is registered again and not called:\n%s", x.restarted.Name, x.restarted.Output())
	}
	x.serving = time.Since(x.back)
	return nil
}

// called says whether a node has answered a call, by its metrics.
func called(ctx context.Context, n *harness.Node) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.Probe+"/metrics", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return err == nil && strings.Contains(string(text), `rpc_server_call_duration_seconds_count{rpc_method="fairlead.social`)
}

func (x *outages) report(began time.Time, late int, took time.Duration) {
	r := x.result
	failed := x.calls.failed(began.Add(-time.Second), time.Now())
	for _, c := range failed {
		r.evidence(rowFailed, "%+.1f s after etcd went away: %v", c.sent.Sub(x.away).Seconds(), c)
	}
	r.note("etcd away", x.back.Sub(x.away).Seconds(), "s")
	r.bar(rowFailed, float64(len(failed)), "", 0)
	r.note("social drained meanwhile in", x.drained.Seconds(), "s")
	r.bar(rowExit, float64(x.badly), "", 0)
	r.bar("and was registered again after", x.registered.Seconds(), "s", foundTime.Seconds())
	r.bar("and called again after", x.serving.Seconds(), "s", foundTime.Seconds())
	loadRows(r, &x.calls, late, took)
}
