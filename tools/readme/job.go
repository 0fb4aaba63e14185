package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// grace is how long what was started may drain.
const grace = 30 * time.Second

// A job is a block that runs in the background, in a process group of its own.
type job struct {
	block block
	cmd   *exec.Cmd
	ended chan struct{} // closed when the process has ended
	out   watched
}

// start runs the block and returns when it has printed what it should.
func start(ctx context.Context, b block) (*job, error) {
	j := &job{block: b, ended: make(chan struct{}), out: watched{want: b.want, seen: make(chan struct{})}}
	j.cmd = exec.Command("bash", "-euo", "pipefail", "-c", b.text)
	j.cmd.Stdout, j.cmd.Stderr = &j.out, &j.out
	j.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := j.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(j.ended)
		_ = j.cmd.Wait() // make reports the interrupt as its own failure
	}()
	select {
	case <-j.out.seen:
		return j, nil
	case <-j.ended:
		return nil, fmt.Errorf("%d: ended before it printed %q:\n%s", b.line, b.want, j.out.String())
	case <-ctx.Done():
		_ = j.stop()
		return nil, fmt.Errorf("%d: did not print %q in time:\n%s", b.line, b.want, j.out.String())
	}
}

// end stops it, and shows what it has printed when something has failed.
func (j *job) end(failed bool) error {
	err := j.stop()
	if failed {
		fmt.Fprintf(os.Stderr, "%s\n%s", j.block.text, j.out.String())
	}
	return err
}

// stop interrupts the whole group, as Ctrl-C does, and waits for its end.
func (j *job) stop() error {
	_ = syscall.Kill(-j.cmd.Process.Pid, syscall.SIGINT)
	select {
	case <-j.ended:
		return nil
	case <-time.After(grace):
	}
	_ = syscall.Kill(-j.cmd.Process.Pid, syscall.SIGKILL)
	<-j.ended
	return fmt.Errorf("%d: did not end within %v of an interrupt:\n%s", j.block.line, grace, j.out.String())
}

// watched keeps what is written to it and closes seen at the first want.
type watched struct {
	want string
	seen chan struct{}

	mu   sync.Mutex
	text bytes.Buffer
	done bool
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(p)
	if !w.done && strings.Contains(w.text.String(), w.want) {
		w.done = true
		close(w.seen)
	}
	return len(p), nil
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}
