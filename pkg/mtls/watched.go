package mtls

import (
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"
)

// lookEvery is how often files are looked at, at most, and so how soon after a
// change new connections use it.
const lookEvery = time.Second

// watched is what was read last from files that somebody else replaces. They are
// looked at when it is asked for; no timer does that, and nothing has to be
// stopped. What cannot be read, for one because only half of it is there yet,
// changes nothing and is tried again.
type watched[T any] struct {
	paths []string
	read  func() (T, error)
	log   *slog.Logger

	mu      sync.Mutex
	value   T
	seen    []stamp
	looked  time.Time
	failure error // why the newest files were not taken
}

// stamp tells whether a file has changed without reading it.
type stamp struct {
	modified time.Time
	size     int64
}

// watch reads the files for the first time. A nil logger is told nothing.
func watch[T any](log *slog.Logger, read func() (T, error), paths ...string) (*watched[T], error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	w := &watched[T]{paths: paths, read: read, log: log, looked: time.Now()}
	w.failure = w.take()
	return w, w.failure
}

// get returns the last good value, and why there is none that is newer.
func (w *watched[T]) get() (T, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now := time.Now(); now.Sub(w.looked) >= lookEvery {
		w.looked = now
		w.tell(w.take())
	}
	return w.value, w.failure
}

// take reads the files if they have changed since they were read well. A change
// while they are read shows the next time: the stamps are older.
func (w *watched[T]) take() error {
	stamps, err := stampsOf(w.paths)
	if err != nil || slices.Equal(stamps, w.seen) {
		return err
	}
	value, err := w.read()
	if err != nil {
		return err
	}
	if w.seen != nil {
		w.log.Info("new certificate files are used from now on", "files", w.paths)
	}
	w.value, w.seen = value, stamps
	return nil
}

// tell remembers how it went, and warns once until it goes well again.
func (w *watched[T]) tell(failure error) {
	if failure != nil && w.failure == nil {
		w.log.Warn("new certificate files cannot be used; the last good ones are, until these are mended", "files", w.paths, "error", failure)
	}
	w.failure = failure
}

func stampsOf(paths []string) ([]stamp, error) {
	var all []stamp
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		all = append(all, stamp{info.ModTime(), info.Size()})
	}
	return all, nil
}
