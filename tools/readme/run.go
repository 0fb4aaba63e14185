package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// runAll runs the blocks in one shell, in order, and stops at the first that
// fails or does not print what it should.
func runAll(ctx context.Context, blocks []block) error {
	dir, err := os.MkdirTemp("", "readme")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script(dir, blocks))
	failed := cmd.Run()
	for i, b := range blocks {
		out, err := os.ReadFile(output(dir, i))
		if err != nil {
			break // the shell ended before this block
		}
		fmt.Printf("%s\n%s", b.text, out)
		last := !exists(output(dir, i+1))
		if failed != nil && last {
			return fmt.Errorf("%d: %w", b.line, failed)
		}
		if !strings.Contains(string(out), b.want) {
			return fmt.Errorf("%d: the block did not print %q", b.line, b.want)
		}
	}
	return failed
}

// script puts the blocks behind one another, each with an output of its own.
func script(dir string, blocks []block) string {
	var s strings.Builder
	for i, b := range blocks {
		fmt.Fprintf(&s, "exec >'%s' 2>&1 </dev/null\n%s\n", output(dir, i), b.text)
	}
	return s.String()
}

func output(dir string, i int) string {
	return filepath.Join(dir, fmt.Sprint(i))
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
