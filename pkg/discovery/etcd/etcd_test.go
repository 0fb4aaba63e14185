package etcd_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/discovery/etcd"
	"github.com/fairlead-mesh/fairlead/pkg/discovery/registrytest"
)

const service = "test.v1.Service"

func open(t *testing.T, o etcd.Options) *etcd.Registry {
	t.Helper()
	r, err := etcd.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		r.Close(ctx) // the server may be gone
	})
	return r
}

func options(s *server) etcd.Options {
	return etcd.Options{Endpoints: []string{s.url.String()}, Logger: slog.New(slog.DiscardHandler)}
}

// TestRegistry gives each test a prefix of its own in one etcd.
func TestRegistry(t *testing.T) {
	s, n := startServer(t), 0
	registrytest.Run(t, func(t *testing.T) discovery.Registry {
		n++
		o := options(s)
		o.Prefix = fmt.Sprintf("test-%d", n)
		return open(t, o)
	})
}

func TestLayout(t *testing.T) {
	s := startServer(t)
	registrytest.Register(t, open(t, options(s)), registrytest.Instance(service, "a"))
	all, err := s.client(t).Get(t.Context(), "/", clientv3.WithPrefix())
	if err != nil || len(all.Kvs) != 2 {
		t.Fatalf("%v, %v, want two keys", all, err)
	}
	published, instance := all.Kvs[0], all.Kvs[1]
	if want := "/fairlead/descriptors/" + registrytest.API(service).Digest; string(published.Key) != want || published.Lease != 0 {
		t.Errorf("%s on lease %d, want %s on none", published.Key, published.Lease, want)
	}
	if want := "/fairlead/instances/test.v1.Service/a"; string(instance.Key) != want || instance.Lease == 0 {
		t.Errorf("%s on lease %d, want %s on one", instance.Key, instance.Lease, want)
	}
	if want := `{"id":"a","service":"test.v1.Service","address":"127.0.0.1:4000",`; !strings.HasPrefix(string(instance.Value), want) {
		t.Errorf("%s", instance.Value)
	}
}

// TestLeaseIsRevoked is what a stalled leader does to everybody.
func TestLeaseIsRevoked(t *testing.T) {
	s := startServer(t)
	r := open(t, options(s))
	a := registrytest.Instance(service, "a")
	registrytest.Register(t, r, a)
	w := registrytest.Watch(t, r, service)
	w.Wait(t, a)
	before := w.Updates()

	c := s.client(t)
	leases, err := c.Leases(t.Context())
	if err != nil || len(leases.Leases) != 1 {
		t.Fatalf("%v, %v, want one lease", leases, err)
	}
	if _, err := c.Revoke(t.Context(), leases.Leases[0].ID); err != nil {
		t.Fatal(err)
	}
	waitForKey(t, c, "/fairlead/instances/test.v1.Service/a", leases.Leases[0].ID)
	w.Wait(t, a)
	if lists := w.Updates() - before; lists > 2 {
		t.Errorf("%d lists, want at most the empty one and the full one", lists)
	}
}

// waitForKey waits until a key hangs on another lease than before.
func waitForKey(t *testing.T, c *clientv3.Client, key string, not clientv3.LeaseID) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		got, err := c.Get(ctx, key)
		if err == nil && len(got.Kvs) == 1 && clientv3.LeaseID(got.Kvs[0].Lease) != not {
			return
		}
	}
	t.Fatalf("%s was not written again", key)
}

func TestKeyIsDeleted(t *testing.T) {
	s := startServer(t)
	r := open(t, options(s))
	registrytest.Register(t, r, registrytest.Instance(service, "a"), registrytest.Instance(service, "b"))
	c := s.client(t)
	for range 3 {
		if _, err := c.Delete(t.Context(), "/fairlead/instances/", clientv3.WithPrefix()); err != nil {
			t.Fatal(err)
		}
		waitForKey(t, c, "/fairlead/instances/test.v1.Service/a", 0)
		waitForKey(t, c, "/fairlead/instances/test.v1.Service/b", 0)
	}
}

func TestRestartOfEtcd(t *testing.T) {
	s := startServer(t)
	r, other := open(t, options(s)), open(t, options(s))
	a, b := registrytest.Instance(service, "a"), registrytest.Instance(service, "b")
	registrytest.Register(t, r, a)
	w := registrytest.Watch(t, other, service)
	w.Wait(t, a)
	s.stop()
	w.Wait(t, a) // the last list stays
	s.start(t)
	registrytest.Register(t, r, b)
	w.Wait(t, a, b)
}

func TestRestartOfEtcdWithoutItsData(t *testing.T) {
	s := startServer(t)
	o := options(s)
	o.TTL = time.Second // the registry looks at each third of it
	r := open(t, o)
	a := registrytest.Instance(service, "a")
	registrytest.Register(t, r, a)
	s.stop()
	s.dir = t.TempDir()
	s.start(t)
	registrytest.Watch(t, r, service).Wait(t, a)
	if _, err := r.Descriptors(t.Context(), a.Digest); err != nil {
		t.Error(err)
	}
}

