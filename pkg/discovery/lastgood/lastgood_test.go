package lastgood_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/discovery/lastgood"
	"github.com/fairlead-mesh/fairlead/pkg/discovery/memory"
	"github.com/fairlead-mesh/fairlead/pkg/discovery/registrytest"
)

const service = "test.v1.Service"

// away is a registry that does not answer.
type away struct{}

func (away) Register(ctx context.Context, _ []discovery.Instance, _ discovery.Descriptors) (discovery.Registration, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (away) Watch(ctx context.Context, _ string, _ func([]discovery.Instance)) { <-ctx.Done() }

func (away) Descriptors(ctx context.Context, _ string) ([]byte, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// returning is a registry that is away until it is opened.
type returning struct {
	discovery.Registry
	back chan struct{}
}

func (r returning) Register(ctx context.Context, i []discovery.Instance, api discovery.Descriptors) (discovery.Registration, error) {
	select {
	case <-r.back:
		return r.Registry.Register(ctx, i, api)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (r returning) Watch(ctx context.Context, service string, update func([]discovery.Instance)) {
	select {
	case <-r.back:
		r.Registry.Watch(ctx, service, update)
	case <-ctx.Done():
	}
}

// events counts, and is a log.
type events struct {
	mu    sync.Mutex
	count map[discovery.Event]int
	log   bytes.Buffer
}

func (e *events) note(event discovery.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.count == nil {
		e.count = make(map[discovery.Event]int)
	}
	e.count[event]++
}

func (e *events) of(event discovery.Event) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.count[event]
}

func (e *events) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.log.Write(p)
}

func (e *events) text() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.log.String()
}

func open(t *testing.T, inner discovery.Registry, folder string, e *events) *lastgood.Registry {
	t.Helper()
	r, err := lastgood.Open(inner, lastgood.Options{
		File: filepath.Join(folder, "registry.snapshot"), Descriptors: filepath.Join(folder, "descriptors"),
		Mesh: "test", Patience: 20 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(e, nil)), Events: e.note,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, r) })
	return r
}

