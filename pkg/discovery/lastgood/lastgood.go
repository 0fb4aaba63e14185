// Package lastgood keeps on disk what a registry has said last, so that a process
// can start while the registry is away. It wraps a discovery.Registry: lists of
// instances, descriptor sets, and whether this process was registered, are kept
// beside what the process does; when the registry does not answer soon, they are
// used until it does. What was kept is a hint as any list is: who is called must
// still answer and show the identity that was expected.
package lastgood

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
)

const (
	// defaultPatience is a hundred times what etcd takes to answer, and leaves most
	// of the second in which a process shall be ready.
	defaultPatience = 250 * time.Millisecond
	// defaultMaxAge covers a night without anybody to mend etcd. Addresses that are
	// older than a day belong to others as likely as not.
	defaultMaxAge = 24 * time.Hour
	// delay gathers what changes together: at most two writes in a second.
	delay = 500 * time.Millisecond
	// refreshes is how often in the maximal age the file is written although nothing
	// has changed, to say that it still holds.
	refreshes = 24
)

// Options says where things are kept. File and Descriptors are needed.
type Options struct {
	// File is where lists are kept. It belongs to this process alone.
	File string
	// Descriptors is the folder of the descriptor sets. Processes may share it.
	Descriptors string
	// Mesh names the mesh, so that the file of another is not used: the endpoints of
	// etcd and the prefix there, as a rule.
	Mesh string
	// Patience is how long the registry has to answer before what is on disk is
	// used; 250 ms when 0.
	Patience time.Duration
	// MaxAge is how old a list may be that is used; 24 h when 0. It grows old from
	// when a process that had it from the registry itself has ended.
	MaxAge time.Duration
	// Logger is slog.Default when nil.
	Logger *slog.Logger
	// Events is told when what is on disk is used or refused; nil for nobody.
	Events discovery.Count
}

// Registry is a discovery.Registry that remembers what another has said.
type Registry struct {
	inner  discovery.Registry
	o      Options
	log    *slog.Logger
	file   file
	images *images
	away   atomic.Bool // the registry has not answered in time, and not since
	early  atomic.Bool // it was logged that the process goes on without it
	cancel context.CancelFunc
	saver  sync.WaitGroup
	wake   chan struct{} // holds one

	mu         sync.Mutex
	lists      map[string]*list // by the service that was watched
	registered map[string]bool  // records of this process, as service/id
}

var _ discovery.Registry = (*Registry)(nil)

// Open reads what is on disk and wraps inner. A file that is damaged, of another
// mesh or too large is left alone with a warning, and replaced when the registry
// has answered. The error is that of a folder that cannot be made.
func Open(inner discovery.Registry, o Options) (*Registry, error) {
	o.Patience = cmp.Or(o.Patience, defaultPatience)
	o.MaxAge = cmp.Or(o.MaxAge, defaultMaxAge)
	for _, folder := range []string{filepath.Dir(o.File), o.Descriptors} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, fmt.Errorf("last good list: %w", err)
		}
	}
	r := &Registry{
		inner:  inner,
		o:      o,
		log:    cmp.Or(o.Logger, slog.Default()),
		file:   file(o.File),
		images: &images{folder: o.Descriptors},
		wake:   make(chan struct{}, 1),
	}
	r.load()
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	r.saver.Go(func() { r.keep(ctx) })
	return r, nil
}

// Close writes what is not written yet. It does not close the registry inside.
func (r *Registry) Close(context.Context) error {
	r.cancel()
	r.saver.Wait()
	return nil
}

// Descriptors implements discovery.Registry. A set that is on disk is not asked
// for again: its digest says that it is the right one.
func (r *Registry) Descriptors(ctx context.Context, digest string) ([]byte, error) {
	if image := r.images.read(digest); image != nil {
		return image, nil
	}
	image, err := r.inner.Descriptors(ctx, digest)
	if err != nil {
		return nil, err
	}
	if err := r.images.write(digest, image); err != nil {
		r.log.Warn("descriptor set not kept on disk", "digest", digest, "error", err)
	}
	return image, nil
}

// patience is how long to wait for the registry. When it was found to be away, the
// next one does not wait again.
func (r *Registry) patience() time.Duration {
	if r.away.Load() {
		return 0
	}
	return r.o.Patience
}
