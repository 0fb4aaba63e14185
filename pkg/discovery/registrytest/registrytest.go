// Package registrytest holds what every discovery.Registry must do. The tests of
// each registry run it.
package registrytest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
	"github.com/fairlead-mesh/fairlead/pkg/discovery"
)

// patience bounds every wait: long, since the machine that runs the tests may be
// busy, and a test that passes does not use it.
const patience = 20 * time.Second

// Run runs the suite. open returns a registry that holds nothing yet, and that is
// closed when the test ends.
func Run(t *testing.T, open func(t *testing.T) discovery.Registry) {
	RunFixed(t, func(t *testing.T, instances ...discovery.Instance) discovery.Registry {
		r := open(t)
		for _, i := range instances {
			Register(t, r, i)
		}
		return r
	})
	tests := map[string]func(*testing.T, discovery.Registry){
		"watch before register":  watchBeforeRegister,
		"drain":                  drain,
		"close":                  closeTwice,
		"register twice":         registerTwice,
		"register again":         registerAgain,
		"invalid instance":       invalidInstance,
		"descriptors stay":       descriptorsStay,
		"ended context":          endedContext,
		"registrations at once":  registrationsAtOnce,
		"list belongs to caller": listBelongsToCaller,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// RunFixed runs the part of the suite that is for registries in which nobody comes
// and goes, too. open returns a registry of these instances, each with the API of
// its service.
func RunFixed(t *testing.T, open func(t *testing.T, instances ...discovery.Instance) discovery.Registry) {
	one, two, other := Instance(service, "a"), Instance(service, "b"), Instance(service+"Two", "a")
	lists := map[string]struct {
		holds   []discovery.Instance
		service string
		want    []discovery.Instance
	}{
		"sorted":       {[]discovery.Instance{two, one}, service, []discovery.Instance{one, two}},
		"one service":  {[]discovery.Instance{other, one}, service, []discovery.Instance{one}},
		"all services": {[]discovery.Instance{other, one}, "", []discovery.Instance{one, other}},
		"nobody":       {nil, service, nil}, // an empty list is news, too
		"nobody else":  {[]discovery.Instance{other}, service, nil},
	}
	for name, test := range lists {
		t.Run(name, func(t *testing.T) {
			Watch(t, open(t, test.holds...), test.service).Wait(t, test.want...)
		})
	}
	t.Run("descriptors", func(t *testing.T) { descriptors(t, open(t, one)) })
	t.Run("wrong digest", func(t *testing.T) { wrongDigest(t, open(t, one)) })
	t.Run("watched by many", func(t *testing.T) { watchedByMany(t, open(t, one, two), one, two) })
}

// API returns a descriptor set for tests. Registries do not read what is in it.
func API(text string) discovery.Descriptors {
	image := []byte(text)
	return discovery.Descriptors{Digest: descriptor.Digest(image), Image: image}
}

// Instance returns a valid instance of a service with the API of its name.
func Instance(service, id string) discovery.Instance {
	return discovery.Instance{
		ID:       id,
		Service:  service,
		Address:  "127.0.0.1:4000",
		Identity: "spiffe://fairlead/test",
		Digest:   API(service).Digest,
		Zone:     "a",
		Weight:   50,
		Version:  "1.2.3",
	}
}

// Register registers instances with the API of the first one's service.
func Register(t *testing.T, r discovery.Registry, instances ...discovery.Instance) discovery.Registration {
	t.Helper()
	reg, err := r.Register(bounded(t), instances, API(instances[0].Service))
	if err != nil {
		t.Fatal(err)
	}
	return reg
}

func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// Watcher is a running watch.
type Watcher struct {
	mu      sync.Mutex
	list    []discovery.Instance
	updates int
	news    chan struct{}
}

// Watch watches a service until the test ends.
func Watch(t *testing.T, r discovery.Registry, service string) *Watcher {
	w := &Watcher{news: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Watch(ctx, service, w.update)
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case <-done:
		case <-time.After(patience):
			t.Error("the watch goes on after its context has ended")
		}
	})
	return w
}

func (w *Watcher) update(list []discovery.Instance) {
	w.mu.Lock()
	w.list, w.updates = list, w.updates+1
	w.mu.Unlock()
	select {
	case w.news <- struct{}{}:
	default:
	}
}

// Updates returns how many lists came so far.
func (w *Watcher) Updates() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.updates
}

// Wait waits until the watch has these instances and no others.
func (w *Watcher) Wait(t *testing.T, want ...discovery.Instance) {
	t.Helper()
	end := time.After(patience)
	for {
		w.mu.Lock()
		list, updates := w.list, w.updates
		w.mu.Unlock()
		if updates > 0 && slices.Equal(list, want) {
			return
		}
		select {
		case <-w.news:
		case <-end:
			t.Fatalf("after %d updates the list is\n%+v, want\n%+v", updates, list, want)
		}
	}
}

const service = "test.v1.Service"

func watchBeforeRegister(t *testing.T, r discovery.Registry) {
	w := Watch(t, r, service)
	w.Wait(t) // an empty list is news, too
	Register(t, r, Instance(service, "a"))
	w.Wait(t, Instance(service, "a"))
}

