package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/host"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/test/harness"
	"github.com/fairlead-mesh/fairlead/test/mesh/control"
)

// member is a process that is part of the mesh.
type member struct {
	process
	// Control is the socket on which it is told what to do.
	Control *control.Client
	// Probe is the address of its metrics.
	Probe string

	leaf *mtls.Leaf
}

// join prepares a process that joins as a part.
func (l *Lab) join(name, bin, part string, etcd []string, more ...string) (member, error) {
	m := member{process: process{Name: name, Dir: filepath.Join(l.Dir, name), bin: bin}}
	if err := m.open(); err != nil {
		return m, err
	}
	certs := filepath.Join(m.Dir, "certs")
	m.leaf = l.authority.Part(part)
	if err := m.leaf.WriteFiles(certs); err != nil {
		return m, err
	}
	probe, err := harness.FreeAddress()
	if err != nil {
		return m, err
	}
	m.Probe = probe
	m.Control = control.NewClient(m.socket())
	m.env = append([]string{
		"FAIRLEAD_MESH_STATE=" + m.Dir, "FAIRLEAD_MESH_DATA=" + m.Dir,
		"FAIRLEAD_MESH_ETCD=" + strings.Join(etcd, ","), "FAIRLEAD_MESH_ETCD_CA=" + l.Etcd.authorityFile(),
		"FAIRLEAD_MESH_CERT=" + filepath.Join(certs, "cert.pem"), "FAIRLEAD_MESH_KEY=" + filepath.Join(certs, "key.pem"),
		"FAIRLEAD_MESH_CA=" + filepath.Join(certs, "ca.pem"),
		"FAIRLEAD_PROBE=" + probe, "FAIRLEAD_LOG_LEVEL=warn", "FAIRLEAD_STRICT=true",
	}, more...)
	return m, nil
}

func (m *member) socket() string { return filepath.Join(m.Dir, "socket") }

// set changes a variable of its environment for the next start.
func (m *member) set(name, value string) {
	m.env = slices.DeleteFunc(m.env, func(v string) bool { return strings.HasPrefix(v, name+"=") })
	m.env = append(m.env, name+"="+value)
}

// Ready says whether the process has said so.
func (m *member) Ready() bool {
	r, err := host.ReadReadiness(m.Dir)
	return err == nil && m.Running() && r.PID == m.PID()
}

// awaitReady waits until it is ready, and says how long that took from a time on.
func (m *member) awaitReady(ctx context.Context, from time.Time) (time.Duration, error) {
	err := Await(ctx, m.Name+" is ready", func() bool { return m.Ready() || !m.Running() })
	if err == nil && !m.Running() {
		err = fmt.Errorf("%s has ended", m.Name)
	}
	if err != nil {
		return 0, fmt.Errorf("%w\n%s", err, m.tail())
	}
	return time.Since(from), nil
}

// Kill is kill -9.
func (m *member) Kill() { m.running.Kill() }

// Freeze stops the process as a machine stops that is overcommitted: its connections
// stay open and nobody answers. Thaw lets it go on.
func (m *member) Freeze() { m.running.Signal(syscall.SIGSTOP) }

// Thaw lets a frozen process go on.
func (m *member) Thaw() { m.running.Signal(syscall.SIGCONT) }

// stopTime is how long a process may take to drain: Kubernetes gives it 30 s.
const stopTime = 30 * time.Second

// Stop ends the process as an orchestrator does, and expects that it exits with 0.
func (m *member) Stop() error {
	m.running.Signal(syscall.SIGTERM)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(stopTime); m.Running() && time.Now().Before(end); {
		<-tick.C
	}
	code, err := m.running.Wait()
	if err == nil && code != 0 {
		err = fmt.Errorf("%s has ended with %d", m.Name, code)
	}
	if err != nil {
		return fmt.Errorf("%w\n%s", err, m.tail())
	}
	return nil
}

// replace writes a file anew, so that it is never half written.
func replace(path string, text []byte) error {
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
