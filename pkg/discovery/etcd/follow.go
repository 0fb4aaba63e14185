package etcd

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
)

// relistAfter bounds how long a watch can be wrong without a sign of it, as when
// etcd was restored from a backup and counts revisions from further back.
const relistAfter = time.Minute

// follower tells a sink what a range of keys holds, for as long as its context
// lives: it lists, then watches, and begins again with a list whenever the watch
// breaks off or is in doubt. So it polls where it cannot watch. While etcd is away
// the sink keeps what it knows.
type follower struct {
	client  *clientv3.Client
	streams *streams
	log     *slog.Logger
	count   discovery.Count
	key     string
	span    []clientv3.OpOption // WithPrefix, or nothing for the one key
	sink    sink

	lost bool // etcd did not answer the last time
}

// sink takes in what a follower reads. It is called by one goroutine.
type sink interface {
	reset()                  // a new list begins: what it does not hold is gone
	put(kv *mvccpb.KeyValue) // the key was written
	remove(key string)       // the key was deleted
	tell()                   // what came so far belongs together: act on it
}

func (f *follower) run(ctx context.Context) {
	// Reads are cheap, and calls depend on them: a list is right again within 5 s
	// after a partition has healed.
	again := retry{longest: time.Second}
	for ctx.Err() == nil {
		revision, err := f.list(ctx)
		f.note(ctx, err)
		if err == nil {
			again.reset()
			err = f.follow(ctx, revision)
		}
		if errors.Is(err, errStale) && ctx.Err() == nil {
			f.count.Of(discovery.WatchStale)
		}
		if err != nil {
			pause(ctx, again.next())
		}
	}
}

// note logs when etcd is lost and when it is found again, not each try.
func (f *follower) note(ctx context.Context, err error) {
	if ctx.Err() != nil || f.lost == (err != nil) {
		return
	}
	if f.lost = err != nil; f.lost {
		f.log.Warn("registry not read; its last list stays", "key", f.key, "error", err)
		return
	}
	f.log.Info("registry read again", "key", f.key)
}

// list reads all, and returns the revision at which it was so. It asks for what a
// majority agrees on: a member that is cut off has no say.
func (f *follower) list(ctx context.Context) (int64, error) {
	all, err := try(ctx, func(ctx context.Context) (*clientv3.GetResponse, error) {
		return f.client.Get(ctx, f.key, f.span...)
	})
	if err != nil {
		return 0, err
	}
	f.sink.reset()
	for _, kv := range all.Kvs {
		f.sink.put(kv)
	}
	f.sink.tell()
	return all.Header.Revision, nil
}

// errUnwatched is a watch that broke off.
var errUnwatched = errors.New("the watch was closed")

// follow takes in what changes after a revision. It returns nil when it is time
// to list again, and an error when the watch broke off, for one because etcd has
// compacted away what it had to tell.
func (f *follower) follow(ctx context.Context, revision int64) error {
	w, err := f.streams.watch(ctx, f.key, append([]clientv3.OpOption{clientv3.WithRev(revision + 1)}, f.span...)...)
	if err != nil {
		return err
	}
	defer w.close()
	relist := time.After(relistAfter + rand.N(relistAfter))
	var gather gathering
	for {
		select {
		case changes, ok := <-w.events:
			if err := changes.Err(); err != nil {
				return err
			}
			if !ok {
				return errUnwatched
			}
			w.heard()
			if len(changes.Events) > 0 {
				f.apply(changes.Events)
				gather.begin()
			}
		case <-gather.done:
			gather.end()
			f.sink.tell()
		case <-w.check.C:
			if err := w.ask(); err != nil {
				return err
			}
		case <-relist:
			return nil
		}
	}
}

func (f *follower) apply(events []*clientv3.Event) {
	for _, event := range events {
		if event.Type == clientv3.EventTypeDelete {
			f.sink.remove(string(event.Kv.Key))
			continue
		}
		f.sink.put(event.Kv)
	}
}
