// Package etcd keeps the discovery registry in etcd. The keys are written down in
// layout.go and can be read with etcdctl.
//
// It does not use etcd's own naming package, whose list of endpoints stands still
// for ever after a compaction, and which drops what is known of an endpoint
// beside its address.
package etcd

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"

	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
	"github.com/fairlead-mesh/fairlead/pkg/discovery"
)

// callTimeout bounds what waits for a member of etcd, so that one which does not
// answer costs a retry and not a hang.
const callTimeout = 3 * time.Second

// defaultTTL is long enough that a leader which stalls for some seconds does not
// expire living processes, and that a thousand processes renew 270 times a second.
const defaultTTL = 15 * time.Second

// Options says where etcd is and how this process takes part in it.
type Options struct {
	// Endpoints are the URLs of the members of the cluster.
	Endpoints []string
	// TLS is needed for https URLs; see mtls.ClientConfig.
	TLS *tls.Config
	// Credentials stand in for TLS when they are set: for authorities that change
	// while the process runs.
	Credentials credentials.TransportCredentials
	// Prefix is the first part of every key, "fairlead" when empty.
	Prefix string
	// TTL is how long the instances of a process that has died stay listed, in
	// whole seconds; 15 s when 0. Much less makes etcd's leaders expire leases of
	// living processes when they are slow.
	TTL time.Duration
	// LeaseFile keeps the lease and the instance id of this process, so that a
	// process which was killed takes its old instances out when it comes back. A
	// second process with the same file gets one beside it. Empty means that
	// nothing is kept.
	LeaseFile string
	// Logger is told of what goes wrong and of what was mended; slog.Default when
	// nil.
	Logger *slog.Logger
	// Events is told of what goes wrong, for metrics; nil for nobody.
	Events discovery.Count
}

// Registry is a discovery.Registry in etcd. All that one process registers hangs
// on one lease.
type Registry struct {
	client  *clientv3.Client
	streams *streams
	layout  layout
	keeper  *keeper
	log     *slog.Logger
	count   discovery.Count

	ending sync.Once
	ended  error
}

var _ discovery.Registry = (*Registry)(nil)

// Open makes a registry. It does not wait for etcd: what needs etcd waits by
// itself. Only options that cannot work are an error.
func Open(o Options) (*Registry, error) {
	if len(o.Endpoints) == 0 {
		return nil, errors.New("etcd: no endpoints")
	}
	log := cmp.Or(o.Logger, slog.Default())
	file, err := openLeaseFile(o.LeaseFile)
	if err != nil {
		return nil, fmt.Errorf("etcd: %w", err)
	}
	client, err := newClient(o)
	if err != nil {
		return nil, fmt.Errorf("etcd: %w", errors.Join(err, file.release()))
	}
	r := &Registry{
		client:  client,
		streams: &streams{client: client},
		layout:  layout{strings.Trim(cmp.Or(o.Prefix, "fairlead"), "/")},
		keeper:  newKeeper(client, cmp.Or(o.TTL, defaultTTL), file, log, o.Events),
		log:     log,
		count:   o.Events,
	}
	r.keeper.start()
	return r, nil
}

func newClient(o Options) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints: o.Endpoints,
		TLS:       o.TLS,
		Logger:    zap.NewNop(), // whoever calls gets the errors
		// Finds a peer that is gone without a word. etcd allows no pings more often
		// than every 5 s.
		DialKeepAliveTime:    10 * time.Second,
		DialKeepAliveTimeout: callTimeout,
		DialOptions: append(o.secured(), grpc.WithConnectParams(grpc.ConnectParams{
			// grpc waits up to 2 min by itself: too long for a list that shall be right
			// 5 s after a partition has healed.
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
			MinConnectTimeout: callTimeout,
		})),
	})
}

func (o Options) secured() []grpc.DialOption {
	if o.Credentials == nil {
		return nil
	}
	return []grpc.DialOption{grpc.WithTransportCredentials(o.Credentials)}
}

// InstanceID returns the id of this process: the same after a restart when there
// is a lease file, and else a new one for each Registry.
func (r *Registry) InstanceID() string { return r.keeper.file.Instance }

// LeaseFile returns the file that this process has: Options.LeaseFile, or one
// beside it when another process has that.
func (r *Registry) LeaseFile() string { return r.keeper.file.path }

// Close ends the lease, and with it all that was registered, and the connection.
// It waits for etcd for at most as long as ctx.
func (r *Registry) Close(ctx context.Context) error {
	r.ending.Do(func() { r.ended = errors.Join(r.keeper.stop(ctx), r.client.Close(), r.keeper.file.release()) })
	return r.ended
}

// Register implements discovery.Registry.
func (r *Registry) Register(ctx context.Context, instances []discovery.Instance, api discovery.Descriptors) (discovery.Registration, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	published, err := r.descriptorEntry(api)
	if err != nil {
		return nil, err
	}
	records, err := r.layout.entries(instances)
	if err != nil {
		return nil, err
	}
	added, err := r.keeper.add(published, records)
	if err != nil {
		return nil, err
	}
	if err := r.keeper.wait(ctx, added); err != nil {
		r.keeper.set(removals(records))
		return nil, fmt.Errorf("register: %w", err)
	}
	return &registration{keeper: r.keeper, layout: r.layout, instances: slices.Clone(instances)}, nil
}

func (r *Registry) descriptorEntry(api discovery.Descriptors) (*entry, error) {
	if got := descriptor.Digest(api.Image); got != api.Digest {
		return nil, fmt.Errorf("descriptor set %s has the digest %s", api.Digest, got)
	}
	packed, err := pack(api.Image)
	if err != nil {
		return nil, fmt.Errorf("descriptor set %s: %w", api.Digest, err)
	}
	return newEntry(publish, r.layout.descriptors(api.Digest), string(packed)), nil
}

// Descriptors implements discovery.Registry.
func (r *Registry) Descriptors(ctx context.Context, digest string) ([]byte, error) {
	got, err := try(ctx, func(ctx context.Context) (*clientv3.GetResponse, error) {
		return r.client.Get(ctx, r.layout.descriptors(digest))
	})
	if err != nil {
		return nil, fmt.Errorf("descriptor set %s: %w", digest, err)
	}
	if len(got.Kvs) == 0 {
		return nil, discovery.ErrNoDescriptors
	}
	image, err := unpack(got.Kvs[0].Value)
	if err != nil {
		return nil, fmt.Errorf("descriptor set %s: %w", digest, err)
	}
	if is := descriptor.Digest(image); is != digest {
		return nil, fmt.Errorf("descriptor set %s: its bytes have the digest %s", digest, is)
	}
	return image, nil
}
