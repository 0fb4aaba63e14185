package harness

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
)

// Registry is what a system has in etcd, read past the system.
type Registry struct {
	client *clientv3.Client
	prefix string
	source mtls.Source
}

// OpenRegistry connects to the etcd of a system that has its development
// authority in a folder. Close it when it is no more needed.
func OpenRegistry(authority, etcd, prefix string) (*Registry, error) {
	ca, err := mtls.OpenAuthority(authority)
	if err != nil {
		return nil, err
	}
	source := ca.Part("watcher")
	client, err := clientv3.New(clientv3.Config{
		Endpoints: []string{"https://" + etcd}, TLS: mtls.ClientConfig(source, mtls.ID("etcd")), Logger: zap.NewNop(),
	})
	return &Registry{client, prefix, source}, err
}

// Registry opens the registry of the system.
func (s *System) Registry() (*Registry, error) {
	return OpenRegistry(filepath.Join(s.Dir, "ca"), s.Etcd, s.Prefix)
}

// Close ends the connection.
func (r *Registry) Close() error { return r.client.Close() }

// Instances returns all that is registered.
func (r *Registry) Instances(ctx context.Context) ([]discovery.Instance, error) {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	got, err := r.client.Get(ctx, "/"+r.prefix+"/instances/", clientv3.WithPrefix())
	if err != nil {
		return nil, fmt.Errorf("list the instances: %w", err)
	}
	list := make([]discovery.Instance, len(got.Kvs))
	for i, kv := range got.Kvs {
		if err := json.Unmarshal(kv.Value, &list[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", kv.Key, err)
		}
	}
	return list, nil
}

// Reach connects to an instance, and returns an error when nobody answers or
// somebody else does.
func (r *Registry) Reach(ctx context.Context, i discovery.Instance) error {
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: 2 * time.Second}, Config: mtls.ClientConfig(r.source, i.Identity)}
	conn, err := d.DialContext(ctx, "tcp", i.Address)
	if err != nil {
		return fmt.Errorf("%s %s at %s: %w", i.Service, i.ID, i.Address, err)
	}
	return conn.Close()
}
