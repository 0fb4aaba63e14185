package service_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/fairlead-mesh/fairlead/pkg/config"
	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/discovery/memory"
	"github.com/fairlead-mesh/fairlead/pkg/errs"
	"github.com/fairlead-mesh/fairlead/pkg/host"
	"github.com/fairlead-mesh/fairlead/pkg/mesh"
	"github.com/fairlead-mesh/fairlead/pkg/mesh/status"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/pkg/principal"
	"github.com/fairlead-mesh/fairlead/pkg/service"
	"github.com/fairlead-mesh/fairlead/pkg/telemetry"
	identityv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/identity/v1"
	principalv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/principal/v1"
)

// patience bounds what should happen at once, on a slow machine too.
const patience = 20 * time.Second

// identity is a service with a real proto. It greets everybody, and knows of users
// only who calls.
type identity struct {
	identityv1.UnimplementedIdentityServiceServer
	greeting string
	closed   int
}

// settings are its configuration.
type settings struct {
	Greeting string `config:"greeting" default:"hello" help:"what it says"`
}

func (s *identity) Register(r grpc.ServiceRegistrar) { identityv1.RegisterIdentityServiceServer(r, s) }
func (s *identity) Close() error                     { s.closed++; return nil }

func (s *identity) SignInAnonymous(context.Context, *identityv1.SignInAnonymousRequest) (*identityv1.SignInAnonymousResponse, error) {
	return &identityv1.SignInAnonymousResponse{AccessToken: s.greeting}, nil
}

func (s *identity) GetUser(ctx context.Context, req *identityv1.GetUserRequest) (*identityv1.GetUserResponse, error) {
	who, _ := principal.FromContext(ctx)
	if who.GetName() != req.GetName() {
		return nil, errs.NotFound(identityv1.Reason_REASON_USER_NOT_FOUND, "there is no such user")
	}
	return &identityv1.GetUserResponse{User: &identityv1.User{Name: who.GetName()}}, nil
}

// part is identity as a part; the image may be another than its own.
func (s *identity) part(api []byte) service.Part {
	return service.Define("identity", api, func(_ context.Context, _ *mesh.Mesh, cfg settings) (service.Service, error) {
		s.greeting = cfg.Greeting
		return s, nil
	})
}

// api is the image that the real identity publishes.
func api(t *testing.T) []byte { return apiOf(t, "identity") }

func apiOf(t *testing.T, part string) []byte {
	t.Helper()
	b, err := os.ReadFile("../../services/" + part + "/api.binpb")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// newHost is a process with everything in memory. When the test ends, everything
// that was started in it must have ended.
func newHost(t *testing.T, env ...string) (*host.Host, *mtls.Authority) {
	t.Helper()
	noLeaks(t)
	authority, err := mtls.OpenAuthority(filepath.Join(t.TempDir(), "ca"))
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := telemetry.New(telemetry.Options{Part: "test"})
	if err != nil {
		t.Fatal(err)
	}
	registry := memory.New()
	return &host.Host{
		Registry: registry, Descriptors: descriptor.NewCache(registry.Descriptors),
		Source: host.DevelopmentSources(authority), Grants: mesh.ByName, InstanceID: "process-1",
		Telemetry: metrics, Logger: slog.New(slog.DiscardHandler), Env: config.Env(env),
	}, authority
}

// start starts a part until the test ends.
func start(t *testing.T, h *host.Host, p service.Part) *service.Running {
	t.Helper()
	r, err := p.Start(bounded(t), h, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, r) })
	return r
}

func stop(t *testing.T, r *service.Running) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := r.Close(ctx); err != nil {
		t.Error(err)
	}
}

// client joins as another part, and returns a client of identity.
func client(t *testing.T, h *host.Host) identityv1.IdentityServiceClient {
	t.Helper()
	return identityv1.NewIdentityServiceClient(member(t, h).Dial("fairlead.identity.v1.IdentityService"))
}

// member joins as a part that only calls.
func member(t *testing.T, h *host.Host) *mesh.Mesh {
	t.Helper()
	m, err := h.Join("client", false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(context.Background()); err != nil { // waits for nothing
			t.Error(err)
		}
	})
	return m
}

// signed is a context whose calls carry users/ann, in an envelope that a part has
// signed.
func signed(t *testing.T, authority *mtls.Authority, part string) context.Context {
	t.Helper()
	envelope, err := principal.NewSigner(authority.Part(part)).Sign(&principalv1.Principal{
		Kind: principalv1.Principal_KIND_USER, Name: "users/ann",
	})
	if err != nil {
		t.Fatal(err)
	}
	return metadata.AppendToOutgoingContext(bounded(t), principal.MetadataKey, envelope)
}

// instances lists what is registered now.
func instances(t *testing.T, h *host.Host) []discovery.Instance {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var list []discovery.Instance
	h.Registry.Watch(ctx, "", func(now []discovery.Instance) { list = now; cancel() })
	// What operators ask every part is there with every part.
	return slices.DeleteFunc(list, func(i discovery.Instance) bool { return i.Service == status.Service })
}

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// noLeaks fails a test that leaves goroutines behind.
func noLeaks(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for end := time.Now().Add(patience); time.Now().Before(end); <-tick.C {
			if runtime.NumGoroutine() <= before {
				return
			}
		}
		stacks := make([]byte, 1<<20)
		t.Errorf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
	})
}
