package up

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
)

// state is what up.json holds while the system runs: for scripts and tests, which
// let the kernel choose the ports.
type state struct {
	PID          int            `json:"pid"`
	Public       string         `json:"public"`
	Probe        string         `json:"probe"`
	Operator     string         `json:"operator"`
	OperatorLink string         `json:"operatorLink"`
	Replicas     []replicaState `json:"replicas,omitempty"`
}

// replicaState is a replica that is a process of its own. PID is 0 while there is
// none, Probe empty while it is not ready.
type replicaState struct {
	Name  string `json:"name"`
	PID   int    `json:"pid"`
	Probe string `json:"probe"`
}

// stateFile is up.json. It is there from the moment when everything is ready until
// the stop, and written again when a replica changes.
type stateFile struct {
	mu    sync.Mutex
	ready bool
}

// writeState writes up.json, and takes it away at the stop.
func (s *System) writeState(context.Context) error {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	if err := s.write(); err != nil {
		return err
	}
	s.state.ready = true
	s.closers = append(s.closers, func(context.Context) error {
		s.ports.probe.Drain()
		return s.removeState()
	})
	s.ports.probe.Started()
	return nil
}

// saveState writes up.json again, if it is there.
func (s *System) saveState() {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	if !s.state.ready {
		return
	}
	if err := s.write(); err != nil {
		s.options.Logger.Warn("up.json is not of now", "error", err)
	}
}

func (s *System) removeState() error {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	s.state.ready = false
	return os.Remove(s.stateFile())
}

func (s *System) stateFile() string { return filepath.Join(s.options.Data, "up.json") }

// write renames the new file to its place, so that nobody reads half of it.
func (s *System) write() error {
	now := state{
		PID: os.Getpid(), Public: s.edge.Address, Probe: s.ports.probeAt,
		Operator: s.ports.opAt.String(), OperatorLink: s.ports.operator.Link(s.ports.opAt),
	}
	for _, r := range s.replicas {
		now.Replicas = append(now.Replicas, replicaState{r.name, r.child.Status().PID, r.probe()})
	}
	b, err := json.MarshalIndent(now, "", "  ")
	if err != nil {
		return err
	}
	fresh := s.stateFile() + ".new"
	if err := os.WriteFile(fresh, append(b, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, s.stateFile())
}
