// Package livetest holds what every store of live configuration must do. The tests
// of each store run it.
package livetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/live"
)

// patience bounds every wait but that for a change: long, since the machine that
// runs the tests may be busy, and a test that passes does not use it.
const patience = 20 * time.Second

// service is whose documents the suite writes.
const service = "test.v1.Service"

// Store is what the suite is about.
type Store interface {
	live.Source
	live.Store
}

// Run runs the suite. open returns a store that holds nothing yet, and that is
// closed when the test ends.
func Run(t *testing.T, open func(t *testing.T) Store) {
	tests := map[string]func(*testing.T, Store){
		"nothing":               nothing,
		"put and get":           putAndGet,
		"put needs revision":    putNeedsRevision,
		"one of many wins":      oneOfManyWins,
		"bad document":          badDocument,
		"bad service":           badService,
		"list":                  list,
		"watch before put":      watchBeforePut,
		"watch after put":       watchAfterPut,
		"watch one service":     watchOneService,
		"watch sees the last":   watchSeesTheLast,
		"watcher applies":       watcherApplies,
		"ended context":         endedContext,
		"value belongs to call": valueBelongsToCaller,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// Text is a document of that version, with a subset by which to know it.
func Text(version int64, subset int) []byte {
	return fmt.Appendf(nil, `{"version":%d,"subset":%d}`, version, subset)
}

func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// put writes a document over the one that is there.
func put(t *testing.T, s Store, service string, value []byte) {
	t.Helper()
	d, err := s.Get(bounded(t), service)
	if err != nil {
		t.Fatal(err)
	}
	d.Value = value
	if err := s.Put(bounded(t), d); err != nil {
		t.Fatal(err)
	}
}

func nothing(t *testing.T, s Store) {
	d, err := s.Get(bounded(t), service)
	if err != nil || d.Service != service || d.Value != nil || d.Revision != 0 {
		t.Errorf("got %+v, %v", d, err)
	}
	if all, err := s.List(bounded(t)); err != nil || len(all) != 0 {
		t.Errorf("got %+v, %v", all, err)
	}
}

func putAndGet(t *testing.T, s Store) {
	for version := range int64(3) {
		put(t, s, service, Text(version+1, 5))
		d, err := s.Get(bounded(t), service)
		if err != nil || string(d.Value) != string(Text(version+1, 5)) || d.Revision == 0 {
			t.Errorf("got %+v, %v", d, err)
		}
	}
}

func putNeedsRevision(t *testing.T, s Store) {
	put(t, s, service, Text(1, 5))
	old, err := s.Get(bounded(t), service)
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, service, Text(2, 5))
	for _, revision := range []int64{0, old.Revision} {
		late := live.Document{Service: service, Value: Text(2, 9), Revision: revision}
		if err := s.Put(bounded(t), late); !errors.Is(err, live.ErrChanged) {
			t.Errorf("revision %d: %v", revision, err)
		}
	}
	if d, err := s.Get(bounded(t), service); err != nil || string(d.Value) != string(Text(2, 5)) {
		t.Errorf("got %s, %v", d.Value, err)
	}
}

func oneOfManyWins(t *testing.T, s Store) {
	const writers = 8
	outcomes := make(chan error, writers)
	for n := range writers {
		go func() { outcomes <- s.Put(bounded(t), live.Document{Service: service, Value: Text(1, 10+n)}) }()
	}
	won := 0
	for range writers {
		switch err := <-outcomes; {
		case err == nil:
			won++
		case !errors.Is(err, live.ErrChanged):
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d of %d have written version 1", won, writers)
	}
}

func badDocument(t *testing.T, s Store) {
	for _, value := range []string{"", "{", `{"version":1,"subset":0}`, `{"version":1,"exposure":"EDGE"}`} {
		if err := s.Put(bounded(t), live.Document{Service: service, Value: []byte(value)}); err == nil {
			t.Errorf("%q was written", value)
		}
	}
	nothing(t, s)
}

func badService(t *testing.T, s Store) {
	for _, name := range []string{"", "a/b", ".", "a..b", "no dash-es"} {
		if err := s.Put(bounded(t), live.Document{Service: name, Value: Text(1, 5)}); err == nil {
			t.Errorf("%q got a document", name)
		}
	}
	nothing(t, s)
}

func list(t *testing.T, s Store) {
	for _, name := range []string{"b.v1.B", "a.v1.A", "a.v1.AB"} {
		put(t, s, name, Text(1, 5))
	}
	all, err := s.List(bounded(t))
	if err != nil || len(all) != 3 || all[0].Service != "a.v1.A" || all[1].Service != "a.v1.AB" || all[2].Service != "b.v1.B" {
		t.Fatalf("got %+v, %v", all, err)
	}
	if got, err := s.Get(bounded(t), "a.v1.AB"); err != nil || got.Revision != all[1].Revision || string(got.Value) != string(all[1].Value) {
		t.Errorf("got %+v, %v, listed %+v", got, err, all[1])
	}
}

func valueBelongsToCaller(t *testing.T, s Store) {
	put(t, s, service, Text(1, 5))
	d, err := s.Get(bounded(t), service)
	if err != nil {
		t.Fatal(err)
	}
	clear(d.Value)
	if again, err := s.Get(bounded(t), service); err != nil || string(again.Value) != string(Text(1, 5)) {
		t.Errorf("got %q, %v", again.Value, err)
	}
}

func endedContext(t *testing.T, s Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Put(ctx, live.Document{Service: service, Value: Text(1, 5)}); err == nil {
		t.Error("put")
	}
	if _, err := s.Get(ctx, service); err == nil {
		t.Error("got")
	}
	if _, err := s.List(ctx); err == nil {
		t.Error("listed")
	}
	s.Watch(ctx, service, func(live.Document) {}) // returns
}
