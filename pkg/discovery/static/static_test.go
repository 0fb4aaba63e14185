package static_test

import (
	"strings"
	"testing"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/discovery/registrytest"
	"github.com/fairlead-mesh/fairlead/pkg/discovery/static"
)

const service = "test.v1.Service"

func open(t *testing.T, instances ...discovery.Instance) *static.Registry {
	t.Helper()
	var images [][]byte
	for _, i := range instances {
		images = append(images, registrytest.API(i.Service).Image)
	}
	r, err := static.New(instances, images...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRegistry(t *testing.T) {
	registrytest.RunFixed(t, func(t *testing.T, instances ...discovery.Instance) discovery.Registry {
		return open(t, instances...)
	})
}

func TestNewRefuses(t *testing.T) {
	bad := registrytest.Instance(service, "bad")
	bad.Address = "nowhere"
	a := registrytest.Instance(service, "a")
	for want, list := range map[string][]discovery.Instance{"nowhere": {a, bad}, "twice": {a, a}} {
		if _, err := static.New(list); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want one with %q", err, want)
		}
	}
}

// Who is in the list may say so; who is not finds out that others will not know.
func TestRegister(t *testing.T) {
	a := registrytest.Instance(service, "a")
	r := open(t, a)
	g := registrytest.Register(t, r, a)
	if err := g.Drain(t.Context()); err != nil {
		t.Error(err)
	}
	if g.Close(t.Context()) != nil || g.Drain(t.Context()) == nil {
		t.Error("a closed registration can be drained")
	}
	registrytest.Register(t, r, registrytest.Instance("test.v1.Private", "a"))
	moved := a
	moved.Address = "127.0.0.1:4001"
	_, err := r.Register(t.Context(), []discovery.Instance{moved}, registrytest.API(service))
	if err == nil || !strings.Contains(err.Error(), moved.Address) {
		t.Errorf("got %v", err)
	}
}
