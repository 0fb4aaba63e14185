package live

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
)

// Event says what a reader made of a document.
type Event struct {
	Service string
	// Version is that of the document; 0 when there is none, or none that can be
	// read.
	Version int64
	// Err is why the document was refused; nil when it is in force.
	Err error
}

// Options say where a Watcher reads, and whom it tells. Source is needed.
type Options struct {
	Source Source
	// Logger is slog.Default when nil.
	Logger *slog.Logger
	// Events is told of each document, once in each process that watches it. It must
	// return fast. It may be nil.
	Events func(Event)
}

// Watcher reads live configurations for all parts of a process: one watch of the
// source for each service, however many ask. Its methods may be used by several
// goroutines at once.
type Watcher struct {
	source Source
	log    *slog.Logger
	events func(Event)

	mu    sync.Mutex
	feeds map[string]*feed // those with listeners
}

// NewWatcher makes a watcher. It reads nothing until Watch is called.
func NewWatcher(o Options) *Watcher {
	events := o.Events
	if events == nil {
		events = func(Event) {}
	}
	return &Watcher{source: o.Source, log: cmp.Or(o.Logger, slog.Default()), events: events, feeds: make(map[string]*feed)}
}

// Watch calls apply with the configuration of a service: first when the source has
// answered, until when the defaults hold, and then after each change. A document
// that is refused changes nothing: the last good one stays in force, as it does
// while the source is away. A document that is taken away means the zero Config.
// Watch returns when ctx ends. apply is called by the goroutine that called Watch;
// of changes that come while it runs, the last is told.
func (w *Watcher) Watch(ctx context.Context, service string, apply func(Config)) {
	l := make(listener, 1)
	f := w.join(service, l)
	defer w.leave(service, f, l)
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-l:
			apply(c)
		}
	}
}

// listener is one Watch. It holds the newest Config that was not taken yet.
type listener chan Config

// tell replaces what was not taken yet. The caller holds the mutex of the feed, so
// that nobody else sends.
func (l listener) tell(c Config) {
	select {
	case <-l:
	default:
	}
	l <- c
}

// feed is the watch of one service. Listeners come and go under the mutex of the
// watcher too, so that none joins a feed that is ending.
type feed struct {
	watcher *Watcher
	service string
	cancel  context.CancelFunc
	done    chan struct{}

	mu        sync.Mutex
	listeners map[listener]bool
	known     bool // there was a good Config, or none at all
	config    Config
}

// join adds a listener; the first begins the watch.
func (w *Watcher) join(service string, l listener) *feed {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.feeds[service]
	if f == nil {
		ctx, cancel := context.WithCancel(context.Background())
		f = &feed{watcher: w, service: service, cancel: cancel, done: make(chan struct{}), listeners: make(map[listener]bool)}
		w.feeds[service] = f
		go func() {
			defer close(f.done)
			w.source.Watch(ctx, service, f.update)
		}()
	}
	f.add(l)
	return f
}

// leave takes a listener out; the last ends the watch and waits for it.
func (w *Watcher) leave(service string, f *feed, l listener) {
	w.mu.Lock()
	last := f.remove(l)
	if last {
		delete(w.feeds, service)
	}
	w.mu.Unlock()
	if last {
		f.cancel()
		<-f.done
	}
}

func (f *feed) add(l listener) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.listeners[l] = true
	if f.known {
		l.tell(f.config)
	}
}

func (f *feed) remove(l listener) (last bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.listeners, l)
	return len(f.listeners) == 0
}

// update takes a document in, or refuses it with one line in the log.
func (f *feed) update(d Document) {
	var c Config
	if d.Value != nil {
		var err error
		if c, err = Parse(d.Value); err != nil {
			f.refuse(d, err)
			return
		}
	}
	f.mu.Lock()
	first := !f.known
	f.known, f.config = true, c
	for l := range f.listeners {
		l.tell(c)
	}
	f.mu.Unlock()
	if d.Value != nil || !first { // most services have none, and never had
		f.watcher.log.Info("live configuration in force", "service", f.service, "version", c.Version)
		f.watcher.events(Event{Service: f.service, Version: c.Version})
	}
}

// refuse keeps what is in force. Where nothing is yet, the defaults are.
func (f *feed) refuse(d Document, err error) {
	f.mu.Lock()
	kept := f.config.Version
	if !f.known {
		f.known = true
		for l := range f.listeners {
			l.tell(Config{})
		}
	}
	f.mu.Unlock()
	version := VersionOf(d.Value)
	f.watcher.log.Warn("live configuration refused", "service", f.service, "version", version, "in force", kept, "error", err)
	f.watcher.events(Event{Service: f.service, Version: version, Err: err})
}
