package livetest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/live"
)

// inForce is how soon after Put a change must have come.
const inForce = time.Second

// Seen is what a watch has told.
type Seen struct {
	mu   sync.Mutex
	last *live.Document
	news chan struct{}
}

// Follow watches a service until the test ends.
func Follow(t *testing.T, s live.Source, service string) *Seen {
	ctx, cancel := context.WithCancel(t.Context())
	seen, done := &Seen{news: make(chan struct{}, 1)}, make(chan struct{})
	go func() {
		defer close(done)
		s.Watch(ctx, service, seen.take)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return seen
}

func (s *Seen) take(d live.Document) {
	s.mu.Lock()
	s.last = &d
	s.mu.Unlock()
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// Want waits until the watch has told of that value, nil meaning that there is no
// document.
func (s *Seen) Want(t *testing.T, value []byte, within time.Duration) {
	t.Helper()
	late := time.After(within)
	for {
		s.mu.Lock()
		last := s.last
		s.mu.Unlock()
		if last != nil && string(last.Value) == string(value) && (last.Value == nil) == (value == nil) {
			return
		}
		select {
		case <-s.news:
		case <-late:
			t.Fatalf("the watch has told of %+v, want %q within %v", last, value, within)
		}
	}
}

func watchBeforePut(t *testing.T, s Store) {
	seen := Follow(t, s, service)
	seen.Want(t, nil, patience)
	put(t, s, service, Text(1, 5))
	seen.Want(t, Text(1, 5), inForce)
	put(t, s, service, Text(2, 5))
	seen.Want(t, Text(2, 5), inForce)
}

func watchAfterPut(t *testing.T, s Store) {
	put(t, s, service, Text(1, 5))
	Follow(t, s, service).Want(t, Text(1, 5), patience)
}

// watchOneService has a neighbour whose name begins with that of the service.
func watchOneService(t *testing.T, s Store) {
	put(t, s, service+"2", Text(8, 5))
	seen := Follow(t, s, service)
	seen.Want(t, nil, patience)
	put(t, s, service+"2", Text(9, 5))
	put(t, s, service, Text(1, 5))
	seen.Want(t, Text(1, 5), inForce)
}

func watchSeesTheLast(t *testing.T, s Store) {
	seen := Follow(t, s, service)
	seen.Want(t, nil, patience)
	for version := range int64(50) {
		put(t, s, service, Text(version+1, 5))
	}
	seen.Want(t, Text(50, 5), inForce)
}

// watcherApplies goes the whole way from Put to what a part is told.
func watcherApplies(t *testing.T, s Store) {
	told := make(chan live.Config, 10)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		live.NewWatcher(live.Options{Source: s}).Watch(ctx, service, func(c live.Config) { told <- c })
	}()
	defer func() {
		cancel()
		<-done
	}()
	receive(t, told, 0, patience)
	put(t, s, service, Text(1, 7))
	if c := receive(t, told, 1, inForce); c.Subset != 7 {
		t.Errorf("got %+v", c)
	}
}

func receive(t *testing.T, told <-chan live.Config, version int64, within time.Duration) live.Config {
	t.Helper()
	late := time.After(within)
	for {
		select {
		case c := <-told:
			if c.Version == version {
				return c
			}
		case <-late:
			t.Fatalf("version %d is not in force after %v", version, within)
		}
	}
}
