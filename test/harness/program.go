package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// programs are those that this test process has built.
var programs Builder

// Builder builds programs of this repository, each once. It may be used by
// several goroutines at once.
type Builder struct {
	dir string

	mu    sync.Mutex
	built map[string]string
}

// Programs returns the Builder of this test process, for what needs several.
func Programs() *Builder { return &programs }

// NewBuilder returns a Builder that puts the programs into a folder.
func NewBuilder(dir string) *Builder { return &Builder{dir: dir} }

// Build returns the path of a program of this repository, built without cgo as
// it is shipped. folder is where its main package is: "cmd/fairlead".
func Build(t testing.TB, folder string) string {
	t.Helper()
	bin, err := programs.Build(folder)
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// Build is the Build of tests, for commands.
func (b *Builder) Build(folder string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if bin, ok := b.built[folder]; ok {
		return bin, nil
	}
	if b.dir == "" {
		return "", errors.New("harness.Main does not run the tests of this package")
	}
	root, err := root()
	if err != nil {
		return "", err
	}
	bin := filepath.Join(b.dir, filepath.Base(folder))
	cmd := exec.Command("go", "build", "-o", bin, ".")
	cmd.Dir = filepath.Join(root, folder)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", folder, err, out)
	}
	if b.built == nil {
		b.built = make(map[string]string)
	}
	b.built[folder] = bin
	return bin, nil
}

// root finds the repository: tests run in the folder of their package.
func root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("the tests do not run in a copy of the repository")
		}
		dir = parent
	}
}
