package etcd

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
)

const (
	// maxRecord is the longest value that is read; a record has about 400 bytes.
	maxRecord = 16 << 10
	// maxInstances bounds what one watch holds: twenty times the largest mesh that
	// is tested.
	maxInstances = 20_000
)

// watcher is a sink for the instances under one prefix.
type watcher struct {
	layout layout
	log    *slog.Logger
	count  discovery.Count
	update func([]discovery.Instance)

	instances map[string]discovery.Instance // by key
	bad       map[string]bool               // keys that were warned about since the last list,
	badBefore map[string]bool               // and before it
	full      bool                          // it was warned that there are too many
	told      []discovery.Instance          // what update was called with
	began     bool                          // update was called
}

// Watch implements discovery.Registry.
func (r *Registry) Watch(ctx context.Context, service string, update func([]discovery.Instance)) {
	w := &watcher{
		layout: r.layout,
		log:    r.log,
		count:  r.count,
		update: update,
	}
	r.follower(r.layout.instances(service), w, clientv3.WithPrefix()).run(ctx)
}

// follower makes a follower of a key, or of a range of keys.
func (r *Registry) follower(key string, s sink, span ...clientv3.OpOption) *follower {
	return &follower{client: r.client, streams: r.streams, log: r.log, count: r.count, key: key, span: span, sink: s}
}

func (w *watcher) reset() {
	w.instances = make(map[string]discovery.Instance)
	w.bad, w.badBefore = make(map[string]bool), w.bad
}

// put takes in one record, or leaves it out when it cannot be used.
func (w *watcher) put(kv *mvccpb.KeyValue) {
	key := string(kv.Key)
	instance, err := w.read(key, kv.Value)
	if err != nil {
		delete(w.instances, key)
		w.refuse(key, err)
		return
	}
	w.forgive(key)
	if _, known := w.instances[key]; !known && len(w.instances) == maxInstances {
		w.overflow(key)
		return
	}
	w.instances[key] = instance
}

func (w *watcher) read(key string, value []byte) (discovery.Instance, error) {
	if len(value) > maxRecord {
		return discovery.Instance{}, fmt.Errorf("it has %d bytes, at most %d are read", len(value), maxRecord)
	}
	return w.layout.read(key, value)
}

// refuse warns once of a record, however often it is written, until it is good or
// gone.
func (w *watcher) refuse(key string, err error) {
	warned := w.bad[key] || w.badBefore[key] || len(w.bad) >= maxInstances
	if len(w.bad) < maxInstances {
		w.bad[key] = true
	}
	if warned {
		return
	}
	w.count.Of(discovery.RecordRefused)
	w.log.Warn("instance record left out", "key", key, "error", err)
}

func (w *watcher) forgive(key string) {
	delete(w.bad, key)
	delete(w.badBefore, key)
}

func (w *watcher) overflow(key string) {
	if !w.full {
		w.full = true
		w.count.Of(discovery.RecordRefused)
		w.log.Warn("instances left out: there are too many", "limit", maxInstances, "key", key)
	}
}

func (w *watcher) remove(key string) {
	delete(w.instances, key)
	w.forgive(key)
}

// tell calls update when it has something new to say.
func (w *watcher) tell() {
	list := slices.Collect(maps.Values(w.instances))
	discovery.Sort(list)
	if w.began && slices.Equal(list, w.told) {
		return
	}
	w.began, w.told = true, list
	w.update(slices.Clone(list))
}
