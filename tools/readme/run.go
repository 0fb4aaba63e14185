package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A shell runs blocks, one when it is told to, and keeps what they set.
type shell struct {
	dir     string   // of the outputs
	blocks  []block  // those that run in it
	next    int      // of the blocks
	orders  *os.File // a line begins the next block
	reports chan struct{}
	ended   chan struct{} // closed when the shell has, with err
	err     error
}

// newShell starts a shell for the run blocks among all.
func newShell(ctx context.Context, all []block) (*shell, error) {
	dir, err := os.MkdirTemp("", "readme")
	if err != nil {
		return nil, err
	}
	s := &shell{dir: dir, reports: make(chan struct{}, len(all)), ended: make(chan struct{})}
	for _, b := range all {
		if b.verb == "run" {
			s.blocks = append(s.blocks, b)
		}
	}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

func (s *shell) start(ctx context.Context) error {
	orders, tell, err := os.Pipe()
	if err != nil {
		return err
	}
	defer orders.Close()
	hear, reports, err := os.Pipe()
	if err != nil {
		return errors.Join(err, tell.Close())
	}
	defer reports.Close()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", s.script())
	cmd.ExtraFiles = []*os.File{orders, reports} // 3 and 4
	s.orders = tell
	go s.hear(hear)
	if err := cmd.Start(); err != nil {
		return errors.Join(err, tell.Close())
	}
	go func() {
		defer close(s.ended)
		s.err = cmd.Wait()
	}()
	return nil
}

// script puts the blocks behind one another, each with an output of its own.
func (s *shell) script() string {
	var text strings.Builder
	for i, b := range s.blocks {
		fmt.Fprintf(&text, "read -r <&3; exec >'%s' 2>&1 </dev/null\n%s\necho >&4\n", s.output(i), b.script(s.output(i)))
	}
	return text.String()
}

// patience is how long a block is run until it prints what it should, in seconds.
const patience = 20

// script returns what the shell runs for a block with that output.
func (b block) script(output string) string {
	if !b.wait {
		return b.text
	}
	want := "'" + strings.ReplaceAll(b.want, "'", `'\''`) + "'"
	return fmt.Sprintf("SECONDS=0\nwhile\n%s\n! grep -qF -- %s '%s' && ((SECONDS < %d))\ndo sleep 0.05; done",
		b.text, want, output, patience)
}

func (s *shell) output(i int) string { return filepath.Join(s.dir, fmt.Sprint(i)) }

func (s *shell) hear(from *os.File) {
	defer from.Close()
	for lines := bufio.NewScanner(from); lines.Scan(); {
		s.reports <- struct{}{}
	}
}

// run runs the next block, which must succeed and print what it should.
func (s *shell) run() error {
	b, output := s.blocks[s.next], s.output(s.next)
	s.next++
	var failed error
	if _, err := fmt.Fprintln(s.orders); err != nil {
		failed = errors.New("a block before it has ended the shell")
	} else {
		failed = s.wait()
	}
	out, err := os.ReadFile(output)
	fmt.Printf("%s\n%s", b.text, out)
	if failed = errors.Join(failed, err); failed != nil {
		return fmt.Errorf("%d: %w", b.line, failed)
	}
	if !strings.Contains(string(out), b.want) {
		return fmt.Errorf("%d: the block did not print %q", b.line, b.want)
	}
	return nil
}

// wait waits for the end of a block.
func (s *shell) wait() error {
	select {
	case <-s.reports:
		return nil
	case <-s.ended:
	}
	if s.err == nil && s.next < len(s.blocks) {
		return errors.New("the block has ended the shell")
	}
	return s.err
}

// close ends the shell.
func (s *shell) close() error {
	err := s.orders.Close()
	<-s.ended
	return errors.Join(err, os.RemoveAll(s.dir))
}
