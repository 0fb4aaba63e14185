// Package harness runs Fairlead as its users do, for tests that go through the
// whole system: it builds the programs, starts them on free ports and fresh
// folders, talks to them in REST and in gRPC, and leaves no process behind.
package harness

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"time"
)

// Patience bounds what should happen at once, on a slow machine too.
const Patience = 20 * time.Second

// Main runs the tests of a package. It is called by TestMain, and owns what
// those tests share: the programs that were built and the system of Shared.
func Main(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "fairlead-e2e-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	programs.dir = dir
	code = m.Run()
	return code, shared.stop()
}

// sharing is the system that read-only tests have in common.
type sharing struct {
	once   sync.Once
	system *System
	err    error
}

var shared sharing

// Shared returns a running system that all tests of the process use, so that
// not each of them waits for one. They sign in as people of their own, and leave
// the process and its services alone.
func Shared(t testing.TB) *System {
	t.Helper()
	shared.once.Do(func() {
		bin, err := programs.build("cmd/fairlead")
		if err == nil {
			shared.system, err = open(bin, programs.dir+"/shared")
		}
		shared.err = err
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	shared.system.watch(t)
	return shared.system
}

func (s *sharing) stop() error {
	if s.system == nil {
		return nil
	}
	return s.system.stop()
}

// Eventually waits until check is true, and fails the test when that takes
// longer than Patience.
func Eventually(t testing.TB, what string, check func() bool) {
	t.Helper()
	if !poll(check) {
		t.Fatalf("not within %v: %s", Patience, what)
	}
}

// poll asks again and again until check is true or it is too late.
func poll(check func() bool) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(Patience)
	for !check() {
		select {
		case <-tick.C:
		case <-late:
			return false
		}
	}
	return true
}
