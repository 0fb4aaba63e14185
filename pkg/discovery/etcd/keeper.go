package etcd

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// keeper keeps the keys of this process as they shall be. Others say what shall
// be (set); one goroutine compares that with etcd and mends the difference, when
// something is new, when a key of ours was deleted, and at each third of the
// lease's life. So there is one way to register, to drain, to deregister and to
// come back after an outage.
type keeper struct {
	client *clientv3.Client
	log    *slog.Logger
	wake   chan struct{} // holds one
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	// What follows belongs to the goroutine, once it runs.
	file     *leaseFile
	lease    lease
	attended map[string]context.CancelFunc

	mu      sync.Mutex
	entries map[string]*entry
	failure error // of the last round; nil when it went well
}

func newKeeper(client *clientv3.Client, ttl time.Duration, file *leaseFile, log *slog.Logger) *keeper {
	return &keeper{
		client:   client,
		log:      log,
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
	r := retry{longest: 10 * time.Second} // spreads the writes of a whole fleet
	for ctx.Err() == nil {
		wait := k.lease.ttl / 3
		err := k.round(ctx)
		if err != nil {
			wait = r.next()
		} else {
			r.reset()
		}
		k.note(ctx, err)
		select {
		case <-ctx.Done():
		case <-k.wake:
		case <-time.After(wait):
		}
	}
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
		k.keepLease()
	}
	for _, e := range k.work(held) {
		if err := k.apply(ctx, e); err != nil {
			return err
		}
		k.done(e)
	}
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
		if e := k.entries[key]; !e.isSettled() || h.fresh || e.action == register && !h.keys[key] {
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
	called, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	switch e.action {
	case publish:
		return k.publish(called, e)
	case register:
		put, err := k.client.Put(called, e.key, e.value, clientv3.WithLease(k.lease.id))
		if err == nil {
			k.attend(ctx, e.key, put.Header.Revision+1)
		}
		return err
	default:
		k.neglect(e.key)
		ours := clientv3.Compare(clientv3.LeaseValue(e.key), "=", k.lease.id)
		_, err := k.client.Txn(called).If(ours).Then(clientv3.OpDelete(e.key)).Commit()
		return err
	}
}

// attend watches a key on the lease from a revision on, so that a round begins as
// soon as somebody deletes it, or the lease with all its keys. It is a help, not a
// need: what a watch misses, the next round sees.
func (k *keeper) attend(ctx context.Context, key string, revision int64) {
	k.neglect(key)
	ctx, k.attended[key] = context.WithCancel(ctx)
	k.tasks.Go(func() {
		for range k.client.Watch(ctx, key, clientv3.WithRev(revision), clientv3.WithFilterPut()) {
			k.poke()
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
	got, err := k.client.Get(ctx, e.key, clientv3.WithCountOnly())
	if err != nil || got.Count > 0 {
		return err
	}
	absent := clientv3.Compare(clientv3.CreateRevision(e.key), "=", 0)
	_, err = k.client.Txn(ctx).If(absent).Then(clientv3.OpPut(e.key, e.value)).Commit()
	return err
}
