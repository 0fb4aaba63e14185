package supervise

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// soon is a context that ends when a test has taken too long.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// started starts a child that is stopped with the test. The time after which it
// counts as steady may be given.
func started(t *testing.T, o Options, steady ...time.Duration) *Child {
	t.Helper()
	c := New(o)
	for _, d := range steady {
		c.steady = d
	}
	if err := c.Start(soon(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Stop(soon(t))
		if s := c.Status(); s.State != Down || s.PID != 0 {
			t.Errorf("after the stop it is %+v", s)
		}
	})
	return c
}

func TestAChildRunsAndDrains(t *testing.T) {
	var out text
	c := started(t, options(t.TempDir(), "drain", NewOutput(&out)))
	s := c.Status()
	if s.State != Ready || !alive(s.PID) || s.Restarts != 0 {
		t.Errorf("it is %+v", s)
	}
	for range 2 {
		if err := c.Stop(soon(t)); err != nil {
			t.Error(err)
		}
	}
	if alive(s.PID) || out.String() != "social-2 | drained\n" {
		t.Errorf("process %d is there: %v; it says %q", s.PID, alive(s.PID), out.String())
	}
}

func TestADeadChildComesBack(t *testing.T) {
	c := started(t, options(t.TempDir(), "drain", NewOutput(new(text))))
	seen := []int{c.Status().PID}
	for i := range 3 {
		kill(t, c.Status().PID)
		eventually(t, "it is ready again", func() bool {
			s := c.Status()
			return s.State == Ready && s.Restarts == i+1
		})
		seen = append(seen, c.Status().PID)
	}
	for i, pid := range seen {
		if alive(pid) != (i == len(seen)-1) {
			t.Errorf("of the processes %v, number %d is alive: %v", seen, i, alive(pid))
		}
	}
}

// One that ends with 0 has ended too early as well.
func TestAChildThatLeavesComesBack(t *testing.T) {
	folder := t.TempDir()
	c := started(t, options(folder, "brief", NewOutput(new(text))))
	if err := os.WriteFile(filepath.Join(folder, "release"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it was started a few times", func() bool { return c.Status().Restarts > 1 })
}

func TestChangedSeesEachState(t *testing.T) {
	var seen []State
	var c *Child
	o := options(t.TempDir(), "drain", NewOutput(new(text)))
	o.Changed = func() { seen = append(seen, c.Status().State) }
	c = New(o)
	if err := errors.Join(c.Start(soon(t)), c.Stop(soon(t))); err != nil {
		t.Fatal(err)
	}
	if want := []State{Starting, Ready, Draining, Down}; !slices.Equal(seen, want) {
		t.Errorf("the states were %v, want %v", seen, want)
	}
}

func TestWhatDoesNotStart(t *testing.T) {
	missing := options(t.TempDir(), "drain", NewOutput(new(text)))
	command := missing.Command
	missing.Command = func() *exec.Cmd { c := command(); c.Path = "/nowhere/fairlead"; return c }
	slow := options(t.TempDir(), "never", NewOutput(new(text)))
	slow.ReadyTime = 50 * time.Millisecond
	for want, o := range map[string]Options{
		"exit status 3":        options(t.TempDir(), "fail", NewOutput(new(text))),
		"/nowhere/fairlead":    missing,
		"not ready after 50ms": slow,
	} {
		c := New(o)
		err := c.Start(soon(t))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "social-2: ") {
			t.Errorf("the error is %v, want %q in it", err, want)
		}
		if err := c.Stop(soon(t)); err != nil || c.Status().State != Down {
			t.Errorf("%s: stop: %v, state %v", want, err, c.Status())
		}
	}
}

// Whoever does not want to wait any longer can stop what is starting.
func TestStopWhileItStarts(t *testing.T) {
	c := New(options(t.TempDir(), "never", NewOutput(new(text))))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Start(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	if err := c.Stop(soon(t)); err != nil || c.Status().PID != 0 {
		t.Errorf("stop: %v, %+v", err, c.Status())
	}
}

// SIGTERM comes first, and SIGKILL when it was in vain.
func TestAChildThatHangsIsKilled(t *testing.T) {
	o := options(t.TempDir(), "hang", NewOutput(new(text)))
	o.StopTime = 100 * time.Millisecond
	c := started(t, o)
	pid, began := c.Status().PID, time.Now()
	err := c.Stop(soon(t))
	if err == nil || !strings.Contains(err.Error(), "social-2 has not ended in time") {
		t.Errorf("the error is %v", err)
	}
	if took := time.Since(began); took < o.StopTime || alive(pid) {
		t.Errorf("after %v process %d is alive: %v", took, pid, alive(pid))
	}
}

// A stop in the pause before a restart does not wait for its end, and starts
// nothing more.
func TestStopInThePause(t *testing.T) {
	folder := t.TempDir()
	var starts atomic.Int32
	o := options(folder, "brief", NewOutput(new(text)))
	command := o.Command
	o.Command = func() *exec.Cmd { starts.Add(1); return command() }
	c := started(t, o)
	if err := os.WriteFile(filepath.Join(folder, "release"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is down", func() bool { return c.Status().State == Down })
	if err := c.Stop(soon(t)); err != nil {
		t.Error(err)
	}
	if n := starts.Load(); int(n) != 1+c.Status().Restarts {
		t.Errorf("%d starts, %d restarts", n, c.Status().Restarts)
	}
}

// A process that fails before it is ready is at fault, however long that takes: the
// waits grow.
func TestAChildThatCannotStartIsLeftInPeace(t *testing.T) {
	folder := t.TempDir()
	var waits waits
	o := options(folder, "once", NewOutput(new(text)))
	o.Logger = slog.New(&waits)
	c := started(t, o, time.Nanosecond)
	kill(t, c.Status().PID)
	eventually(t, "it has failed a few times", func() bool { return len(waits.seen()) > 3 })
	limit := firstWait
	for i, got := range waits.seen() {
		if got < limit/2 || got >= limit {
			t.Errorf("wait %d is %v, want between %v and %v", i, got, limit/2, limit)
		}
		limit *= 2
	}
}

// A process that has done its work for a while is started again soon, each time.
func TestAChildThatWorksIsStartedSoon(t *testing.T) {
	var waits waits
	o := options(t.TempDir(), "drain", NewOutput(new(text)))
	o.Logger = slog.New(&waits)
	c := started(t, o, time.Nanosecond)
	for i := range 4 {
		kill(t, c.Status().PID)
		eventually(t, "it is ready again", func() bool {
			s := c.Status()
			return s.State == Ready && s.Restarts == i+1
		})
	}
	for _, wait := range waits.seen() {
		if wait >= firstWait {
			t.Errorf("the waits are %v", waits.seen())
		}
	}
}

func TestBackoff(t *testing.T) {
	b := backoff{steady: steady}
	limit := firstWait
	for range 10 {
		if got := b.next(steady - 1); got < limit/2 || got >= limit {
			t.Errorf("waits %v, want between %v and %v", got, limit/2, limit)
		}
		limit = min(2*limit, longestWait)
	}
	if limit != longestWait {
		t.Errorf("it has come to %v", limit)
	}
	if got := b.next(steady); got >= firstWait {
		t.Errorf("waits %v after good work", got)
	}
}
