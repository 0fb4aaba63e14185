package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/fairlead-mesh/fairlead/test/harness"
	"github.com/fairlead-mesh/fairlead/test/truth"
)

const (
	// crowdSize is how many phones write in turn while everything is killed.
	crowdSize = 16
	// readyTime is how long a restart may take.
	readyTime = time.Second
)

// killAll kills everything at a moment that chance chooses, a few tenths of a
// second after it was ready, and sometimes before.
func killAll(ctx context.Context, o Options, r *Result) error {
	k := &killer{Options: o, result: r, random: o.random(-1)}
	defer k.close()
	if err := k.open(ctx); err != nil {
		return err
	}
	stop, lived := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(lived)
		k.crowd.live(ctx, o, stop)
	}()
	err := k.rounds(ctx)
	close(stop)
	<-lived // all that was begun is answered: everything runs again
	if err != nil {
		return err
	}
	return k.finish(ctx)
}

// killer is a kill-all that runs.
type killer struct {
	Options
	result   *Result
	random   *rand.Rand
	bin      string
	args     []string
	env      []string
	system   *harness.System
	database *harness.Database
	doors    *doors
	calls    calls
	crowd    *crowd
	newcomer *truth.Phone // of the last round

	ready     []time.Duration
	readyAt   time.Time
	firsts    int // first requests that failed
	dead      int // endpoints in the registry that do not live
	missing   int // living ones that are not there
	whileUp   int // calls that failed while everything ran
	survivors int // processes that outlived a kill
}

// open starts everything for the first time, and signs the crowd in.
func (k *killer) open(ctx context.Context) (err error) {
	if k.bin, err = k.Programs.Build("cmd/fairlead"); err != nil {
		return err
	}
	public, err := harness.FreeAddress()
	if err != nil {
		return err
	}
	k.args = []string{"--listen", public} // the same after each restart, as a phone expects
	temporary := filepath.Join(k.Dir, "tmp")
	if err := os.MkdirAll(temporary, 0o700); err != nil {
		return err
	}
	if k.database, err = k.Engine.New(ctx); err != nil {
		return err
	}
	k.env = append(k.database.Env(), "TMPDIR="+temporary)
	if k.doors, err = open(public); err != nil {
		return err
	}
	if err := k.start(); err != nil {
		return err
	}
	k.crowd, err = gather(ctx, crowdSize, func(n int) truth.Server { return k.doors.counted(&k.calls, n) })
	return err
}

func (k *killer) data() string { return filepath.Join(k.Dir, "data") }

// start starts everything and waits until it is ready.
func (k *killer) start() (err error) {
	k.system, err = harness.Open(k.bin, k.data(), k.env, k.args...)
	k.readyAt = time.Now()
	return err
}

