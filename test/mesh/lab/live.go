package lab

import (
	"context"
	"fmt"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/discovery/etcd"
	"github.com/fairlead-mesh/fairlead/pkg/live"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
)

// liveKey is what the keys of live configuration begin with; see docs/discovery.md.
const liveKey = "/fairlead/live/"

// SetLive changes the live configuration of a service, as "fairlead live set" does.
// The changes are those of live.Edit: "split.v2=5".
func (e *Etcd) SetLive(ctx context.Context, service string, changes ...string) error {
	r, err := etcd.Open(etcd.Options{
		Endpoints: e.URLs(), TLS: mtls.ClientConfig(e.authority.Part("watcher"), mtls.ID("etcd")),
	})
	if err != nil {
		return err
	}
	defer closeRegistry(r)
	before, err := r.Live().Get(ctx, service)
	if err != nil {
		return err
	}
	after, err := live.Edit(before.Value, changes)
	if err != nil {
		return err
	}
	if before.Value, err = after.Document(); err != nil {
		return err
	}
	return r.Live().Put(ctx, before)
}

func closeRegistry(r *etcd.Registry) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	r.Close(ctx) // it holds no lease
}

// SpoilLive writes something else in its place, past all checks.
func (e *Etcd) SpoilLive(ctx context.Context, service, value string) error {
	c, err := e.Client()
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	if _, err := c.Put(ctx, liveKey+service, value); err != nil {
		return fmt.Errorf("spoil: %w", err)
	}
	return nil
}
