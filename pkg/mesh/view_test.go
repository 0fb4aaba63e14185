package mesh_test

import (
	"context"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/discovery/memory"
	"github.com/fairlead-mesh/fairlead/pkg/mesh"
	"github.com/fairlead-mesh/fairlead/pkg/mesh/status"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/pkg/rpcserver"
	meshv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/mesh/v1"
)

// seen returns what a part sees of one instance, nil when it does not know it.
func seen(m *mesh.Mesh, id string) *meshv1.InstanceView {
	for _, s := range m.View().Services {
		for _, i := range s.Instances {
			if s.Service == service && i.Id == id {
				return i
			}
		}
	}
	return nil
}

func TestViewOfACaller(t *testing.T) {
	w := newWorld(t)
	fails := handlers{"Get": func(context.Context) (string, error) {
		return "", grpcstatus.Error(codes.Unavailable, "not today")
	}}
	for id, h := range map[string]handlers{"good-1": says("a"), "good-2": says("b"), "bad": fails} {
		c := w.config(recipes)
		c.ID, c.Zone, c.Version, c.Build = id, "east", "1.4.2", "abc"
		w.serveOn(t, join(t, c), listen(t), h)
	}
	m := w.client(t)
	if v := m.View(); v.Part != "client" || v.Instance == "" || len(v.Services) > 0 {
		t.Errorf("the view of a part that has called nobody is %v", v)
	}
	await(t, "the breaker of the instance that fails is open", func() bool {
		call(bounded(t), m.Dial(service), get)
		bad := seen(m, "bad")
		return bad != nil && bad.Breaker.State == meshv1.Breaker_STATE_OPEN
	})
	bad := seen(m, "bad")
	if bad.Breaker.Reason == "" || bad.Breaker.OpenedAgo == nil || bad.Breaker.RetryIn == nil || bad.ErrorRate != 1 {
		t.Errorf("what is seen of it is %v", bad)
	}
	await(t, "the others are called", func() bool {
		_, err := call(bounded(t), m.Dial(service), get)
		return err == nil && seen(m, "good-1").Share > 0 && seen(m, "good-2").Share > 0
	})
	good := seen(m, "good-1")
	if good.Identity != mtls.ID(recipes) || good.Zone != "east" || good.Version != "1.4.2" || good.Build != "abc" || good.Digest == "" ||
		good.Weight != 100 || good.Suspect || good.Draining || good.Connectivity != meshv1.Connectivity_CONNECTIVITY_READY ||
		good.Breaker.State != meshv1.Breaker_STATE_CLOSED || good.Breaker.OpenedAgo != nil || good.RequestsPerSecond == 0 {
		t.Errorf("what is seen of a good one is %v", good)
	}
}

// asked asks every part that is registered for its view, as an operator does.
func asked(t *testing.T, w *world) map[string]*meshv1.View {
	t.Helper()
	views := make(map[string]*meshv1.View)
	for _, i := range w.instances(t) {
		if i.Service != status.Service {
			continue
		}
		// Each is called alone: calls of this service are never balanced.
		alone := newRegistryOf(t, i)
		c := w.config("operator")
		c.Registry = alone
		got, err := meshv1.NewMeshServiceClient(join(t, c).Dial(status.Service)).GetView(bounded(t), &meshv1.GetViewRequest{})
		if err != nil {
			t.Fatal(err)
		}
		views[i.ID] = got.View
	}
	return views
}

// newRegistryOf is a registry with one instance in it.
func newRegistryOf(t *testing.T, i discovery.Instance) discovery.Registry {
	t.Helper()
	registry := memory.New()
	if _, err := registry.Register(t.Context(), []discovery.Instance{i}, discovery.Descriptors{Digest: i.Digest, Image: status.API}); err != nil {
		t.Fatal(err)
	}
	return registry
}

// Parts that share a process share its id, and each is seen for itself: also one
// that serves nothing to others.
func TestEveryPartIsSeen(t *testing.T) {
	w := newWorld(t)
	c := w.config(recipes)
	c.ID = "process-1"
	w.serveOn(t, join(t, c), listen(t), says("a"))
	c = w.config("edge")
	c.ID = "process-1"
	server := rpcserver.New(rpcserver.Options{TLS: c.TLS, Logger: slog.New(slog.DiscardHandler)})
	edge := join(t, c)
	if err := edge.Serve(bounded(t), listen(t), server); err != nil {
		t.Fatal(err)
	}
	views := asked(t, w)
	if len(views) != 2 {
		t.Fatalf("the views are %v", views)
	}
	for part, services := range map[string][]string{recipes: {service}, "edge": nil} {
		v := views[status.InstanceID("process-1", part)]
		if v.GetPart() != part || v.Instance != "process-1" || !slices.Equal(v.Server.Services, services) || v.Uptime.AsDuration() <= 0 {
			t.Errorf("the view of %s is %v", part, v)
		}
	}
	closed(t, edge)
	if views := asked(t, w); len(views) != 1 {
		t.Errorf("after the edge has left, the views are %v", views)
	}
}

// Whom a client spares the calls that would be turned away, it says.
func TestViewOfAThrottledService(t *testing.T) {
	w := newWorld(t)
	w.serve(t, counting(new(atomic.Int64), fails(codes.Unavailable)))
	m := w.client(t)
	cc := serving(t, m, 1)
	if share := m.View().Services[0].ThrottledShare; share != 0 {
		t.Errorf("of a service that was not called, %v are left out", share)
	}
	await(t, "calls are left out", func() bool {
		call(bounded(t), cc, get)
		return m.View().Services[0].ThrottledShare > 0.5
	})
}