func drain(t *testing.T, r discovery.Registry) {
	w := Watch(t, r, service)
	reg := Register(t, r, Instance(service, "a"))
	w.Wait(t, Instance(service, "a"))
	if err := reg.Drain(bounded(t)); err != nil {
		t.Fatal(err)
	}
	draining := Instance(service, "a")
	draining.Draining = true
	w.Wait(t, draining)
	if err := reg.Close(bounded(t)); err != nil {
		t.Fatal(err)
	}
	w.Wait(t)
}

func closeTwice(t *testing.T, r discovery.Registry) {
	w := Watch(t, r, service)
	reg := Register(t, r, Instance(service, "a"))
	Register(t, r, Instance(service, "b"))
	for range 2 {
		if err := reg.Close(bounded(t)); err != nil {
			t.Fatal(err)
		}
	}
	w.Wait(t, Instance(service, "b"))
	if reg.Drain(bounded(t)) == nil {
		t.Fatal("a closed registration can be drained")
	}
}

func registerTwice(t *testing.T, r discovery.Registry) {
	Register(t, r, Instance(service, "a"))
	_, err := r.Register(bounded(t), []discovery.Instance{Instance(service, "a")}, API(service))
	if err == nil || !strings.Contains(err.Error(), "registered already") {
		t.Fatalf("got %v", err)
	}
}

func registerAgain(t *testing.T, r discovery.Registry) {
	reg := Register(t, r, Instance(service, "a"))
	if err := reg.Close(bounded(t)); err != nil {
		t.Fatal(err)
	}
	Register(t, r, Instance(service, "a"))
	Watch(t, r, service).Wait(t, Instance(service, "a"))
}

func invalidInstance(t *testing.T, r discovery.Registry) {
	bad := Instance(service, "a")
	bad.Address = "nowhere"
	_, err := r.Register(bounded(t), []discovery.Instance{Instance(service, "b"), bad}, API(service))
	if err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Fatalf("got %v", err)
	}
	Watch(t, r, service).Wait(t)
}

func wrongDigest(t *testing.T, r discovery.Registry) {
	api := API(service)
	api.Image = []byte("another")
	_, err := r.Register(bounded(t), []discovery.Instance{Instance(service, "a")}, api)
	if err == nil || !strings.Contains(err.Error(), api.Digest) {
		t.Fatalf("got %v", err)
	}
}

func descriptors(t *testing.T, r discovery.Registry) {
	image, err := r.Descriptors(bounded(t), API(service).Digest)
	if err != nil || string(image) != service {
		t.Fatalf("got %q, %v", image, err)
	}
	_, err = r.Descriptors(bounded(t), API("never published").Digest)
	if !errors.Is(err, discovery.ErrNoDescriptors) {
		t.Fatalf("got %v, want ErrNoDescriptors", err)
	}
}

// descriptorsStay takes out the only instance: others may come that need them.
func descriptorsStay(t *testing.T, r discovery.Registry) {
	reg := Register(t, r, Instance(service, "a"))
	if err := reg.Close(bounded(t)); err != nil {
		t.Fatal(err)
	}
	descriptors(t, r)
}

// watchedByMany spoils each list that comes: it belongs to whoever was given it.
func watchedByMany(t *testing.T, r discovery.Registry, want ...discovery.Instance) {
	Watch(t, r, service).Wait(t, want...)
	for range 20 {
		ctx, cancel := context.WithCancel(bounded(t))
		r.Watch(ctx, service, func(list []discovery.Instance) {
			if !slices.Equal(list, want) {
				t.Errorf("got %+v", list)
			}
			for n := range list {
				list[n].Address = "spoiled"
			}
			cancel()
		})
	}
}

func endedContext(t *testing.T, r discovery.Registry) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := r.Register(ctx, []discovery.Instance{Instance(service, "a")}, API(service))
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	Register(t, r, Instance(service, "a")) // the first one has left nothing behind
}

func registrationsAtOnce(t *testing.T, r discovery.Registry) {
	w := Watch(t, r, service)
	var want []discovery.Instance
	var wait sync.WaitGroup
	for n := range 10 {
		i := Instance(service, fmt.Sprintf("id-%d", n))
		want = append(want, i)
		wait.Go(func() {
			if _, err := r.Register(bounded(t), []discovery.Instance{i}, API(service)); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	w.Wait(t, want...)
}

func listBelongsToCaller(t *testing.T, r discovery.Registry) {
	Register(t, r, Instance(service, "a"))
	ctx := bounded(t)
	lists := make(chan []discovery.Instance)
	go r.Watch(ctx, service, func(list []discovery.Instance) {
		for n := range list {
			list[n].Address = "spoiled"
		}
		select {
		case lists <- list:
		case <-ctx.Done():
		}
	})
	<-lists
	Register(t, r, Instance(service, "b"))
	for list := range lists {
		if len(list) == 2 {
			break
		}
	}
	Watch(t, r, service).Wait(t, Instance(service, "a"), Instance(service, "b"))
}
