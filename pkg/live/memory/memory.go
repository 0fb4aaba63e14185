// Package memory holds live configuration inside one process, for tests and for
// programs whose parts all live in one process.
package memory

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/fairlead-mesh/fairlead/pkg/live"
)

// Store is a live.Source and a live.Store in memory.
type Store struct {
	mu        sync.Mutex
	documents map[string]live.Document
	revision  int64
	changed   chan struct{} // closed at each change
}

var (
	_ live.Source = (*Store)(nil)
	_ live.Store  = (*Store)(nil)
)

// New returns an empty store.
func New() *Store {
	return &Store{documents: make(map[string]live.Document), changed: make(chan struct{})}
}

// Watch implements live.Source.
func (s *Store) Watch(ctx context.Context, service string, update func(live.Document)) {
	told := int64(-1)
	for {
		d, changed := s.read(service)
		if d.Revision != told {
			told = d.Revision
			update(d)
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

// read returns a document, and a channel that is closed when something changes.
func (s *Store) read(service string) (live.Document, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.documents[service]
	return live.Document{Service: service, Value: bytes.Clone(d.Value), Revision: d.Revision}, s.changed
}

// Get implements live.Store.
func (s *Store) Get(ctx context.Context, service string) (live.Document, error) {
	d, _ := s.read(service)
	return d, ctx.Err()
}

// List implements live.Store.
func (s *Store) List(ctx context.Context) ([]live.Document, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []live.Document
	for _, service := range slices.Sorted(maps.Keys(s.documents)) {
		d := s.documents[service]
		d.Value = bytes.Clone(d.Value)
		all = append(all, d)
	}
	return all, ctx.Err()
}

// Put implements live.Store.
func (s *Store) Put(ctx context.Context, d live.Document) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := d.Check(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.documents[d.Service].Revision != d.Revision {
		return live.ErrChanged
	}
	s.write(d.Service, bytes.Clone(d.Value))
	return nil
}

// Force writes a document whatever it holds and whoever wrote before, as a person
// with another tool could; nil takes it away.
func (s *Store) Force(service string, value []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.write(service, bytes.Clone(value))
}

func (s *Store) write(service string, value []byte) {
	s.revision++
	s.documents[service] = live.Document{Service: service, Value: value, Revision: s.revision}
	if value == nil {
		delete(s.documents, service)
	}
	close(s.changed)
	s.changed = make(chan struct{})
}
