package etcd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
)

// longestRetry spreads the writes of a whole fleet after an outage.
const longestRetry = 10 * time.Second

// keeper keeps the keys of this process as they shall be. Others say what shall
// be (set); one goroutine compares that with etcd and mends the difference, when
// something is new, when a key of ours was deleted, and at each quarter of the
// lease's life by our own clock. So there is one way to register, to drain, to deregister and to
// come back after an outage.
type keeper struct {
	client *clientv3.Client
	log    *slog.Logger
	count  discovery.Count
	wake   chan struct{} // holds one
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	// What follows belongs to the goroutine, once it runs.
	file     *leaseFile
	lease    lease
	fresh    bool // the lease is new, and not all was written since
	attended map[string]context.CancelFunc

	mu      sync.Mutex
	entries map[string]*entry
	failure error // of the last round; nil when it went well
}

func newKeeper(client *clientv3.Client, ttl time.Duration, file *leaseFile, log *slog.Logger, count discovery.Count) *keeper {
	return &keeper{
		client:   client,
		log:      log,
		count:    count,
		wake:     make(chan struct{}, 1),
		file:     file,
		lease:    lease{client: client, ttl: ttl, previous: file.Lease},
		attended: make(map[string]context.CancelFunc),
		entries:  make(map[string]*entry),
	}
}

func (k *keeper) start() {
	ctx, cancel := context.WithCancel(context.Background())
	k.cancel = cancel
	k.tasks.Go(func() { k.run(ctx) })
}

// stop ends the goroutines and the lease, also that of the process before when
// there was no time for it yet. What etcd could not be told of stays written down.
func (k *keeper) stop(ctx context.Context) error {
	k.cancel()
	k.tasks.Wait()
	for _, end := range []func(context.Context) error{k.lease.endPrevious, k.lease.end} {
		if err := end(ctx); err != nil {
			return fmt.Errorf("end the lease: %w", err)
		}
	}
	return k.file.save(0)
}

// add sets new entries and returns those to wait for. The descriptors may be
// there already, but an instance that is registered already is an error.
func (k *keeper) add(published *entry, records []*entry) ([]*entry, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, e := range records {
		if old := k.entries[e.key]; old != nil && old.action != remove {
			return nil, fmt.Errorf("%s is registered already", e.key)
		}
	}
	if old := k.entries[published.key]; old != nil {
		published = old
	}
	k.entries[published.key] = published
	for _, e := range records {
		k.replace(e)
	}
	k.poke()
	return append([]*entry{published}, records...), nil
}

// set says how keys shall be from now on.
func (k *keeper) set(entries []*entry) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, e := range entries {
		k.replace(e)
	}
	k.poke()
}

func (k *keeper) replace(e *entry) {
	if old := k.entries[e.key]; old != nil {
		old.settle()
	}
	k.entries[e.key] = e
}

func (k *keeper) poke() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// wait waits until all entries are as they shall be.
func (k *keeper) wait(ctx context.Context, entries []*entry) error {
	for _, e := range entries {
		select {
		case <-e.settled:
		case <-ctx.Done():
			return k.why(ctx)
		}
	}
	return nil
}

// why adds to the end of a wait what the keeper was struggling with.
func (k *keeper) why(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failure == nil {
		return ctx.Err()
	}
	return fmt.Errorf("%w: %w", ctx.Err(), k.failure)
}

func (k *keeper) run(ctx context.Context) {
	r := retry{longest: longestRetry}
	for ctx.Err() == nil {
		err := k.round(ctx)
		if errors.Is(err, errLeaseLost) {
			k.lost(ctx)
			continue
		}
		k.note(ctx, err)
		wait := k.lease.ttl / 4
		if err != nil {
			wait = r.next()
		} else {
			r.reset()
		}
		select {
		case <-ctx.Done():
		case <-k.wake:
		case <-time.After(wait):
		}
	}
}

// lost waits a little before all is written again, up to 2.5 s with the usual TTL:
// a leader that stalls can end the leases of everybody at once, and hundreds of
// writes a second would keep it from getting well.
func (k *keeper) lost(ctx context.Context) {
	k.count.Of(discovery.Unregistered)
	k.log.Warn("etcd has ended the lease of this process; its services are registered again")
	pause(ctx, rand.N(k.lease.ttl/6))
}

