package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
)

// instancesKey is what the keys of instances begin with; see docs/discovery.md.
const instancesKey = "/fairlead/instances/"

// Registered is what etcd has of one instance, read past the mesh.
type Registered struct {
	discovery.Instance
	// Revision is when it was last written, and Lease what it hangs on.
	Revision, Lease int64
}

// Registered lists the instances of a service, by their ids.
func (e *Etcd) Registered(ctx context.Context, service string, ask ...*Member) (map[string]Registered, error) {
	c, err := e.Client(ask...)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return registered(ctx, c, service)
}

func registered(ctx context.Context, c *clientv3.Client, service string) (map[string]Registered, error) {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	got, err := c.Get(ctx, instancesKey+service+"/", clientv3.WithPrefix())
	if err != nil {
		return nil, fmt.Errorf("list the instances: %w", err)
	}
	all := make(map[string]Registered, len(got.Kvs))
	for _, kv := range got.Kvs {
		r := Registered{Revision: kv.ModRevision, Lease: kv.Lease}
		if err := json.Unmarshal(kv.Value, &r.Instance); err != nil {
			return nil, fmt.Errorf("%s: %w", kv.Key, err)
		}
		all[r.ID] = r
	}
	return all, nil
}

// Change is something that happened to the record of an instance.
type Change struct {
	At   time.Time
	ID   string
	Gone bool
	// Draining is what the record says.
	Draining bool
}

// Changes are those of a service, as they come.
type Changes struct {
	client *clientv3.Client
	cancel context.CancelFunc
	done   chan struct{}
	all    []Change
}

// WatchChanges notes what happens to the records of a service from now on. The
// watch does not outlive an etcd that is away.
func (e *Etcd) WatchChanges(ctx context.Context, service string) (*Changes, error) {
	client, err := e.Client()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	c := &Changes{client: client, cancel: cancel, done: make(chan struct{})}
	begun := make(chan struct{})
	go c.follow(client.Watch(ctx, instancesKey+service+"/", clientv3.WithPrefix(), clientv3.WithCreatedNotify()), begun)
	select {
	case <-begun:
		return c, nil
	case <-c.done:
	case <-time.After(Patience):
	}
	c.Stop()
	return nil, fmt.Errorf("etcd does not watch %s", service)
}

func (c *Changes) follow(watch clientv3.WatchChan, begun chan struct{}) {
	defer close(c.done)
	for r := range watch {
		if r.Created {
			close(begun)
		}
		for _, e := range r.Events {
			change := Change{At: time.Now(), Gone: e.Type == clientv3.EventTypeDelete}
			var i discovery.Instance
			if !change.Gone && json.Unmarshal(e.Kv.Value, &i) == nil {
				change.Draining = i.Draining
			}
			change.ID = path.Base(string(e.Kv.Key))
			c.all = append(c.all, change)
		}
	}
}

// Stop ends the watch and returns what there was.
func (c *Changes) Stop() []Change {
	c.cancel()
	<-c.done
	c.client.Close()
	return c.all
}
