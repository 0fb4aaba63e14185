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

// Up starts everything in a fresh folder and returns when it is ready. It is
// stopped when the test ends, should it still run, and must then exit with 0.
func Up(t testing.TB, args ...string) *System {
	t.Helper()
	return UpIn(t, filepath.Join(t.TempDir(), "data"), args...)
}

// UpIn is Up in a given folder.
func UpIn(t testing.TB, dir string, args ...string) *System {
	t.Helper()
	s, err := open(Build(t, "cmd/fairlead"), dir, args...)
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

// open starts a system and waits until it says that it is ready.
func open(bin, dir string, more ...string) (*System, error) {
	p, err := start(bin, filepath.Dir(bin), nil, UpArgs(dir, more...)...)
	if err != nil {
		return nil, err
	}
	s := &System{Process: p, Dir: dir, client: newClient()}
	ready := poll(func() bool { return s.read() == nil || !p.Running() }) && p.Running()
	if !ready {
		p.Kill()
		return nil, fmt.Errorf("fairlead up is not ready (%w):\n%s", s.read(), p.Output())
	}
	return s, nil
}

// UpFile is the file that says where a system listens, while it is ready.
func (s *System) UpFile() string { return filepath.Join(s.Dir, "up.json") }

// read reads up.json, and mesh.json, which tells other processes how to join. An
// up.json that a killed process has left does not count.
func (s *System) read() error {
	if err := ReadJSON(s.UpFile(), &s.Addresses); err != nil {
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
	if err := s.stop(); err != nil {
		t.Error(err)
	}
}

func (s *System) stop() error {
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
