package e2e_test

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/discovery/etcd"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/test/harness"
)

// stranger is a part that has a certificate and writes into the registry what it
// likes. Nothing in it is of the kit, which would not let it.
type stranger struct {
	identity string
	address  string
	registry *etcd.Registry
	calls    atomic.Int64 // that reached it
}

// newStranger lets a part of that name join the mesh of a development system. It
// serves what register registers; all other calls it only counts.
func newStranger(t *testing.T, s *harness.System, part string, register ...func(grpc.ServiceRegistrar)) *stranger {
	t.Helper()
	source := certificate(t, s, part)
	x := &stranger{identity: mtls.ID(part), registry: registry(t, s, source)}
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(mtls.ServerConfig(source))),
		grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error {
			x.calls.Add(1)
			return status.Error(codes.Internal, "a call has reached the stranger")
		}))
	for _, r := range register {
		r(server)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	x.address = l.Addr().String()
	var wg sync.WaitGroup
	wg.Go(func() { server.Serve(l) }) // returns after Stop
	t.Cleanup(func() { server.Stop(); wg.Wait() })
	return x
}

// certificate is one that the development authority of a system makes for a part.
func certificate(t *testing.T, s *harness.System, part string) mtls.Source {
	t.Helper()
	ca, err := mtls.OpenAuthority(filepath.Join(s.Dir, "ca"))
	if err != nil {
		t.Fatal(err)
	}
	return ca.Part(part)
}

// etcdTLS is how any program talks to the embedded etcd, with a certificate.
func etcdTLS(t *testing.T, source mtls.Source) *tls.Config {
	t.Helper()
	cert, errCert := source.Certificate()
	roots, errRoots := source.Roots()
	if err := errors.Join(errCert, errRoots); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{*cert}, RootCAs: roots, MinVersion: tls.VersionTLS13}
}

// registry opens the registry of a system.
func registry(t *testing.T, s *harness.System, source mtls.Source) *etcd.Registry {
	t.Helper()
	r, err := etcd.Open(etcd.Options{
		Endpoints: []string{"https://" + s.Etcd}, TLS: etcdTLS(t, source), Prefix: s.Prefix, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
		defer cancel()
		if err := r.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return r
}

// claim registers the stranger for a service, with that descriptor set.
func (x *stranger) claim(t *testing.T, service string, image []byte) {
	t.Helper()
	digest := descriptor.Digest(image)
	_, err := x.registry.Register(t.Context(), []discovery.Instance{{
		ID: cmp.Or(x.registry.InstanceID(), "stranger"), Service: service, Address: x.address, Identity: x.identity, Digest: digest,
	}}, discovery.Descriptors{Digest: digest, Image: image})
	if err != nil {
		t.Fatal(err)
	}
}

// instances returns those of a service that are registered now and do not drain.
func instances(t *testing.T, r *etcd.Registry, service string) []discovery.Instance {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), harness.Patience)
	defer cancel()
	var now []discovery.Instance
	r.Watch(ctx, service, func(list []discovery.Instance) {
		now = slices.DeleteFunc(slices.Clone(list), func(i discovery.Instance) bool { return i.Draining })
		cancel()
	})
	return now
}
