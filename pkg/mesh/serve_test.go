package mesh_test

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/mesh"
	meshstatus "github.com/fairlead-mesh/fairlead/pkg/mesh/status"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
)

// instances lists what the registry has now.
func (w *world) instances(t *testing.T) []discovery.Instance {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var list []discovery.Instance
	w.registry.Watch(ctx, "", func(now []discovery.Instance) { list = now; cancel() })
	return list
}

func TestServeRegisters(t *testing.T) {
	w := newWorld(t)
	c := w.config(recipes)
	c.ID, c.Zone, c.Version, c.Build = "replica-1", "east", "v1.2.3", "abc"
	m, l, h := join(t, c), listen(t), says("a")
	w.serveOn(t, m, l, h)
	got := slices.DeleteFunc(w.instances(t), func(i discovery.Instance) bool { return i.Service == meshstatus.Service })
	if len(got) != 1 {
		t.Fatalf("got %+v", got)
	}
	want := discovery.Instance{
		ID: "replica-1", Service: service, Address: l.Addr().String(), Identity: mtls.ID(recipes),
		Digest: got[0].Digest, Zone: "east", Version: "v1.2.3", Build: "abc",
	}
	if got[0] != want {
		t.Errorf("got %+v", got[0])
	}
	if b, err := w.registry.Descriptors(t.Context(), got[0].Digest); err != nil || string(b) != string(h.image(t)) {
		t.Errorf("the registry has %d bytes of descriptors, %v", len(b), err)
	}
	closed(t, m)
	if left := w.instances(t); len(left) > 0 {
		t.Errorf("left behind: %+v", left)
	}
}

// everywhere listens on all addresses.
func everywhere(t *testing.T) *listener {
	t.Helper()
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	return &listener{Listener: l}
}

func TestAdvertise(t *testing.T) {
	w := newWorld(t)
	c := w.config(recipes)
	c.Advertise = "localhost"
	w.serveOn(t, join(t, c), everywhere(t), says("a"))
	if answer, err := call(bounded(t), w.client(t).Dial(service), get); answer != "a" || err != nil {
		t.Errorf("got %q, %v", answer, err)
	}
}

// An error says what is wrong, and leaves nothing behind.
func TestServeRefuses(t *testing.T) {
	h := says("a")
	for name, test := range map[string]struct {
		listen func(*testing.T) *listener
		h      handlers
		api    []byte
		want   string
	}{
		"address for nobody": {everywhere, h, h.image(t), "--mesh-advertise, FAIRLEAD_MESH_ADVERTISE"},
		"another API":        {listen, h, image(t, menus), service},
		"no API":             {listen, h, nil, "descriptor image"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			m, l := join(t, w.config(recipes)), test.listen(t)
			err := m.Serve(bounded(t), l, w.server(recipes, test.h), test.api)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v", err)
			}
			ended(t, w, l)
		})
	}
}

// ended checks that nothing is registered and that the listener is closed.
func ended(t *testing.T, w *world, l net.Listener) {
	t.Helper()
	if left := w.instances(t); len(left) > 0 {
		t.Errorf("registered: %+v", left)
	}
	if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
		c.Close()
		t.Error("the listener is open")
	}
}

func TestServeFailsWhenItCannotRegister(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m, l, h := join(t, w.config(recipes)), listen(t), says("a")
	if err := m.Serve(ctx, l, w.server(recipes, h), h.image(t)); err == nil {
		t.Error("served")
	}
	ended(t, w, l)
}

func TestServeAfterClose(t *testing.T) {
	w := newWorld(t)
	m, l, h := join(t, w.config(recipes)), listen(t), says("a")
	closed(t, m)
	if err := m.Serve(bounded(t), l, w.server(recipes, h), h.image(t)); err == nil {
		t.Error("served")
	}
	ended(t, w, l)
}

func TestCloseTwice(t *testing.T) {
	w := newWorld(t)
	m := w.serve(t, says("a"))
	var both sync.WaitGroup
	both.Go(func() { closed(t, m) })
	both.Go(func() { closed(t, m) })
	both.Wait()
	closed(t, m)
	if left := w.instances(t); len(left) > 0 {
		t.Errorf("left behind: %+v", left)
	}
	if _, err := call(bounded(t), m.Dial(service), get); status.Code(err) != codes.Unavailable {
		t.Errorf("a call after Close: got %v", err)
	}
}

// A part may call itself, and go on calling until it has answered its own callers.
func TestPartCallsItself(t *testing.T) {
	w := newWorld(t)
	var m *mesh.Mesh
	inner := says("inner")["Get"]
	m = join(t, w.config(recipes))
	w.serveOn(t, m, listen(t), handlers{
		"Get": func(ctx context.Context) (string, error) { return call(ctx, m.Dial(service), put) },
		"Put": inner,
	})
	if answer, err := call(bounded(t), w.client(t).Dial(service), get); answer != "inner" || err != nil {
		t.Errorf("got %q, %v", answer, err)
	}
}
