// Package supervise keeps a child process running: it starts it again when it has
// ended, after a pause that grows while it ends soon, and stops it in the end.
//
// A child must not outlive us, not even when we are killed. So its standard input
// is a pipe to which we never write, and a child ends when its input does:
// however we went, the kernel has closed our end. That works on every system,
// cannot be missed by a child that is just starting, gives it the time to clean
// up, and needs no process id, which may be another's by now. The signal that
// Linux can send instead (Pdeathsig) comes when the thread ends that started the
// child, and nowhere else.
package supervise

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os/exec"
	"sync"
	"time"
)

const (
	// readyTime bounds the start of a process; it takes half a second as a rule.
	readyTime = 15 * time.Second
	// stopTime bounds its drain.
	stopTime = 10 * time.Second
	// readyTick is how often a process that starts is looked at.
	readyTick = 5 * time.Millisecond
)

// Options say what to run. ReadyTime, StopTime and Changed may be left out.
type Options struct {
	// Name is what the child is called in logs: "social-2".
	Name string
	// Command makes the command of one process, without its standard streams. The
	// process ends when its standard input does.
	Command func() *exec.Cmd
	// Ready says whether the process with that id does its work. It is asked every
	// few milliseconds while the process starts, so it must not wait.
	Ready func(pid int) bool
	// Output gets what the process prints.
	Output *Output
	// Logger is told when it ends.
	Logger *slog.Logger
	// Changed is called after each change of the Status, by one goroutine at a time.
	Changed func()
	// ReadyTime is how long a process may take until it is ready, 15 s when 0: then
	// it is killed. StopTime is how long it may take to end after SIGTERM, 10 s
	// when 0.
	ReadyTime, StopTime time.Duration
}

// Child is a process that is kept running: never more than one at a time. Its
// methods may be used by several goroutines at once.
type Child struct {
	options  Options
	stopping order // it shall drain
	killing  order // it shall end at once
	done     chan struct{}
	first    chan error // how the first process has started; holds one
	steady   time.Duration
	// Of the goroutine that supervises:
	begun bool      // it was ready once
	ready time.Time // since when the process is ready; zero when it never was

	mu     sync.Mutex
	status Status
}

// order is something that is said once to whoever listens.
type order struct {
	context.Context
	say context.CancelFunc
}

func newOrder() order {
	ctx, cancel := context.WithCancel(context.Background())
	return order{ctx, cancel}
}

// New prepares a child.
func New(o Options) *Child {
	o.ReadyTime, o.StopTime = cmp.Or(o.ReadyTime, readyTime), cmp.Or(o.StopTime, stopTime)
	if o.Changed == nil {
		o.Changed = func() {}
	}
	return &Child{
		options: o, stopping: newOrder(), killing: newOrder(), done: make(chan struct{}),
		first: make(chan error, 1), steady: steady, status: Status{State: Starting},
	}
}

// Start starts the first process and returns when it is ready. It is an error when
// that process ends before: what does not work at all is not tried again. From
// then on it is kept running until Stop, which is needed also when ctx has ended
// the wait. Start is called once.
func (c *Child) Start(ctx context.Context) error {
	go c.run()
	var err error
	select {
	case err = <-c.first:
	case <-ctx.Done():
		err = fmt.Errorf("not ready: %w", ctx.Err())
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c.options.Name, err)
	}
	return nil
}

// Stop tells the process to drain, and kills it when ctx ends or the StopTime is
// over before it has ended, which is an error. It returns when no process is left.
// It may be called again, but not before Start.
func (c *Child) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.options.StopTime)
	defer cancel()
	c.stopping.say()
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
	}
	c.killing.say()
	<-c.done
	return fmt.Errorf("%s has not ended in time and was killed", c.options.Name)
}

// run starts one process after the other.
func (c *Child) run() {
	defer close(c.done)
	defer c.enter(Down, 0)
	b := backoff{steady: c.steady}
	for {
		err := c.live()
		if !c.begun {
			c.first <- err
			return
		}
		if c.stopping.Err() != nil {
			return
		}
		wait := b.next(c.served())
		c.options.Logger.Warn("a replica has ended and is started again", "replica", c.options.Name, "error", err, "wait", wait)
		c.enter(Down, 0)
		select {
		case <-time.After(wait):
		case <-c.stopping.Done():
			return
		}
		c.again()
	}
}

// served is for how long the process that has just ended was ready.
func (c *Child) served() time.Duration {
	if c.ready.IsZero() {
		return 0
	}
	return time.Since(c.ready)
}

// live runs one process from its start to its end, and says why it has ended.
func (c *Child) live() error {
	c.ready = time.Time{}
	p, err := start(c.options)
	if err != nil {
		return err
	}
	c.enter(Starting, p.pid())
	if err := c.wait(p); err != nil {
		p.kill()
		return err
	}
	select {
	case <-p.done:
		return p.end()
	case <-c.stopping.Done():
	}
	c.enter(Draining, p.pid())
	p.terminate()
	select {
	case <-p.done:
	case <-c.killing.Done():
		p.kill()
	}
	return p.end()
}

// wait waits until a process is ready, or shall not be any more.
func (c *Child) wait(p *process) error {
	limit := time.After(c.options.ReadyTime)
	tick := time.NewTicker(readyTick)
	defer tick.Stop()
	for !c.options.Ready(p.pid()) {
		select {
		case <-tick.C:
		case <-c.stopping.Done():
			return nil
		case <-p.done:
			return fmt.Errorf("ended before it was ready: %w", p.end())
		case <-limit:
			return fmt.Errorf("not ready after %v", c.options.ReadyTime)
		}
	}
	c.ready = time.Now()
	c.enter(Ready, p.pid())
	if !c.begun {
		c.begun = true
		c.first <- nil
	}
	return nil
}
