package etcd_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/discovery/etcd"
	"github.com/fairlead-mesh/fairlead/pkg/discovery/lastgood"
	"github.com/fairlead-mesh/fairlead/pkg/discovery/registrytest"
	"github.com/fairlead-mesh/fairlead/pkg/internal/etcdtest"
)

func TestMain(m *testing.M) { etcdtest.Main(m) }

// counts are events.
type counts struct {
	mu sync.Mutex
	of map[discovery.Event]int
}

func (c *counts) note(e discovery.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = make(map[discovery.Event]int)
	}
	c.of[e]++
}

func (c *counts) get(e discovery.Event) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.of[e]
}

func clusterOptions(c *etcdtest.Cluster) etcd.Options {
	return etcd.Options{Endpoints: c.Endpoints(), Logger: slog.New(slog.DiscardHandler)}
}

// TestLeaderHangs stops the leader for twice the TTL: the others elect another,
// which must hear of the lease in time. When the old one goes on, it may end every
// lease that it believes has run out.
func TestLeaderHangs(t *testing.T) {
	t.Parallel()
	c := etcdtest.Start(t, 3)
	o := clusterOptions(c)
	o.TTL = 3 * time.Second
	r := open(t, o)
	a := registrytest.Instance(service, "a")
	registrytest.Register(t, r, a)
	w := registrytest.Watch(t, open(t, clusterOptions(c)), service)
	w.Wait(t, a)

	leader, others := c.Leader(t)
	leader.Pause(t)
	rest := c.Client(t, others...)
	awaitKeys(t, rest, 5*time.Second, 1)
	<-time.After(2 * o.TTL)
	awaitKeys(t, rest, 5*time.Second, 1)
	leader.Resume(t)
	awaitKeys(t, rest, 5*time.Second, 1)
	w.Wait(t, a)
	start := time.Now()
	b := registrytest.Instance(service, "b")
	registrytest.Register(t, r, b)
	w.Wait(t, a, b)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("a new instance was seen after %s", took)
	}
}

// awaitKeys waits until n instances are in etcd, and returns how long it took.
func awaitKeys(t *testing.T, c *clientv3.Client, within time.Duration, n int64) time.Duration {
	t.Helper()
	start := time.Now()
	var got int64
	for time.Since(start) < within {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		all, err := c.Get(ctx, "/fairlead/instances/", clientv3.WithPrefix(), clientv3.WithCountOnly())
		cancel()
		if err == nil && all.Count == n {
			return time.Since(start)
		}
		if err == nil {
			got = all.Count
		}
		<-time.After(10 * time.Millisecond)
	}
	t.Fatalf("%d instances in etcd after %s, want %d", got, within, n)
	return 0
}

// TestStartWithoutEtcd is what a process does that is restarted while etcd hangs,
// and then while it is gone: it knows the others and is ready at once, and is
// registered when etcd is back.
func TestStartWithoutEtcd(t *testing.T) {
	t.Parallel()
	c := etcdtest.Start(t, 1)
	member, folder := c.Members[0], t.TempDir()
	other := registrytest.Instance(service+"Two", "other")
	registrytest.Register(t, open(t, clusterOptions(c)), other)

	p := startProcess(t, c, folder)
	registrytest.Register(t, p, p.instance())
	registrytest.Watch(t, p, other.Service).Wait(t, other)
	p.kill(t)
	for name, outage := range map[string]struct{ begin, end func(*testing.T) }{
		"hangs": {member.Pause, member.Resume},
		"gone":  {member.Kill, member.Start},
	} {
		outage.begin(t)
		start := time.Now()
		p := startProcess(t, c, folder)
		registrytest.Register(t, p, p.instance())
		registrytest.Watch(t, p, other.Service).Wait(t, other)
		if image, err := p.Descriptors(t.Context(), other.Digest); err != nil || string(image) != other.Service {
			t.Errorf("%s: got %q, %v", name, image, err)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("%s: ready after %s", name, took)
		}
		outage.end(t)
		registrytest.Watch(t, open(t, clusterOptions(c)), service).Wait(t, p.instance())
		p.kill(t)
	}
}

// process is what a process has of discovery.
type process struct {
	*lastgood.Registry
	etcd *etcd.Registry
}

