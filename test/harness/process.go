package harness

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// StopTime is how long a process may take to end after a signal.
const StopTime = 15 * time.Second

// Process is a program that runs. Its methods may be used by several goroutines
// at once.
type Process struct {
	// PID is the process id.
	PID int

	out  output
	done chan struct{}
	err  error // of Wait, after done
}

// Start starts a program in an empty working directory, with no FAIRLEAD_
// variables but those of env. It is killed when the test ends, should it still
// run, and its output is logged when the test has failed.
func Start(t testing.TB, bin string, env []string, args ...string) *Process {
	t.Helper()
	p, err := start(bin, t.TempDir(), env, args...)
	if err != nil {
		t.Fatal(err)
	}
	p.watch(t)
	t.Cleanup(p.Kill)
	return p
}

func start(bin, dir string, env []string, args ...string) (*Process, error) {
	p := new(Process)
	if err := p.launch(bin, dir, env, &p.out, &p.out, args...); err != nil {
		return nil, err
	}
	return p, nil
}

// Launch is the Start of commands: it starts a program in a folder, with no FAIRLEAD_
// variables but those of env. What the program prints goes to out and log, so that
// Output has nothing.
func Launch(bin, dir string, env []string, out, log io.Writer, args ...string) (*Process, error) {
	p := new(Process)
	if err := p.launch(bin, dir, env, out, log, args...); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Process) launch(bin, dir string, env []string, out, log io.Writer, args ...string) error {
	cmd := exec.Command(bin, args...)
	cmd.Dir = dir
	cmd.Env = append(environment(), env...)
	cmd.Stdout, cmd.Stderr = out, log
	cmd.SysProcAttr = group()
	if err := cmd.Start(); err != nil {
		return err
	}
	p.PID, p.done = cmd.Process.Pid, make(chan struct{})
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return nil
}

// environment is the test's own without what configures Fairlead.
func environment() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "FAIRLEAD_") {
			env = append(env, v)
		}
	}
	return env
}

// watch logs what the process says from now on, should the test fail.
func (p *Process) watch(t testing.TB) {
	from := len(p.Output())
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("output of process %d:\n%s", p.PID, p.Output()[from:])
		}
	})
}

// Output returns what the process has printed so far.
func (p *Process) Output() string { return p.out.String() }

// Running says whether the process has not ended yet.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Signal sends a signal to the process alone; one that has ended gets none.
func (p *Process) Signal(s syscall.Signal) {
	if p.Running() {
		syscall.Kill(p.PID, s) // it may end just now
	}
}

// Kill ends the process and all that it started, without a chance to clean up,
// and waits for it.
func (p *Process) Kill() {
	if p.Running() {
		syscall.Kill(-p.PID, syscall.SIGKILL) // the group has the number of its first process
		<-p.done
	}
}

// GroupLives says whether a process lives that one with that id has started, or
// itself.
func GroupLives(pid int) bool { return syscall.Kill(-pid, 0) == nil }

// Exit waits for the end of the process and returns its exit code, -1 when a
// signal ended it. It fails the test after StopTime.
func (p *Process) Exit(t testing.TB) int {
	t.Helper()
	code, err := p.exit()
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// Wait is the Exit of commands.
func (p *Process) Wait() (int, error) { return p.exit() }

func (p *Process) exit() (int, error) {
	select {
	case <-p.done:
	case <-time.After(StopTime):
		syscall.Kill(p.PID, syscall.SIGQUIT) // the output says where it hangs
		select {
		case <-p.done:
		case <-time.After(time.Second):
		}
		return 0, fmt.Errorf("process %d has not ended within %v", p.PID, StopTime)
	}
	if exit, ok := errors.AsType[*exec.ExitError](p.err); ok {
		return exit.ExitCode(), nil
	}
	return 0, p.err
}

// output collects what a process prints.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

// String returns all that was written.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
