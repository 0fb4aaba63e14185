package up

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"github.com/fairlead-mesh/fairlead/internal/operator"
	"github.com/fairlead-mesh/fairlead/internal/parts"
	"github.com/fairlead-mesh/fairlead/internal/supervise"
	"github.com/fairlead-mesh/fairlead/pkg/host"
	"github.com/fairlead-mesh/fairlead/pkg/service"
)

// replicasFolder is the folder in the data folder that holds the state folder of
// each replica.
const replicasFolder = "replicas"

// replica is one of a service beside the first: a process of its own, on the same
// data.
type replica struct {
	name  string // "social-2"
	state string // folder, see host.MeshConfig
	child *supervise.Child
}

// startReplicas starts all replicas at once and waits until they are ready. It is
// the last of the parts to start, so that they stop first.
func (s *System) startReplicas(ctx context.Context) error {
	program, err := os.Executable()
	if err := errors.Join(err, s.sweep(ctx)); err != nil {
		return fmt.Errorf("replicas: %w", err)
	}
	output := supervise.NewOutput(s.options.Err)
	for _, p := range parts.Services() {
		for n := 2; n <= s.options.Replicas.of(p.Name); n++ {
			if err := s.newReplica(p, n, program, output); err != nil {
				return fmt.Errorf("replicas: %w", err)
			}
		}
	}
	s.closers = append(s.closers, s.stopReplicas)
	if err := s.each(func(r *replica) error { return r.child.Start(ctx) }); err != nil {
		return err
	}
	for _, r := range s.replicas {
		s.report.part(&part{r.name, fmt.Sprintf("process %d, probe", r.child.Status().PID), r.probe()})
	}
	return nil
}

// newReplica prepares a replica. Its state folder is new each time: a process of
// an earlier run may still be about to end, and no two may share their lease.
func (s *System) newReplica(p service.Part, n int, program string, output *supervise.Output) error {
	r := &replica{name: fmt.Sprintf("%s-%d", p.Name, n)}
	parent := filepath.Join(s.options.Data, replicasFolder)
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return err
	}
	var err error
	if r.state, err = os.MkdirTemp(parent, r.name+"-"); err != nil {
		return err
	}
	r.child = supervise.New(supervise.Options{
		Name: r.name, Output: output, Logger: s.options.Logger, Changed: s.saveState,
		Command: func() *exec.Cmd { return s.command(p, program, r.state) },
		Ready:   r.ready,
	})
	s.replicas = append(s.replicas, r)
	return nil
}

// ready says whether the process with that id has said that it is.
func (r *replica) ready(pid int) bool {
	said, err := host.ReadReadiness(r.state)
	return err == nil && said.PID == pid
}

// probe is the address of the replica's probe port, empty while it is not ready.
func (r *replica) probe() string {
	said, err := host.ReadReadiness(r.state)
	if err != nil || said.PID != r.child.Status().PID {
		return ""
	}
	return said.Probe
}

// part is what the console shows.
func (r *replica) part() operator.Part {
	status := r.child.Status()
	p := operator.Part{Name: r.name, State: operator.State(status.State), Address: r.probe(), Detail: "no process"}
	if status.PID != 0 {
		p.Detail = fmt.Sprintf("process %d, probe", status.PID)
	}
	switch status.Restarts {
	case 0:
	case 1:
		p.Detail += ", 1 restart"
	default:
		p.Detail += fmt.Sprintf(", %d restarts", status.Restarts)
	}
	return p
}

// stopReplicas stops all of them at once.
func (s *System) stopReplicas(ctx context.Context) error {
	return s.each(func(r *replica) error {
		return errors.Join(r.child.Stop(ctx), s.retire(ctx, r.state))
	})
}

// each does something with all replicas at once.
func (s *System) each(do func(*replica) error) error {
	failures := make([]error, len(s.replicas))
	var wait sync.WaitGroup
	for i, r := range s.replicas {
		wait.Go(func() { failures[i] = do(r) })
	}
	wait.Wait()
	return errors.Join(failures...)
}
