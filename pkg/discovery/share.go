package discovery

import (
	"context"
	"slices"
	"sync"
)

// Share returns a registry whose watches all hang on one watch of everything,
// which runs until ctx ends. It is for whoever watches everything anyway, as an
// edge does: a service that it calls for the first time while the registry is
// away is known already.
func Share(ctx context.Context, r Registry) Registry {
	s := &shared{Registry: r, watchers: make(map[*watcher]bool)}
	go r.Watch(ctx, "", s.update)
	return s
}

type shared struct {
	Registry

	mu       sync.Mutex
	known    bool // there was a list
	list     []Instance
	watchers map[*watcher]bool
}

// watcher is one Watch. What it has not yet been told waits in news.
type watcher struct {
	service string
	last    []Instance
	news    chan []Instance // holds the newest list
}

func (s *shared) update(list []Instance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known, s.list = true, list
	for w := range s.watchers {
		w.tell(list)
	}
}

// tell replaces what the watcher has not taken yet. The caller holds the mutex, so
// that lists stay in order.
func (w *watcher) tell(all []Instance) {
	mine := all
	if w.service != "" {
		mine = slices.DeleteFunc(slices.Clone(all), func(i Instance) bool { return i.Service != w.service })
	}
	select {
	case <-w.news:
	default:
	}
	w.news <- mine
}

// Watch implements Registry.
func (s *shared) Watch(ctx context.Context, service string, update func([]Instance)) {
	w := &watcher{service: service, news: make(chan []Instance, 1)}
	s.mu.Lock()
	s.watchers[w] = true
	if s.known {
		w.tell(s.list)
	}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.watchers, w)
		s.mu.Unlock()
	}()
	first := true
	for {
		select {
		case <-ctx.Done():
			return
		case list := <-w.news:
			if first || !slices.Equal(list, w.last) {
				first, w.last = false, list
				update(slices.Clone(list))
			}
		}
	}
}