// TestCompaction stops a watch, as a partition would, while etcd compacts away
// what the watch has not seen.
func TestCompaction(t *testing.T) {
	s := startServer(t)
	r := open(t, options(s))
	registrytest.Register(t, r, registrytest.Instance(service, "a"))

	proxy := startProxy(t, s.url.Host)
	o := options(s)
	o.Endpoints = []string{"http://" + proxy.address()}
	w := registrytest.Watch(t, open(t, o), service)
	w.Wait(t, registrytest.Instance(service, "a"))

	proxy.cut()
	reg := registrytest.Register(t, r, registrytest.Instance(service, "gone"))
	if err := reg.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	registrytest.Register(t, r, registrytest.Instance(service, "b"))
	c := s.client(t)
	now, err := c.Get(t.Context(), "/")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Compact(t.Context(), now.Header.Revision, clientv3.WithCompactPhysical()); err != nil {
		t.Fatal(err)
	}
	proxy.heal()
	healed := time.Now()
	w.Wait(t, registrytest.Instance(service, "a"), registrytest.Instance(service, "b"))
	if took := time.Since(healed); took > 5*time.Second {
		t.Errorf("the list was right %s after the partition", took)
	}
	registrytest.Register(t, r, registrytest.Instance(service, "c"))
	w.Wait(t, registrytest.Instance(service, "a"), registrytest.Instance(service, "b"), registrytest.Instance(service, "c"))
}

// TestKill leaves a registry as kill -9 does: its keys stay, its file too.
func TestKill(t *testing.T) {
	s := startServer(t)
	o := options(s)
	o.LeaseFile = filepath.Join(t.TempDir(), "data", "lease.json")
	o.TTL = time.Hour
	killed := open(t, o)
	registrytest.Register(t, killed, registrytest.Instance(service, killed.InstanceID()))
	w := registrytest.Watch(t, open(t, options(s)), service)
	w.Wait(t, registrytest.Instance(service, killed.InstanceID()))
	killed.Kill()

	next := open(t, o)
	if next.InstanceID() != killed.InstanceID() {
		t.Errorf("the id is %s, was %s", next.InstanceID(), killed.InstanceID())
	}
	w.Wait(t) // although the new process has registered nothing
}

// Two processes in one folder must not take each other's place.
func TestTwoProcessesInOneFolder(t *testing.T) {
	s := startServer(t)
	o := options(s)
	o.LeaseFile = filepath.Join(t.TempDir(), "lease.json")
	first, second := open(t, o), open(t, o)
	if first.InstanceID() == second.InstanceID() {
		t.Fatal("both are the same instance")
	}
	a, b := registrytest.Instance(service, first.InstanceID()), registrytest.Instance(service, second.InstanceID())
	registrytest.Register(t, first, a)
	registrytest.Register(t, second, b)
	registrytest.Watch(t, first, service).Wait(t, a, b)
	first.Kill()
	if again := open(t, o); again.InstanceID() != first.InstanceID() {
		t.Errorf("the first came back as %s, was %s", again.InstanceID(), first.InstanceID())
	}
	registrytest.Watch(t, second, service).Wait(t, b)
}

func TestCloseEndsTheLease(t *testing.T) {
	s := startServer(t)
	o := options(s)
	o.LeaseFile = filepath.Join(t.TempDir(), "lease.json")
	r := open(t, o)
	registrytest.Register(t, r, registrytest.Instance(service, "a"))
	w := registrytest.Watch(t, open(t, options(s)), service)
	w.Wait(t, registrytest.Instance(service, "a"))
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Wait(t)
}

func TestMalformedRecords(t *testing.T) {
	s := startServer(t)
	var log buffer
	var events counts
	o := options(s)
	o.Logger, o.Events = slog.New(slog.NewTextHandler(&log, nil)), events.note
	r := open(t, o)
	a := registrytest.Instance(service, "a")
	c := s.client(t)
	bad := map[string]string{
		"not-json":   `{`,
		"empty":      ``,
		"other-id":   `{"id":"x","service":"test.v1.Service","address":"127.0.0.1:1","identity":"spiffe://fairlead/x","digest":"` + a.Digest + `"}`,
		"no-address": `{"id":"no-address","service":"test.v1.Service","identity":"spiffe://fairlead/x","digest":"` + a.Digest + `"}`,
		"deep/key":   `{}`,
		"absurd":     `{"id":"absurd","service":"test.v1.Service","zone":"` + strings.Repeat("z", 1<<20) + `"}`,
		"null":       `null`,
		"list":       `[]`,
	}
	put := func(add string) {
		for id, value := range bad {
			if _, err := c.Put(t.Context(), "/fairlead/instances/test.v1.Service/"+id, value+add); err != nil {
				t.Fatal(err)
			}
		}
	}
	put("")
	w := registrytest.Watch(t, r, service)
	w.Wait(t)
	put(" ") // bad in another way
	registrytest.Register(t, r, a)
	w.Wait(t, a)
	if n := events.get(discovery.RecordRefused); n != len(bad) {
		t.Errorf("%d records were refused, want %d", n, len(bad))
	}
	for id := range bad {
		if n := strings.Count(log.String(), "test.v1.Service/"+id); n != 1 {
			t.Errorf("%d warnings of %s, want 1", n, id)
		}
	}
}

// buffer is a bytes.Buffer for several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestEtcdIsAway(t *testing.T) {
	s := startServer(t)
	s.stop()
	r := open(t, options(s))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := r.Register(ctx, []discovery.Instance{registrytest.Instance(service, "late")}, registrytest.API(service))
	if err == nil {
		t.Fatal("registered without etcd")
	}
	s.start(t)
	a := registrytest.Instance(service, "a")
	registrytest.Register(t, r, a)
	registrytest.Watch(t, r, service).Wait(t, a) // what was given up is not there
}

func TestDescriptorBounds(t *testing.T) {
	s := startServer(t)
	r := open(t, options(s))
	i := registrytest.Instance(service, "a")
	large := registrytest.API(strings.Repeat("x", 9<<20))
	i.Digest = large.Digest
	if _, err := r.Register(t.Context(), []discovery.Instance{i}, large); err == nil {
		t.Fatal("a set of 9 MiB was published")
	}
}
