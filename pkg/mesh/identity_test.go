package mesh_test

import (
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/mesh"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
)

// claim writes a record by hand: whoever can write the registry can say anything.
func (w *world) claim(t *testing.T, id, address, identity string, api []byte) discovery.Registration {
	t.Helper()
	set := discovery.Descriptors{Digest: descriptor.Digest(api), Image: api}
	r, err := w.registry.Register(t.Context(), []discovery.Instance{{
		ID: id, Service: service, Address: address, Identity: identity, Digest: set.Digest,
	}}, set)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// eavesdrop takes one connection with the certificate of a part and reports what
// comes through once it is safe: nil when nobody connects before l is closed.
func eavesdrop(l net.Listener, source mtls.Source) <-chan []byte {
	heard := make(chan []byte, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			heard <- nil
			return
		}
		defer c.Close()
		b := make([]byte, 1<<10)
		n, _ := tls.Server(c, mtls.ServerConfig(source)).Read(b) // shakes hands first
		heard <- b[:n]
	}()
	return heard
}

func TestAnotherIdentityHearsNothing(t *testing.T) {
	w := newWorld(t)
	l := listen(t)
	heard := eavesdrop(l, w.authority.Part("stranger"))
	w.claim(t, "1", l.Addr().String(), mtls.ID(recipes), says("").image(t))

	_, err := call(bounded(t), w.client(t).Dial(service), get)
	if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), mtls.ID("stranger")) {
		t.Errorf("got %v", err)
	}
	if b := <-heard; len(b) > 0 {
		t.Errorf("the stranger heard %q", b)
	}
	l.Close()
}

// A connection is made anew when its address belongs to somebody else.
func TestIdentityOfAnAddressChanges(t *testing.T) {
	w := newWorld(t)
	l, h := listen(t), says("recipes")
	server := w.server(recipes, h)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		if err := errors.Join(server.Stop(t.Context()), <-served); err != nil {
			t.Error(err)
		}
	})
	w.claim(t, "1", l.Addr().String(), mtls.ID(recipes), h.image(t))
	cc := w.client(t).Dial(service)
	if answer, err := call(bounded(t), cc, get); answer != "recipes" || err != nil {
		t.Fatalf("got %q, %v", answer, err)
	}
	w.claim(t, "2", l.Addr().String(), mtls.ID("stranger"), h.image(t))
	await(t, "the address is verified again", func() bool {
		_, err := call(bounded(t), cc, get)
		return status.Code(err) == codes.Unavailable && strings.Contains(err.Error(), mtls.ID("stranger"))
	})
}

func TestInstanceWithoutGrantIsLeftOut(t *testing.T) {
	w := newWorld(t)
	l := listen(t)
	heard := eavesdrop(l, w.authority.Part("stranger"))
	w.serve(t, says("granted"))
	w.claim(t, "1", l.Addr().String(), mtls.ID("stranger"), says("").image(t))
	c := w.config("client")
	c.Grants = mesh.ByName
	cc := join(t, c).Dial(service)
	for range 20 {
		if answer, err := call(bounded(t), cc, get); answer != "granted" || err != nil {
			t.Fatalf("got %q, %v", answer, err)
		}
	}
	l.Close()
	if b := <-heard; b != nil {
		t.Errorf("somebody without a grant was connected to, and heard %q", b)
	}
}

func TestNobodyWithAGrant(t *testing.T) {
	w := newWorld(t)
	w.serve(t, says("a"))
	grants, err := mesh.ParseGrants(strings.NewReader("[]"))
	if err != nil {
		t.Fatal(err)
	}
	c := w.config("client")
	c.Grants = grants
	_, err = call(bounded(t), join(t, c).Dial(service), get)
	if status.Code(err) != codes.Unavailable {
		t.Errorf("got %v", err)
	}
}

func TestJoinAsksForTheOwnCertificate(t *testing.T) {
	w := newWorld(t)
	c := w.config(recipes)
	c.TLS = w.authority.Part("stranger")
	_, err := mesh.Join(c)
	if err == nil || !strings.Contains(err.Error(), mtls.ID("stranger")) || !strings.Contains(err.Error(), mtls.ID(recipes)) {
		t.Errorf("got %v", err)
	}
}

func TestJoinAsksForWhatItNeeds(t *testing.T) {
	w := newWorld(t)
	for name, damage := range map[string]func(*mesh.Config){
		"part":     func(c *mesh.Config) { c.Part = "" },
		"registry": func(c *mesh.Config) { c.Registry = nil },
		"TLS":      func(c *mesh.Config) { c.TLS = nil },
	} {
		c := w.config(recipes)
		damage(&c)
		if _, err := mesh.Join(c); err == nil {
			t.Errorf("joined without %s", name)
		}
	}
}
