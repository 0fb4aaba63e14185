package edge_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/fairlead-mesh/fairlead/edge"
	"github.com/fairlead-mesh/fairlead/pkg/mesh/status"
	policyv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/policy/v1"
)

// changed returns the kitchen's image after edit.
func changed(t *testing.T, edit func(f *descriptorpb.FileDescriptorProto)) []byte {
	t.Helper()
	set := new(descriptorpb.FileDescriptorSet)
	if err := proto.Unmarshal(kitchen, set); err != nil {
		t.Fatal(err)
	}
	for _, f := range set.File {
		if f.GetPackage() == "acme.kitchen.v1" {
			edit(f)
		}
	}
	image, err := proto.MarshalOptions{Deterministic: true}.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// method finds a method of the kitchen, and its policy.
func method(f *descriptorpb.FileDescriptorProto, name string) (*descriptorpb.MethodDescriptorProto, *policyv1.MethodPolicy) {
	for _, m := range f.Service[0].Method {
		if m.GetName() == name {
			return m, proto.GetExtension(m.Options, policyv1.E_Method).(*policyv1.MethodPolicy)
		}
	}
	return nil, nil
}

func TestPolicyFailsClosed(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(p *policyv1.MethodPolicy)
		why  string
	}{
		"unknown enum value": {func(p *policyv1.MethodPolicy) { p.Exposure = 77 }, "policy.exposure has the value 77"},
		"unknown level":      {func(p *policyv1.MethodPolicy) { p.Auth.Level = 9 }, "policy.auth.level has the value 9"},
		"unknown field": {func(p *policyv1.MethodPolicy) {
			p.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 900, protowire.VarintType), 1))
		}, "policy has a field"},
		"unknown field inside": {func(p *policyv1.MethodPolicy) {
			p.Auth.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 900, protowire.VarintType), 1))
		}, "policy.auth has a field"},
		"no level": {func(p *policyv1.MethodPolicy) { p.Auth = nil }, "policy.auth.level must be written"},
		"public for user": {func(p *policyv1.MethodPolicy) {
			p.Auth.Level = policyv1.Auth_LEVEL_USER
			p.Cache = &policyv1.CachePolicy{Scope: policyv1.CachePolicy_SCOPE_PUBLIC}
		}, "PUBLIC contradicts"},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, everything{}, edge.Config{})
			w.register(t, kitchenService, "spiffe://fairlead/kitchen", changed(t, func(f *descriptorpb.FileDescriptorProto) {
				m, p := method(f, "Cook")
				c.edit(p)
				proto.SetExtension(m.Options, policyv1.E_Method, p)
			}))
			w.await(t, "/"+kitchenService+"/Side") // the others are served
			if w.Table().Method(cook) != nil || w.do(t, "POST", "/v1/dishes:cook", "{}").status != 404 {
				t.Error("the method is exposed")
			}
			if why := w.refused(cook); !strings.Contains(why, c.why) {
				t.Errorf("the event says %q", why)
			}
		})
	}
}

// only grants one identity one service and one prefix of paths.
type only struct{ identity, service, path string }

func (g only) MayServe(identity, service string) bool {
	return identity == g.identity && service == g.service
}

func (g only) MayRoute(identity, path string) bool {
	return identity == g.identity && strings.HasPrefix(path, g.path)
}

func TestGrants(t *testing.T) {
	const identity = "spiffe://fairlead/kitchen"
	w := start(t, only{identity, kitchenService, "/v1/dishes"}, edge.Config{})
	w.register(t, kitchenService, "spiffe://fairlead/mallory", kitchen)
	eventually(t, "mallory is refused", func() bool { return strings.Contains(w.refused(kitchenService), "mallory") })
	if w.Table().Method(cook) != nil {
		t.Error("a service without a grant is exposed")
	}
	w.register(t, kitchenService, identity, kitchen)
	w.await(t, "/"+kitchenService+"/Look")
	if w.Table().Method(cook) != nil || !strings.Contains(w.refused(cook), "/v1/cook/{name}") {
		t.Errorf("a path without a grant: %q", w.refused(cook))
	}
}

// Every part tells operators what it sees. That is no service that asks to be
// exposed, and no event.
func TestWhatPartsTellOperatorsIsNotExposed(t *testing.T) {
	w := start(t, only{"spiffe://fairlead/kitchen", kitchenService, "/"}, edge.Config{})
	w.register(t, status.Service, "spiffe://fairlead/kitchen", status.API)
	w.register(t, kitchenService, "spiffe://fairlead/kitchen", kitchen)
	w.await(t, cook)
	if w.Table().Method("/"+status.Service+"/GetView") != nil || w.refused(status.Service) != "" {
		t.Errorf("refused: %q", w.refused(status.Service))
	}
}

func TestStandingRoutesAreNotTaken(t *testing.T) {
	w := open(t)
	for name, path := range map[string]string{"the same": "/v1/dishes/{name=**}", "a part of it": "/v1/dishes/stolen"} {
		t.Run(name, func(t *testing.T) {
			service := "evil." + strings.ReplaceAll(name, " ", "") + ".v1.KitchenService"
			image := changed(t, func(f *descriptorpb.FileDescriptorProto) {
				pkg := strings.TrimSuffix(service, ".KitchenService")
				rename(f, pkg)
				look, _ := method(f, "Look")
				setGet(look, path)
				f.Service[0].Method = []*descriptorpb.MethodDescriptorProto{look}
			})
			r := w.register(t, service, "spiffe://fairlead/evil"+name[:1], image)
			defer r.Close(t.Context())
			full := "/" + service + "/Look"
			eventually(t, "it is refused", func() bool { return strings.Contains(w.refused(full), "which stands") })
			if w.Table().Method(full) != nil {
				t.Error("the method is exposed over gRPC")
			}
		})
	}
	if r := w.do(t, "GET", "/v1/dishes/stolen", ""); r.status != 200 {
		t.Errorf("the route that stood: %d", r.status)
	}
}

func TestServicesComeAndGo(t *testing.T) {
	w := start(t, everything{}, edge.Config{})
	old := changed(t, func(f *descriptorpb.FileDescriptorProto) {
		f.Service[0].Method = f.Service[0].Method[:3]
	})
	first := w.register(t, kitchenService, "spiffe://fairlead/old", old)
	w.await(t, cook)
	if w.Table().Method("/"+kitchenService+"/Look") != nil {
		t.Error("the old version has no Look")
	}
	second := w.register(t, kitchenService, "spiffe://fairlead/new", kitchen)
	w.await(t, "/"+kitchenService+"/Look")
	if err := first.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := second.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a service that drains is gone", func() bool { return w.Table().Method(cook) == nil })
	if r := w.do(t, "POST", "/v1/dishes:cook", "{}"); r.status != 404 {
		t.Errorf("after it left: %d", r.status)
	}
}

// A service whose last replica vanished is unreachable, not unknown.
func TestVanishedServiceKeepsItsRoutes(t *testing.T) {
	w := start(t, everything{}, edge.Config{})
	r := w.register(t, kitchenService, "spiffe://fairlead/kitchen", kitchen)
	w.await(t, cook)
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	other := changed(t, func(f *descriptorpb.FileDescriptorProto) {
		rename(f, "acme.other.v1")
		f.Service[0].Method = f.Service[0].Method[8:9]
	})
	w.register(t, "acme.other.v1.KitchenService", "spiffe://fairlead/other", other)
	w.await(t, "/acme.other.v1.KitchenService/Serve") // the registry's news have arrived
	if w.Table().Method(cook) == nil {
		t.Error("the routes are gone")
	}
}
