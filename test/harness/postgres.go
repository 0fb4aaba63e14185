package harness

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// StartPostgres runs a PostgreSQL for tests in a new folder, with .ci/postgres,
// from Debian's package. stop ends it; whoever calls removes the folder.
func StartPostgres(dir string) (engine Engine, stop func() error, err error) {
	root, err := root()
	if err != nil {
		return Engine{}, nil, err
	}
	// Its user must come by; the data itself it keeps to itself.
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		return Engine{}, nil, err
	}
	script := filepath.Join(root, ".ci", "postgres")
	server, err := printed(script, "start", dir)
	if err != nil {
		return Engine{}, nil, err
	}
	return Postgres(server), func() error {
		_, err := printed(script, "stop", dir)
		return err
	}, nil
}

// printed runs a program and returns what it prints, which is one line.
func printed(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", cmd, err, &problems)
	}
	return strings.TrimSpace(out.String()), nil
}