// round makes the keys what they shall be.
func (k *keeper) round(ctx context.Context) error {
	if err := k.lease.endPrevious(ctx); err != nil {
		return err
	}
	if k.idle() {
		return nil
	}
	held, err := k.lease.renew(ctx)
	if err != nil {
		return err
	}
	if held.fresh {
		k.fresh = true
		k.keepLease()
	}
	for _, e := range k.work(held) {
		if err := k.apply(ctx, e); err != nil {
			return err
		}
		k.done(e)
	}
	k.fresh = false
	return nil
}

// keepLease writes the lease down before the first key hangs on it. A process
// goes on when it cannot: then its old keys stay for the TTL after a kill.
func (k *keeper) keepLease() {
	if err := k.file.save(k.lease.id); err != nil {
		k.log.Warn("lease not kept", "error", err)
	}
}

func (k *keeper) idle() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.entries) == 0
}

// work lists what differs from etcd, descriptors first, so that nobody finds an
// instance before its API.
func (k *keeper) work(h held) []*entry {
	k.mu.Lock()
	defer k.mu.Unlock()
	var todo []*entry
	for _, key := range slices.Sorted(maps.Keys(k.entries)) {
		if e := k.entries[key]; !e.isSettled() || k.fresh || e.action == register && !h.keys[key] {
			todo = append(todo, e)
		}
	}
	slices.SortStableFunc(todo, func(a, b *entry) int { return cmp.Compare(a.action, b.action) })
	return todo
}

// done settles an entry that was written, and forgets it when it was removed.
func (k *keeper) done(e *entry) {
	k.mu.Lock()
	defer k.mu.Unlock()
	e.settle()
	if e.action == remove && k.entries[e.key] == e {
		delete(k.entries, e.key)
	}
}

// note logs when etcd is lost and when it is found again, not each try.
func (k *keeper) note(ctx context.Context, err error) {
	k.mu.Lock()
	before := k.failure
	k.failure = err
	k.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	if err != nil && before == nil {
		k.log.Warn("registry not reached", "error", err)
	}
	if err == nil && before != nil {
		k.log.Info("registry reached again")
	}
}

// apply makes one key what it shall be.
func (k *keeper) apply(ctx context.Context, e *entry) error {
	switch e.action {
	case publish:
		return k.publish(ctx, e)
	case register:
		put, err := try(ctx, func(ctx context.Context) (*clientv3.PutResponse, error) {
			return k.client.Put(ctx, e.key, e.value, clientv3.WithLease(k.lease.id))
		})
		if err == nil {
			k.attend(ctx, e.key, put.Header.Revision+1)
		}
		return err
	default:
		k.neglect(e.key)
		ours := clientv3.Compare(clientv3.LeaseValue(e.key), "=", k.lease.id)
		return k.commit(ctx, ours, clientv3.OpDelete(e.key))
	}
}

// commit does what is to be done if a condition holds.
func (k *keeper) commit(ctx context.Context, condition clientv3.Cmp, then clientv3.Op) error {
	_, err := try(ctx, func(ctx context.Context) (*clientv3.TxnResponse, error) {
		return k.client.Txn(ctx).If(condition).Then(then).Commit()
	})
	return err
}

// attend watches a key on the lease from a revision on, so that a round begins as
// soon as somebody deletes it, or the lease with all its keys. It is a help, not a
// need: what a watch misses, the next round sees.
func (k *keeper) attend(ctx context.Context, key string, revision int64) {
	k.neglect(key)
	ctx, k.attended[key] = context.WithCancel(clientv3.WithRequireLeader(ctx))
	k.tasks.Go(func() {
		for ctx.Err() == nil {
			for changes := range k.client.Watch(ctx, key, clientv3.WithRev(revision), clientv3.WithFilterPut()) {
				if len(changes.Events) > 0 {
					k.poke()
				}
			}
			// It broke off. The rounds see what happened meanwhile, so it begins
			// again with what comes next.
			revision = 0
			pause(ctx, rand.N(longestRetry))
		}
	})
}

func (k *keeper) neglect(key string) {
	if end, ok := k.attended[key]; ok {
		end()
		delete(k.attended, key)
	}
}

// publish writes an entry that is not there. It looks first: etcd logs the whole
// of a transaction, also one that changes nothing, and an image at each start of
// each replica made the log of a small etcd grow by megabytes.
func (k *keeper) publish(ctx context.Context, e *entry) error {
	got, err := try(ctx, func(ctx context.Context) (*clientv3.GetResponse, error) {
		return k.client.Get(ctx, e.key, clientv3.WithCountOnly())
	})
	if err != nil || got.Count > 0 {
		return err
	}
	absent := clientv3.Compare(clientv3.CreateRevision(e.key), "=", 0)
	return k.commit(ctx, absent, clientv3.OpPut(e.key, e.value))
}
