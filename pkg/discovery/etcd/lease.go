package etcd

import (
	"context"
	"errors"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// lease is the one lease of a process. Not safe for use by several goroutines.
//
// It asks etcd itself whether the lease lives. The client's KeepAlive gives up
// when it has heard nothing for a TTL, although etcd may have kept the lease: an
// etcd that comes back gives every lease a full TTL.
type lease struct {
	client   *clientv3.Client
	ttl      time.Duration
	id       clientv3.LeaseID // 0 before the first one
	previous clientv3.LeaseID // of the process before this one; 0 when it is ended
}

// held is what hangs on the lease.
type held struct {
	keys  map[string]bool
	fresh bool // the lease is new, and so may be the whole etcd
}

// endPrevious ends the lease of the process that had this data folder before and
// may have been killed: its instances are gone for good.
func (l *lease) endPrevious(ctx context.Context) error {
	if l.previous == 0 {
		return nil
	}
	if err := l.revoke(ctx, l.previous); err != nil {
		return err
	}
	l.previous = 0
	return nil
}

func (l *lease) end(ctx context.Context) error {
	if l.id == 0 {
		return nil
	}
	return l.revoke(ctx, l.id)
}

func (l *lease) revoke(ctx context.Context, id clientv3.LeaseID) error {
	_, err := try(ctx, func(ctx context.Context) (*clientv3.LeaseRevokeResponse, error) { return l.client.Revoke(ctx, id) })
	if errors.Is(err, rpctypes.ErrLeaseNotFound) {
		return nil
	}
	return err
}

// errLeaseLost is that etcd has ended the lease.
var errLeaseLost = errors.New("the lease is gone")

// renew gives the lease a full TTL. When it is gone it says so once, and gets
// another the next time.
func (l *lease) renew(ctx context.Context) (held, error) {
	if l.id != 0 {
		h, err := l.beat(ctx)
		if errors.Is(err, rpctypes.ErrLeaseNotFound) {
			l.id, err = 0, errLeaseLost
		}
		return h, err
	}
	// A lease whose grant was not heard of runs out by itself.
	granted, err := try(ctx, func(ctx context.Context) (*clientv3.LeaseGrantResponse, error) {
		return l.client.Grant(ctx, int64(l.ttl.Seconds()))
	})
	if err != nil {
		return held{}, err
	}
	l.id = granted.ID
	return held{fresh: true}, nil
}

// beat looks before it renews: KeepAliveOnce tries again without a pause while
// etcd is away.
func (l *lease) beat(ctx context.Context) (held, error) {
	state, err := try(ctx, func(ctx context.Context) (*clientv3.LeaseTimeToLiveResponse, error) {
		return l.client.TimeToLive(ctx, l.id, clientv3.WithAttachedKeys())
	})
	if err != nil {
		return held{}, err
	}
	if state.TTL <= 0 {
		return held{}, rpctypes.ErrLeaseNotFound
	}
	if _, err := try(ctx, func(ctx context.Context) (*clientv3.LeaseKeepAliveResponse, error) {
		return l.client.KeepAliveOnce(ctx, l.id)
	}); err != nil {
		return held{}, err
	}
	h := held{keys: make(map[string]bool, len(state.Keys))}
	for _, key := range state.Keys {
		h.keys[string(key)] = true
	}
	return h, nil
}
