package status

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/discovery/etcd"
	"github.com/fairlead-mesh/fairlead/pkg/discovery/memory"
	"github.com/fairlead-mesh/fairlead/pkg/mesh"
	"github.com/fairlead-mesh/fairlead/pkg/mesh/status"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/pkg/policy"
	"github.com/fairlead-mesh/fairlead/pkg/rpcserver"
	identityv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/identity/v1"
	meshv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/mesh/v1"
)

// soon bounds what should happen at once, on a slow machine too.
const soon = 20 * time.Second

// world is a mesh of real parts in this process.
type world struct {
	registry  *memory.Registry
	authority *mtls.Authority
}

func newWorld(t *testing.T) *world {
	t.Helper()
	a, err := mtls.OpenAuthority(filepath.Join(t.TempDir(), "ca"))
	if err != nil {
		t.Fatal(err)
	}
	return &world{memory.New(), a}
}

// identity is a replica of the service. It fails as it is told.
type identity struct {
	identityv1.UnimplementedIdentityServiceServer
	err error
}

// LookupUsers implements identityv1.IdentityServiceServer.
func (i identity) LookupUsers(context.Context, *identityv1.LookupUsersRequest) (*identityv1.LookupUsersResponse, error) {
	return new(identityv1.LookupUsersResponse), i.err
}

// start starts a replica of a part, which serves identity if it is that.
func (w *world) start(t *testing.T, part, id string, serves *identity) *mesh.Mesh {
	t.Helper()
	log, source := slog.New(slog.DiscardHandler), w.authority.Part(part)
	m, err := mesh.Join(mesh.Config{Part: part, ID: id, Registry: w.registry, TLS: source, Logger: log, DrainDelay: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close(context.Background()) })
	methods := methodsOf(t, status.API)
	server := rpcserver.New(rpcserver.Options{TLS: source, Logger: log, Policy: func(method string) *policy.Policy { return methods[method] }})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var api [][]byte
	if serves != nil {
		identityv1.RegisterIdentityServiceServer(server, serves)
		image, err := os.ReadFile("../../services/identity/api.binpb")
		if err != nil {
			t.Fatal(err)
		}
		api = append(api, image)
	}
	if err := m.Serve(t.Context(), l, server, api...); err != nil {
		t.Fatal(err)
	}
	return m
}

func methodsOf(t *testing.T, api []byte) mesh.Methods {
	t.Helper()
	set, err := descriptor.Parse(api)
	if err != nil {
		t.Fatal(err)
	}
	return mesh.ReadMethods(set)
}

// collector asks as a part.
func (w *world) collector(t *testing.T, part string) *Collector {
	t.Helper()
	return New(t.Context(), Options{
		Registry: w.registry, TLS: w.authority.Part(part),
		Members: func(context.Context) ([]etcd.Member, error) {
			return []etcd.Member{{Name: "a", Leader: true}, {Name: "b", Err: errors.New("it is\ngone")}, {Name: "c", Alarms: []string{"NOSPACE"}}}, nil
		},
	})
}

func collect(t *testing.T, c *Collector) *meshv1.MeshStatus {
	t.Helper()
	m, err := c.Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// One of three replicas fails. The caller leaves it out, and the operator reads
// whom, since when and why.
func TestEjectedInstanceIsSeen(t *testing.T) {
	w := newWorld(t)
	w.start(t, "identity", "identity-aaa", new(identity))
	w.start(t, "identity", "identity-bbb", new(identity))
	w.start(t, "identity", "identity-ccc", &identity{err: grpcstatus.Error(codes.Unavailable, "not today")})
	edge := w.start(t, "edge", "edge-ddd", nil)
	client := identityv1.NewIdentityServiceClient(edge.Dial(identityService))
	c := w.collector(t, "operator")
	var m *meshv1.MeshStatus
	for end := time.Now().Add(soon); time.Now().Before(end); {
		for range 100 {
			client.LookupUsers(t.Context(), new(identityv1.LookupUsersRequest)) // some fail
		}
		if m = collect(t, c); find(t, m, "identity").Usable == 2 {
			break
		}
	}
	text := Text(m, Style{})
	for _, want := range []string{
		`\nidentity +2/3 .* identity-ccc ejected \d s ago: .*Unavailable, (retry|being tried)`,
		`\nedge → identity +1 client\n`, `\netcd +1/3 members, leader a, b: it is gone, c: NOSPACE\n`,
	} {
		if !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("the status has no %s:\n%s", want, text)
		}
	}
	if i := find(t, m, "identity").Instances[2]; len(i.EjectedBy) != 1 || i.EjectedBy[0] != "edge-ddd" || !i.Answered || !i.Registered {
		t.Errorf("the instance is %v", i)
	}
}

// Only the operator and the edge may ask.
func TestOthersMayNotAsk(t *testing.T) {
	w := newWorld(t)
	w.start(t, "edge", "edge-ddd", nil)
	for part, want := range map[string]string{"operator": "", "edge": "", "social": "PermissionDenied"} {
		m := collect(t, w.collector(t, part))
		if got := m.Parts[0].Error; !strings.HasPrefix(got, want) || got == "" != (want == "") {
			t.Errorf("to %s it answers %q", part, got)
		}
	}
}

// Who does not answer, or answers for somebody else, is shown as such, and costs no
// more than a second.
func TestSilence(t *testing.T) {
	w := newWorld(t)
	w.start(t, "edge", "edge-ddd", nil)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	var other string
	list, err := w.collector(t, "operator").instances(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	other = list[0].Address
	for n, i := range []discovery.Instance{
		{Identity: mtls.ID("silent"), Address: silent.Addr().String()},
		{Identity: mtls.ID("gone"), Address: "127.0.0.1:1"},
		{Identity: mtls.ID("stranger"), Address: other},
		{Identity: mtls.ID("edge"), Address: other},
	} {
		i.ID, i.Service, i.Digest = status.InstanceID("x"+string(rune('0'+n)), partOf(i.Identity)), status.Service, descriptor.Digest(status.API)
		if _, err := w.registry.Register(t.Context(), []discovery.Instance{i}, discovery.Descriptors{Digest: i.Digest, Image: status.API}); err != nil {
			t.Fatal(err)
		}
	}
	c, began := w.collector(t, "operator"), time.Now()
	m := collect(t, c)
	if took := time.Since(began); took > 5*askTime {
		t.Errorf("it has taken %v", took)
	}
	said := make(map[string]string)
	for _, p := range m.Parts {
		said[p.Name] = p.Error
	}
	for name, want := range map[string]string{
		"edge-ddd": "", "silent-x0": "no answer within 1 s", "gone-x1": "refused", "stranger-x2": "spiffe://fairlead/edge", "edge-x3": "edge.edge-ddd answers at its address",
	} {
		if got := said[name]; !strings.Contains(got, want) || got == "" != (want == "") {
			t.Errorf("%s: %q", name, got)
		}
	}
	if m.Ok {
		t.Error("all is well")
	}
}

// A registry that never answers is an error, and not a mesh without parts.
func TestRegistryThatIsAway(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	c := New(t.Context(), Options{Registry: away{}, TLS: newWorld(t).authority.Part("operator")})
	if _, err := c.Collect(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	var out bytes.Buffer
	if err := (Output{To: &out}).Watch(ctx, c); err != nil || out.Len() > 0 {
		t.Errorf("watching: %v, %q", err, out.String())
	}
}

// away is a registry that says nothing.
type away struct{ discovery.Registry }

// Watch implements discovery.Registry.
func (away) Watch(ctx context.Context, _ string, _ func([]discovery.Instance)) { <-ctx.Done() }
