package harness

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// System is a running "fairlead up".
type System struct {
	*Process
	// Dir is its data folder.
	Dir string
	// Addresses are where it listens.
	Addresses
	// Etcd is where its registry is, and Prefix the first part of the keys in it.
	Etcd, Prefix string
	// Replicas are the extra processes of --replicas.
	Replicas []Replica
	// Ready is how long it took from the start of the process.
	Ready time.Duration

	client *http.Client
}

// Addresses is what up.json says.
type Addresses struct {
	PID          int    `json:"pid"`
	Public       string `json:"public"`
	Probe        string `json:"probe"`
	Operator     string `json:"operator"`
	OperatorLink string `json:"operatorLink"`
}

// Replica is an extra process of a part, as up.json names it. PID is 0 while there
// is none.
type Replica struct {
	Name string `json:"name"`
	PID  int    `json:"pid"`
}

// Kill ends the process of the replica alone, without a chance to clean up.
func (r Replica) Kill() error {
	if r.PID <= 0 { // 0 would be all of our own
		return fmt.Errorf("%s has no process", r.Name)
	}
	if err := syscall.Kill(r.PID, syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill %s, process %d: %w", r.Name, r.PID, err)
	}
	return nil
}

// Up starts everything in a fresh folder and returns when it is ready. It is
// stopped when the test ends, should it still run, and must then exit with 0.
func Up(t testing.TB, args ...string) *System {
	t.Helper()
	return UpIn(t, filepath.Join(t.TempDir(), "data"), args...)
}

// UpIn is Up in a given folder.
func UpIn(t testing.TB, dir string, args ...string) *System {
	t.Helper()
	s, err := Open(Build(t, "cmd/fairlead"), dir, nil, args...)
	if err != nil {
		t.Fatal(err)
	}
	s.Process.watch(t)
	t.Cleanup(func() {
		if s.Running() {
			s.Stop(t)
		}
	})
	return s
}

// UpArgs are the arguments with which everything starts in a folder, on free
// ports.
func UpArgs(dir string, more ...string) []string {
	const free = "127.0.0.1:0"
	return append([]string{"up", "--data", dir, "--listen", free, "--probe", free, "--operator", free}, more...)
}

// Open is UpIn for commands: it starts a system with those variables in its
// environment, and waits until it says that it is ready. Close or Kill it.
func Open(bin, dir string, env []string, more ...string) (*System, error) {
	started := time.Now()
	s, err := Begin(bin, dir, env, more...)
	if err != nil {
		return nil, err
	}
	ready := Poll(func() bool { return s.read() == nil || !s.Running() }) && s.Running()
	s.Ready = time.Since(started)
	if !ready {
		s.Kill()
		return nil, fmt.Errorf("fairlead up is not ready (%w):\n%s", s.read(), s.Output())
	}
	return s, nil
}

// Begin starts a system and does not wait.
func Begin(bin, dir string, env []string, more ...string) (*System, error) {
	p, err := start(bin, filepath.Dir(bin), env, UpArgs(dir, more...)...)
	if err != nil {
		return nil, err
	}
	return &System{Process: p, Dir: dir, client: newClient()}, nil
}

// UpFile is the file that says where a system listens, while it is ready.
func (s *System) UpFile() string { return filepath.Join(s.Dir, "up.json") }

// read reads up.json, and mesh.json, which tells other processes how to join. An
// up.json that a killed process has left does not count.
func (s *System) read() error {
	if err := s.ReadUp(); err != nil {
		return err
	}
	if s.Addresses.PID != s.Process.PID {
		return fmt.Errorf("%s is of process %d", s.UpFile(), s.Addresses.PID)
	}
	var mesh struct {
		Etcd   []string
		Prefix string
	}
	if err := ReadJSON(filepath.Join(s.Dir, "mesh.json"), &mesh); err != nil {
		return err
	}
	if len(mesh.Etcd) != 1 {
		return fmt.Errorf("mesh.json names the etcd servers %v", mesh.Etcd)
	}
	s.Etcd, s.Prefix = strings.TrimPrefix(mesh.Etcd[0], "https://"), mesh.Prefix
	return nil
}

// ReadUp reads up.json again, which changes when a replica is replaced.
func (s *System) ReadUp() error {
	var up struct {
		Addresses
		Replicas []Replica
	}
	if err := ReadJSON(s.UpFile(), &up); err != nil {
		return err
	}
	s.Addresses, s.Replicas = up.Addresses, up.Replicas
	return nil
}

// ReadJSON reads a file.
func ReadJSON(path string, v any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}

// Stop ends the system as an orchestrator does, and expects that it drains,
// exits with 0 and cleans up.
func (s *System) Stop(t testing.TB) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// Close is Stop for commands.
func (s *System) Close() error {
	defer s.Kill()
	s.client.CloseIdleConnections()
	s.Signal(syscall.SIGTERM)
	code, err := s.exit()
	if err != nil {
		return fmt.Errorf("%w:\n%s", err, s.Output())
	}
	if code != 0 {
		return fmt.Errorf("fairlead up has ended with %d:\n%s", code, s.Output())
	}
	if _, err := os.Stat(s.UpFile()); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("up.json is still there: %v", err)
	}
	return nil
}

// OperatorToken is the token in the operator's link.
func (s *System) OperatorToken(t testing.TB) string {
	t.Helper()
	link, err := url.Parse(s.OperatorLink)
	if err != nil || link.Query().Get("token") == "" {
		t.Fatalf("the operator's link is %q: %v", s.OperatorLink, err)
	}
	return link.Query().Get("token")
}
