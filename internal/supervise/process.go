package supervise

import (
	"errors"
	"io"
	"os/exec"
	"syscall"
	"time"
)

// outputTime is how long the output of a process that has ended is waited for:
// something that it has started may keep it open.
const outputTime = time.Second

// process is one process of a child.
type process struct {
	cmd  *exec.Cmd
	life io.Closer // our end of its standard input
	done chan struct{}
	err  error // of Wait, after done
}

func start(o Options) (*process, error) {
	cmd, out := o.Command(), o.Output.of(o.Name)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = out, out, outputTime
	life, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, life: life, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		out.end()
		close(p.done)
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// terminate asks the process to drain. Windows has no SIGTERM: there it is told
// that its input has ended.
func (p *process) terminate() {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.life.Close()
	}
}

// kill ends the process, and returns when it is gone.
func (p *process) kill() {
	p.cmd.Process.Kill() // an error means that it has ended
	<-p.done
}

// end says how the process has ended; it is never nil.
func (p *process) end() error {
	if p.err == nil {
		return errors.New("exit status 0")
	}
	return p.err
}
