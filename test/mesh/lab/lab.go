// Package lab sets up a mesh of real processes on one machine: an etcd of three
// members, replicas of the echo service, and a load generator, each with certificates
// of its own. It does to them what happens in the field: kills, stalls, partitions.
package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/test/harness"
)

// Patience bounds what should happen at once, on a slow machine too.
const Patience = 20 * time.Second

// Programs are the paths of what a lab runs.
type Programs struct{ Node, Load, Etcd string }

// Build builds them.
func (p *Programs) Build(b *harness.Builder) (err error) {
	for _, program := range []struct {
		folder string
		bin    *string
	}{{"test/cmd/meshnode", &p.Node}, {"test/cmd/meshload", &p.Load}, {"test/cmd/etcdserver", &p.Etcd}} {
		if *program.bin, err = b.Build(program.folder); err != nil {
			return err
		}
	}
	return nil
}

// Lab is a mesh that runs. Its methods are for one goroutine.
type Lab struct {
	// Dir holds everything.
	Dir string
	// Etcd is the registry's engine.
	Etcd *Etcd
	// Nodes are the replicas and Loads the generators, in the order in which they were
	// started, also those that have ended.
	Nodes []*Node
	Loads []*Load

	programs Programs
	// authority signs the parts, and next will when it is rotated.
	authority, next *mtls.Authority
	proxies         []*Proxy
}

// New starts an etcd in an empty folder, and nothing else. Close the lab.
func New(ctx context.Context, dir string, programs Programs) (*Lab, error) {
	l := &Lab{Dir: dir, programs: programs}
	var err error
	if l.authority, err = mtls.OpenAuthority(filepath.Join(dir, "ca")); err != nil {
		return nil, err
	}
	if l.next, err = mtls.OpenAuthority(filepath.Join(dir, "ca-next")); err != nil {
		return nil, err
	}
	if l.Etcd, err = newEtcd(dir, programs.Etcd); err != nil {
		return nil, err
	}
	if err := l.Etcd.StartAll(ctx); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Close ends everything, without a chance to say goodbye.
func (l *Lab) Close() error {
	for _, n := range l.Nodes {
		n.kill()
	}
	for _, g := range l.Loads {
		g.kill()
	}
	var errs []error
	for _, p := range l.proxies {
		errs = append(errs, p.Close())
	}
	return errors.Join(append(errs, l.Etcd.close())...)
}

// process is one that the lab runs, again and again.
type process struct {
	// Name is what it is called, and Dir its folder.
	Name, Dir string

	bin     string
	env     []string
	log     *os.File
	running *harness.Process // nil when it was never started
}

// Log is the file to which it logs.
func (p *process) Log() string { return filepath.Join(p.Dir, "log") }

// Running says whether it has not ended.
func (p *process) Running() bool { return p.running != nil && p.running.Running() }

// PID is its process id.
func (p *process) PID() int { return p.running.PID }

func (p *process) kill() {
	if p.Running() {
		p.running.Kill()
	}
	if p.log != nil {
		p.log.Close()
	}
}

// tail returns the end of the log, for an error.
func (p *process) tail() string {
	b, err := os.ReadFile(p.Log())
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-1<<10):])
}

// open opens the log for another run.
func (p *process) open() (err error) {
	if err := os.MkdirAll(p.Dir, 0o700); err != nil {
		return err
	}
	p.log, err = os.OpenFile(p.Log(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	return err
}

// Await polls until check is true, ctx ends, or it is too late.
func Await(ctx context.Context, what string, check func() bool) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(Patience)
	for !check() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-late:
			return fmt.Errorf("not within %v: %s", Patience, what)
		}
	}
	return nil
}

// Pause waits, or returns an error when ctx ends before.
func Pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Node returns the node of that name, nil for none.
func (l *Lab) Node(name string) *Node {
	i := slices.IndexFunc(l.Nodes, func(n *Node) bool { return n.Name == name })
	if i < 0 {
		return nil
	}
	return l.Nodes[i]
}