// rounds kills and starts again, and looks what it is like after each start.
func (k *killer) rounds(ctx context.Context) error {
	for n := 1; n <= k.Kills; n++ {
		if err := k.kill(n); err != nil {
			return err
		}
		if k.random.IntN(8) == 0 && n < k.Kills {
			n++
			if err := k.killEarly(n); err != nil {
				return err
			}
		}
		if err := k.start(); err != nil {
			return fmt.Errorf("after kill %d: %w", n, err)
		}
		k.ready = append(k.ready, k.system.Ready)
		if k.system.Ready > readyTime {
			k.result.evidence(rowReady, "after kill %d: %v\n%s", n, k.system.Ready, k.system.Output())
		}
		k.first(ctx, n)
		if err := k.registry(ctx, n); err != nil {
			return err
		}
		k.Progress.Step("kill %d of %d: ready in %.2f s, %d calls so far", n, k.Kills, k.system.Ready.Seconds(), len(k.calls.took()))
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// kill kills everything a moment after it was ready.
func (k *killer) kill(n int) error {
	time.Sleep(20*time.Millisecond + some(k.random, 400*time.Millisecond))
	if !k.system.Running() {
		return fmt.Errorf("it has ended by itself before kill %d:\n%s", n, k.system.Output())
	}
	at := time.Now()
	k.system.Kill()
	for _, c := range k.calls.failed(k.readyAt, at) {
		k.whileUp++
		k.result.evidence(rowWhileUp, "before kill %d: %v", n, c)
	}
	if harness.GroupLives(k.system.Process.PID) {
		k.survivors++
		k.result.evidence(rowSurvivors, "after kill %d", n)
	}
	return nil
}

// killEarly kills everything while it starts.
func (k *killer) killEarly(n int) error {
	s, err := harness.Begin(k.bin, k.data(), k.env, k.args...)
	if err != nil {
		return err
	}
	time.Sleep(some(k.random, 300*time.Millisecond))
	defer s.Kill()
	if !s.Running() {
		return fmt.Errorf("it has ended by itself at kill %d:\n%s", n, s.Output())
	}
	return nil
}

// first makes the first requests of somebody who has just heard that it is ready,
// over new connections: with a session of before the kill, and as a newcomer, whose
// follow goes from the edge to social to identity. None is made twice.
func (k *killer) first(ctx context.Context, n int) {
	d, err := open(k.system.Public)
	if err != nil {
		k.fail(n, "connect", err)
		return
	}
	defer d.close()
	var all calls
	server := d.counted(&all, n)
	old := k.crowd.phones[n%len(k.crowd.phones)]
	if _, err := server.Timeline(ctx, old.Session(), truth.Cursor{}); err != nil {
		k.fail(n, "timeline with a session of before", err)
	}
	p, err := k.crowd.recorder.SignIn(ctx, server)
	if err != nil {
		k.fail(n, "sign in", err)
		return
	}
	if k.newcomer != nil {
		err = p.Follow(ctx, k.newcomer)
	}
	if err := errors.Join(err, p.Create(ctx, fmt.Sprint("hello after kill ", n))); err != nil {
		k.fail(n, "newcomer", err)
	}
	for _, c := range all.failed(time.Time{}, time.Now()) {
		k.fail(n, "newcomer", fmt.Errorf("%v", c))
	}
	k.newcomer = p
}

func (k *killer) fail(n int, what string, err error) {
	k.firsts++
	k.result.evidence(rowFirst, "after kill %d: %s: %v", n, what, err)
}

// registry compares what is registered with what lives.
func (k *killer) registry(ctx context.Context, n int) error {
	registry, err := k.system.Registry()
	if err != nil {
		return err
	}
	defer registry.Close()
	list, err := registry.Instances(ctx)
	if err != nil {
		return err
	}
	living := make(map[string]int)
	for _, i := range list {
		if err := registry.Reach(ctx, i); err != nil {
			k.dead++
			k.result.evidence(rowDead, "after kill %d: %v", n, err)
			continue
		}
		living[i.Service]++
	}
	for _, service := range []string{"fairlead.identity.v1.IdentityService", "fairlead.social.v1.SocialService"} {
		if living[service] != 1 {
			k.missing++
			k.result.evidence(rowMissing, "after kill %d: %d instances of %s", n, living[service], service)
		}
	}
	return nil
}

// finish reads everything back, and fills the table.
func (k *killer) finish(ctx context.Context) error {
	r := k.result
	r.note("kills", float64(k.Kills), "")
	r.times(rowReady, k.ready, readyTime)
	r.bar(rowFirst, float64(k.firsts), "", 0)
	r.bar(rowDead, float64(k.dead), "", 0)
	r.bar(rowMissing, float64(k.missing), "", 0)
	r.bar(rowSurvivors, float64(k.survivors), "", 0)
	left, err := os.ReadDir(filepath.Join(k.Dir, "tmp"))
	if err != nil {
		return err
	}
	r.bar("temporary files left", float64(len(left)), "", 0)
	r.note("calls", float64(len(k.calls.took())), "")
	r.bar(rowWhileUp, float64(k.whileUp), "", 0)
	if err := verify(ctx, k.Options, r, k.crowd.recorder, k.doors.rest, k.doors.grpc); err != nil {
		return err
	}
	return k.system.Close()
}

// close ends what still runs.
func (k *killer) close() {
	if k.doors != nil {
		k.doors.close()
	}
	if k.system != nil {
		k.system.Kill()
	}
	if k.database == nil {
		return
	}
	if err := k.database.Drop(); err != nil {
		k.Progress.Say("%v", err)
	}
}