func closed(t *testing.T, r *lastgood.Registry) {
	t.Helper()
	if err := r.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// before is what a process leaves in a folder that was in the mesh and was killed.
func before(t *testing.T, folder string, instances ...discovery.Instance) {
	t.Helper()
	m := memory.New()
	r := open(t, m, folder, new(events))
	for _, i := range instances {
		registrytest.Register(t, r, i)
		registrytest.Watch(t, r, i.Service)
		if _, err := r.Descriptors(t.Context(), i.Digest); err != nil {
			t.Fatal(err)
		}
	}
	registrytest.Watch(t, r, service).Wait(t, instances...)
	closed(t, r)
}

func TestRegistry(t *testing.T) {
	registrytest.Run(t, func(t *testing.T) discovery.Registry { return open(t, memory.New(), t.TempDir(), new(events)) })
}

func TestShared(t *testing.T) {
	registrytest.Run(t, func(t *testing.T) discovery.Registry {
		return discovery.Share(t.Context(), open(t, memory.New(), t.TempDir(), new(events)))
	})
}

// A process that starts while the registry is away knows what the one before it
// has known, and learns what is new when the registry is back.
func TestStartWhileTheRegistryIsAway(t *testing.T) {
	folder := t.TempDir()
	a, b := registrytest.Instance(service, "a"), registrytest.Instance(service, "b")
	before(t, folder, a)

	var e events
	inner := returning{memory.New(), make(chan struct{})}
	r := open(t, inner, folder, &e)
	w := registrytest.Watch(t, r, service)
	w.Wait(t, a)
	if image, err := r.Descriptors(t.Context(), a.Digest); err != nil || string(image) != service {
		t.Errorf("got %q, %v", image, err)
	}
	if e.of(discovery.SnapshotUsed) != 1 || strings.Count(e.text(), "last good list is used") != 1 {
		t.Errorf("%v, %s", e.count, e.text())
	}
	registrytest.Register(t, inner.Registry, b)
	close(inner.back)
	w.Wait(t, b)
}

// Who watches everything has kept the list of each service.
func TestTheListOfAllServices(t *testing.T) {
	folder := t.TempDir()
	m := memory.New()
	a, other := registrytest.Instance(service, "a"), registrytest.Instance(service+"Two", "a")
	r := open(t, m, folder, new(events))
	registrytest.Register(t, r, a)
	registrytest.Register(t, r, other)
	registrytest.Watch(t, r, "").Wait(t, a, other)
	closed(t, r)

	r = open(t, away{}, folder, new(events))
	registrytest.Watch(t, r, service).Wait(t, a)
	registrytest.Watch(t, r, "").Wait(t, a, other)
}

// Who has vanished without a goodbye is kept for a while: after a mass expiry they
// are all that there is.
func TestVanishedInstancesAreKept(t *testing.T) {
	folder := t.TempDir()
	a := registrytest.Instance(service, "a")
	m := memory.New()
	g := registrytest.Register(t, m, a)
	r := open(t, m, folder, new(events))
	w := registrytest.Watch(t, r, service)
	w.Wait(t, a)
	if err := g.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Wait(t)
	closed(t, r)
	registrytest.Watch(t, open(t, away{}, folder, new(events)), service).Wait(t, a)
}

// A process that was killed is ready without the registry. One that is new waits.
func TestRegisterWhileTheRegistryIsAway(t *testing.T) {
	folder := t.TempDir()
	a, b := registrytest.Instance(service, "a"), registrytest.Instance(service, "b")
	before(t, folder, a)
	inner := returning{memory.New(), make(chan struct{})}
	r := open(t, inner, folder, new(events))
	start := time.Now()
	g := registrytest.Register(t, r, a)
	if took := time.Since(start); took > time.Second {
		t.Errorf("took %s", took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := g.Drain(ctx); err == nil {
		t.Error("drained without a registry")
	}
	if _, err := r.Register(ctx, []discovery.Instance{b}, registrytest.API(service)); err == nil {
		t.Error("a new instance did not wait")
	}
	close(inner.back)
	w := registrytest.Watch(t, inner, service)
	w.Wait(t, a)
	if err := g.Close(t.Context()); err != nil {
		t.Error(err)
	}
	w.Wait(t)
	closed(t, r)

	// It has left in peace: the next one is new.
	ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := open(t, away{}, folder, new(events)).Register(ctx, []discovery.Instance{a}, registrytest.API(service)); err == nil {
		t.Error("a process that had left did not wait")
	}
}

// What was not written yet is not written later.
func TestCloseBeforeTheRegistryIsBack(t *testing.T) {
	folder := t.TempDir()
	a := registrytest.Instance(service, "a")
	before(t, folder, a)
	inner := returning{memory.New(), make(chan struct{})}
	r := open(t, inner, folder, new(events))
	g := registrytest.Register(t, r, a)
	for range 2 {
		if err := g.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if g.Drain(t.Context()) == nil {
		t.Error("a closed registration can be drained")
	}
	close(inner.back)
	registrytest.Watch(t, inner, service).Wait(t)
}

// A file that cannot be used is one warning and changes nothing else.
func TestBadFiles(t *testing.T) {
	folder := t.TempDir()
	a := registrytest.Instance(service, "a")
	before(t, folder, a)
	good, err := os.ReadFile(filepath.Join(folder, "registry.snapshot"))
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(good)
	flipped[len(good)/2] ^= 1
	for name, text := range map[string][]byte{
		"empty": nil, "cut off": good[:len(good)/2], "flipped bit": flipped, "no line": []byte("{}"),
		"newer":         bytes.Replace(good, []byte("registry 1"), []byte("registry 2"), 1),
		"too large":     append(bytes.Clone(good), make([]byte, 33<<20)...),
		"another mesh":  sealed(t, map[string]any{"mesh": "prod"}),
		"not a list":    sealed(t, []int{1}),
		"too old":       sealed(t, list(time.Now().Add(-25*time.Hour), a)),
		"of the future": sealed(t, list(time.Now().Add(25*time.Hour), a)),
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			if err := os.WriteFile(filepath.Join(folder, "registry.snapshot"), text, 0o600); err != nil {
				t.Fatal(err)
			}
			var e events
			r := open(t, memory.New(), folder, &e)
			if e.of(discovery.SnapshotRefused) != 1 || strings.Count(e.text(), "level=WARN") != 1 {
				t.Errorf("%v, %s", e.count, e.text())
			}
			registrytest.Register(t, r, a)
			registrytest.Watch(t, r, service).Wait(t, a)
			closed(t, r)
			registrytest.Watch(t, open(t, away{}, folder, new(events)), service).Wait(t, a)
		})
	}
}

// list is a snapshot of one list.
func list(asOf time.Time, instances ...discovery.Instance) map[string]any {
	return map[string]any{"mesh": "test", "lists": []any{map[string]any{"service": service, "as_of": asOf, "instances": instances}}}
}

// sealed is a file with the right checksum.
func sealed(t *testing.T, body any) []byte {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return append([]byte("fairlead-registry 1 "+registrytest.API(string(text)).Digest+"\n"), text...)
}

// A record that this release cannot read does not spoil the others.
func TestBadRecord(t *testing.T) {
	folder := t.TempDir()
	a, bad := registrytest.Instance(service, "a"), registrytest.Instance(service, "b")
	bad.Address = "nowhere"
	if err := os.WriteFile(filepath.Join(folder, "registry.snapshot"), sealed(t, list(time.Now(), a, bad)), 0o600); err != nil {
		t.Fatal(err)
	}
	registrytest.Watch(t, open(t, away{}, folder, new(events)), service).Wait(t, a)
}

// A damaged descriptor set is fetched again.
func TestBadDescriptors(t *testing.T) {
	folder := t.TempDir()
	a := registrytest.Instance(service, "a")
	before(t, folder, a)
	files, err := filepath.Glob(filepath.Join(folder, "descriptors", "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	if err := os.WriteFile(files[0], []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := memory.New()
	registrytest.Register(t, m, a)
	image, err := open(t, m, folder, new(events)).Descriptors(t.Context(), a.Digest)
	if err != nil || string(image) != service {
		t.Errorf("got %q, %v", image, err)
	}
	if _, err := open(t, m, folder, new(events)).Descriptors(t.Context(), "sha256:../../x"); err == nil {
		t.Error("a path is a digest")
	}
}

// The folder does not grow for ever, and nobody else may read in it.
func TestBoundsAndModes(t *testing.T) {
	folder := t.TempDir()
	m := memory.New()
	r := open(t, m, folder, new(events))
	for n := range 80 {
		api := registrytest.API(strings.Repeat("x", n))
		i := registrytest.Instance(service, "a")
		i.Digest = api.Digest
		g, err := m.Register(t.Context(), []discovery.Instance{i}, api)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Descriptors(t.Context(), api.Digest); err != nil {
			t.Fatal(err)
		}
		if err := g.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	closed(t, r)
	files := 0
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files++
		if info, err := entry.Info(); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
		return nil
	})
	if err != nil || files != 65 {
		t.Errorf("%d files, %v, want 64 sets and a list", files, err)
	}
}
