package lastgood

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
)

// maxRegistered bounds the records of this process; it has some for each service
// that it serves.
const maxRegistered = 1000

// snapshot is what the file holds.
type snapshot struct {
	Mesh       string    `json:"mesh"`
	AsOf       time.Time `json:"as_of"`
	Registered []string  `json:"registered,omitempty"` // service/id
	Lists      []saved   `json:"lists"`
}

type saved struct {
	Service   string               `json:"service"` // empty for all
	AsOf      time.Time            `json:"as_of"`
	Instances []discovery.Instance `json:"instances"`
}

// keep writes the file a little after each change, and from time to time to say
// that it still holds.
func (r *Registry) keep(ctx context.Context) {
	failed := false
	refresh := time.NewTicker(r.o.MaxAge / refreshes)
	defer refresh.Stop()
	for {
		select {
		case <-ctx.Done():
		case <-refresh.C:
		case <-r.wake:
			select {
			case <-ctx.Done():
			case <-time.After(delay):
			}
		}
		err := r.file.write(r.snapshot())
		if err != nil && !failed {
			r.log.Warn("last good list not kept on disk", "file", r.file, "error", err)
		}
		failed = err != nil
		if ctx.Err() != nil {
			return
		}
	}
}

func (r *Registry) snapshot() snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	s := snapshot{Mesh: r.o.Mesh, AsOf: now.UTC(), Registered: slices.Sorted(maps.Keys(r.registered))}
	for _, service := range slices.Sorted(maps.Keys(r.lists)) {
		l := r.lists[service]
		if l.live {
			l.asOf = now
		}
		if !r.young(l.asOf) {
			delete(r.lists, service)
			continue
		}
		s.Lists = append(s.Lists, saved{service, l.asOf.UTC(), l.instances(now)})
	}
	return s
}

// load takes in what is on disk, as far as it can be used.
func (r *Registry) load() {
	r.lists, r.registered = make(map[string]*list), make(map[string]bool)
	r.file.sweep()
	s, err := r.file.read()
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil && s.Mesh != r.o.Mesh {
		err = errForeign
	}
	if err != nil {
		r.refuse("last good list not used", "error", err)
		return
	}
	if r.young(s.AsOf) && len(s.Registered) <= maxRegistered {
		for _, record := range s.Registered {
			r.registered[record] = true
		}
	}
	for _, l := range s.Lists {
		r.take(l)
	}
}

// take takes in one list, without the records that another release has written and
// this one cannot read.
func (r *Registry) take(l saved) {
	if !r.young(l.AsOf) {
		r.refuse("last good list not used: it is too old, or of the future", "service", l.Service, "as_of", l.AsOf)
		return
	}
	good := slices.DeleteFunc(l.Instances, func(i discovery.Instance) bool { return i.Valid() != nil })
	fresh := &list{asOf: l.AsOf}
	fresh.roll.Update(good, time.Now())
	r.lists[l.Service] = fresh
}

// young says whether what held at a time may be used. A clock that was wrong by more
// than the maximal age says nothing.
func (r *Registry) young(asOf time.Time) bool {
	return time.Since(asOf).Abs() <= r.o.MaxAge
}

func (r *Registry) refuse(why string, about ...any) {
	r.o.Events.Of(discovery.SnapshotRefused)
	r.log.Warn(why, append([]any{"file", r.file}, about...)...)
}