func startProcess(t *testing.T, c *etcdtest.Cluster, folder string) process {
	t.Helper()
	o := clusterOptions(c)
	o.LeaseFile = filepath.Join(folder, "lease.json")
	inner := open(t, o)
	kept, err := lastgood.Open(inner, lastgood.Options{
		File: filepath.Join(folder, "registry.snapshot"), Descriptors: filepath.Join(folder, "descriptors"), Logger: o.Logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kept.Close(context.Background()) })
	if _, err := kept.Descriptors(t.Context(), registrytest.API(service+"Two").Digest); err != nil {
		t.Error(err)
	}
	return process{kept, inner}
}

func (p process) instance() discovery.Instance {
	return registrytest.Instance(service, p.etcd.InstanceID())
}

// kill ends the process without a goodbye to etcd.
func (p process) kill(t *testing.T) {
	t.Helper()
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
	p.etcd.Kill()
}

// TestMassRevocation ends the leases of a hundred processes at once. All are back
// within 5 s, and not all in the same moment.
func TestMassRevocation(t *testing.T) {
	s := startServer(t)
	const processes = 100
	var events counts
	c := s.client(t)
	var wait sync.WaitGroup
	for n := range processes {
		o := options(s)
		o.Events = events.note
		r := open(t, o)
		wait.Go(func() { registrytest.Register(t, r, registrytest.Instance(service, fmt.Sprintf("p%03d", n))) })
	}
	wait.Wait()
	awaitKeys(t, c, 5*time.Second, processes)
	leases, err := c.Leases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	for _, l := range leases.Leases {
		if _, err := c.Revoke(t.Context(), l.ID); err != nil {
			t.Fatal(err)
		}
	}
	revoked := time.Since(start)
	awaitKeys(t, c, 5*time.Second, processes)
	t.Logf("%d leases revoked in %s, all registered again %s after the first", processes, revoked, time.Since(start))
	if n := events.get(discovery.Unregistered); n != processes {
		t.Errorf("%d processes noticed, want %d", n, processes)
	}
}

// TestSilentWatch freezes the connection on which the watch is, without an error:
// the watch notices, and goes on elsewhere.
func TestSilentWatch(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	r := open(t, options(s))
	proxies := []*proxy{startProxy(t, s.url.Host), startProxy(t, s.url.Host)}
	var events counts
	o := options(s)
	o.Endpoints = []string{"http://" + proxies[0].address(), "http://" + proxies[1].address()}
	o.Events = events.note
	w := registrytest.Watch(t, open(t, o), service)
	w.Wait(t)
	var want []discovery.Instance
	for n, p := range proxies {
		p.freeze()
		i := registrytest.Instance(service, fmt.Sprint(n))
		registrytest.Register(t, r, i)
		want = append(want, i)
		w.Wait(t, want...)
		p.thaw()
	}
	if events.get(discovery.WatchStale) == 0 {
		t.Error("no watch was found to be silent")
	}
}

// TestStorm expires 300 leases a second, while others come: who watches gets few
// lists, and the last one is right.
func TestStorm(t *testing.T) {
	s := startServer(t)
	c := s.client(t)
	r := open(t, options(s))
	stay := registrytest.Instance(service, "stay")
	registrytest.Register(t, r, stay)
	var leases []clientv3.LeaseID
	for n := range 600 {
		lease, err := c.Grant(t.Context(), 60)
		if err != nil {
			t.Fatal(err)
		}
		i := registrytest.Instance(service, fmt.Sprintf("go-%d", n))
		value, err := json.Marshal(i)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Put(t.Context(), "/fairlead/instances/"+service+"/"+i.ID, string(value), clientv3.WithLease(lease.ID)); err != nil {
			t.Fatal(err)
		}
		leases = append(leases, lease.ID)
	}
	w := registrytest.Watch(t, r, service)
	awaitKeys(t, c, 5*time.Second, 601)
	tick := time.NewTicker(time.Second / 300)
	defer tick.Stop()
	start := time.Now()
	for _, id := range leases {
		<-tick.C
		if _, err := c.Revoke(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	w.Wait(t, stay)
	took := time.Since(start)
	t.Logf("600 leases expired in %s, told in %d lists", took, w.Updates())
	if most := int(took/(100*time.Millisecond)) + 10; w.Updates() > most {
		t.Errorf("%d lists in %s", w.Updates(), took)
	}
}
