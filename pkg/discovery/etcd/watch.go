package etcd

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
)

const (
	// debounce gathers the changes that come together, as when a process
	// registers all of its services.
	debounce = 20 * time.Millisecond
	// relistAfter bounds how long a watch can be wrong without a sign of it, as
	// when etcd was restored from a backup and counts revisions from further back.
	relistAfter = time.Minute
)

// watcher follows the instances under one prefix.
type watcher struct {
	client *clientv3.Client
	layout layout
	log    *slog.Logger
	prefix string
	update func([]discovery.Instance)

	instances map[string]discovery.Instance // by key
	bad       map[string]int64              // the revision of a record that was warned about
	told      []discovery.Instance          // what update was called with
	began     bool                          // update was called
}

// Watch implements discovery.Registry.
func (r *Registry) Watch(ctx context.Context, service string, update func([]discovery.Instance)) {
	w := &watcher{
		client: r.client,
		layout: r.layout,
		log:    r.log,
		prefix: r.layout.instances(service),
		update: update,
		bad:    make(map[string]int64),
	}
	again := retry{longest: 2 * time.Second} // reads are cheap, and calls depend on them
	for ctx.Err() == nil {
		revision, err := w.list(ctx)
		if err == nil {
			again.reset()
			err = w.follow(ctx, revision)
		}
		if err != nil && ctx.Err() == nil {
			w.log.Warn("watch begins again", "prefix", w.prefix, "error", err)
			pause(ctx, again.next())
		}
	}
}

// list reads all records, and returns the revision at which they were so.
func (w *watcher) list(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	all, err := w.client.Get(ctx, w.prefix, clientv3.WithPrefix())
	if err != nil {
		return 0, err
	}
	w.instances = make(map[string]discovery.Instance, len(all.Kvs))
	for _, kv := range all.Kvs {
		w.put(kv)
	}
	w.tell()
	return all.Header.Revision, nil
}

// follow takes in what changes after a revision. It returns nil when it is time
// to list again, and an error when the watch broke off, for one because etcd has
// compacted away what it had to tell.
func (w *watcher) follow(ctx context.Context, revision int64) error {
	// A member that has lost its leader would be silent for ever.
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	events := w.client.Watch(ctx, w.prefix, clientv3.WithPrefix(), clientv3.WithRev(revision+1))
	relist := time.After(relistAfter + rand.N(relistAfter))
	var quiet <-chan time.Time
	for {
		select {
		case changes, ok := <-events:
			if err := changes.Err(); err != nil {
				return err
			}
			if !ok {
				return errors.New("the watch was closed")
			}
			w.apply(changes.Events)
			if quiet == nil {
				quiet = time.After(debounce)
			}
		case <-quiet:
			quiet = nil
			w.tell()
		case <-relist:
			return nil
		}
	}
}

func (w *watcher) apply(events []*clientv3.Event) {
	for _, event := range events {
		if event.Type == clientv3.EventTypeDelete {
			delete(w.instances, string(event.Kv.Key))
			delete(w.bad, string(event.Kv.Key))
			continue
		}
		w.put(event.Kv)
	}
}

// put takes in one record, or leaves it out with one warning when it cannot be
// used.
func (w *watcher) put(kv *mvccpb.KeyValue) {
	key := string(kv.Key)
	instance, err := w.layout.read(key, kv.Value)
	if err == nil {
		w.instances[key] = instance
		delete(w.bad, key)
		return
	}
	delete(w.instances, key)
	if w.bad[key] != kv.ModRevision {
		w.bad[key] = kv.ModRevision
		w.log.Warn("instance record left out", "key", key, "error", err)
	}
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
