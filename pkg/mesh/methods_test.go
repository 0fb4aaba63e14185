package mesh_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
	"github.com/fairlead-mesh/fairlead/pkg/mesh"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
)

const put = "/" + service + "/Put"

// methodsOf reads the methods from the descriptors in the registry.
func (w *world) methodsOf(digest string) mesh.Methods {
	b, err := w.registry.Descriptors(context.Background(), digest)
	if err != nil {
		return nil
	}
	set, err := descriptor.Parse(b)
	if err != nil {
		return nil
	}
	return mesh.ReadMethods(set)
}

func (w *world) knowing(t *testing.T) *mesh.Mesh {
	t.Helper()
	c := w.config("client")
	c.MethodsOf = w.methodsOf
	return join(t, c)
}

// In a rolling deploy, a method that only new replicas have is called on them
// alone.
func TestNewMethodIsCalledOnNewInstances(t *testing.T) {
	w := newWorld(t)
	w.serve(t, says("old"))
	w.serve(t, handlers{"Get": says("new")["Get"], "Put": says("new")["Get"]})
	cc := w.knowing(t).Dial(service)
	for range 20 {
		if answer, err := call(bounded(t), cc, put); answer != "new" || err != nil {
			t.Fatalf("Put: got %q, %v", answer, err)
		}
	}
	seen := make(map[string]bool)
	await(t, "both replicas get calls of the old method", func() bool {
		answer, err := call(bounded(t), cc, get)
		if err != nil {
			t.Fatal(err)
		}
		seen[answer] = true
		return seen["old"] && seen["new"]
	})
}

// What nobody has is known before anything is sent.
func TestMethodThatNobodyHas(t *testing.T) {
	w := newWorld(t)
	w.serve(t, says("a"))
	_, err := call(bounded(t), w.knowing(t).Dial(service), put)
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("got %v", err)
	}
}

// The same process at the same address can come back with another API: what is
// known of it changes, also while its connection stands.
func TestDigestOfAnAddressChanges(t *testing.T) {
	w := newWorld(t)
	l, h := listen(t), handlers{"Get": says("a")["Get"], "Put": says("a")["Get"]}
	m := join(t, w.config(recipes))
	w.serveOn(t, m, l, h)
	old := w.claim(t, "zz-later", l.Addr().String(), mtls.ID(recipes), says("").image(t))
	cc := w.knowing(t).Dial(service)
	if _, err := call(bounded(t), cc, put); status.Code(err) != codes.Unimplemented {
		t.Fatalf("got %v", err)
	}
	if err := old.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, "the new method is found", func() bool {
		answer, _ := call(bounded(t), cc, put)
		return answer == "a"
	})
}

func TestMalformedMethodName(t *testing.T) {
	w := newWorld(t)
	caller := w.client(t).Caller()
	for _, method := range []string{"", "Get", "/Get", "//Get", "/" + service, "/" + service + "/"} {
		if _, err := caller.Invoke(bounded(t), method, nil); status.Code(err) != codes.Unimplemented {
			t.Errorf("%q: got %v", method, err)
		}
		if _, err := caller.NewStream(bounded(t), method); status.Code(err) != codes.Unimplemented {
			t.Errorf("stream %q: got %v", method, err)
		}
	}
}

// What could not be read when the list came is read later, and then calls are
// repeated.
func TestMethodsAreReadWhenTheRegistryIsBack(t *testing.T) {
	w := newWorld(t)
	w.serve(t, counting(new(atomic.Int64), fails(codes.Unavailable)))
	w.serve(t, counting(new(atomic.Int64), works))
	var away atomic.Bool
	away.Store(true)
	var repeated atomic.Int64
	c := w.config("client")
	c.MethodsOf = func(digest string) mesh.Methods {
		if away.Load() {
			return nil
		}
		return w.methodsOf(digest)
	}
	c.Events = func(e mesh.Event) {
		if e.Kind == mesh.Retried {
			repeated.Add(1)
		}
	}
	cc := serving(t, join(t, c), 2)
	await(t, "a call fails", func() bool { _, err := call(bounded(t), cc, get); return err != nil })
	if repeated.Load() > 0 {
		t.Error("a call was repeated of which nothing is known")
	}
	away.Store(false)
	await(t, "calls are repeated", func() bool {
		if _, err := call(bounded(t), cc, get); err == nil {
			return repeated.Load() > 0
		}
		return false
	})
	await(t, "a method that nobody has is known for it", func() bool {
		_, err := call(bounded(t), cc, "/"+service+"/Nope")
		return status.Code(err) == codes.Unimplemented && strings.Contains(err.Error(), "no instance")
	})
}
