// Package harness runs Fairlead as its users do, for tests that go through the
// whole system: it builds the programs, starts them on free ports and fresh
// folders, talks to them in REST and in gRPC, and leaves no process behind.
package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
	return code, stopShared()
}

// sharing is a system that tests have in common.
type sharing struct {
	once     sync.Once
	system   *System
	database *Database
	err      error
}

// shared are the systems, one for each engine that is used.
var shared struct {
	sync.Mutex
	on map[Engine]*sharing
}

// Shared returns a running system that all tests of the process use, so that
// not each of them waits for one. They sign in as people of their own, and leave
// the process and its services alone.
func Shared(t testing.TB) *System {
	t.Helper()
	return SharedOn(t, SQLite)
}

// SharedOn is Shared on another engine.
func SharedOn(t testing.TB, e Engine) *System {
	t.Helper()
	s := sharedOn(e)
	s.once.Do(func() { s.err = s.start(e) })
	if s.err != nil {
		t.Fatal(s.err)
	}
	s.system.watch(t)
	return s.system
}

// Each runs a test on the shared system of each engine, as a subtest.
func Each(t *testing.T, test func(*testing.T, *System)) {
	t.Helper()
	for _, e := range Engines(t) {
		t.Run(e.Name, func(t *testing.T) { test(t, SharedOn(t, e)) })
	}
}

func sharedOn(e Engine) *sharing {
	shared.Lock()
	defer shared.Unlock()
	if shared.on == nil {
		shared.on = make(map[Engine]*sharing)
	}
	if shared.on[e] == nil {
		shared.on[e] = new(sharing)
	}
	return shared.on[e]
}

func (s *sharing) start(e Engine) error {
	bin, err := programs.Build("cmd/fairlead")
	if err != nil {
		return err
	}
	if s.database, err = e.New(context.Background()); err != nil {
		return err
	}
	s.system, err = Open(bin, filepath.Join(programs.dir, "shared", e.Name), s.database.Env())
	return err
}

func stopShared() error {
	var errs []error
	for _, s := range shared.on {
		if s.system != nil {
			errs = append(errs, s.system.Close())
		}
		if s.database != nil {
			errs = append(errs, s.database.Drop())
		}
	}
	return errors.Join(errs...)
}

// Eventually waits until check is true, and fails the test when that takes
// longer than Patience.
func Eventually(t testing.TB, what string, check func() bool) {
	t.Helper()
	if !Poll(check) {
		t.Fatalf("not within %v: %s", Patience, what)
	}
}

// Poll is Eventually for commands: it asks again and again until check is true, or
// it is too late.
func Poll(check func() bool) bool {
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
