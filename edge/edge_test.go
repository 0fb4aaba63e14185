package edge_test

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"

	"github.com/fairlead-mesh/fairlead/edge"
	"github.com/fairlead-mesh/fairlead/edge/event"
	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/discovery/memory"
	"github.com/fairlead-mesh/fairlead/pkg/raw"
	principalv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/principal/v1"
)

//go:embed testdata/kitchen.binpb
var kitchen []byte

const kitchenService = "acme.kitchen.v1.KitchenService"

// patience bounds what should happen at once, on a slow machine too.
const patience = 20 * time.Second

// world is an edge with the kitchen behind it.
type world struct {
	*edge.Edge
	registry *memory.Registry
	address  string

	mu      sync.Mutex
	seen    metadata.MD                 // what the service got with the last call
	respond func(context.Context) error // what the service does before it echoes
}

// open starts an edge and registers the kitchen.
func open(t *testing.T) *world {
	w := start(t, everything{}, edge.Config{Issuer: "issuer", Audience: "app", Reflection: true})
	w.register(t, kitchenService, "spiffe://fairlead/kitchen", kitchen)
	w.await(t, "/"+kitchenService+"/Cook")
	return w
}

func start(t *testing.T, grants grants, c edge.Config) *world {
	t.Helper()
	w := &world{registry: memory.New()}
	w.serve(t, grants, c, w.mesh(t))
	return w
}

// startBefore starts an edge before another seam than the kitchen's.
func startBefore(t *testing.T, mesh raw.Caller) *world {
	t.Helper()
	w := &world{registry: memory.New()}
	w.serve(t, everything{}, edge.Config{}, mesh)
	return w
}

func (w *world) serve(t *testing.T, grants grants, c edge.Config, mesh raw.Caller) {
	t.Helper()
	keys := issuer(t)
	if c.JWKS == "" {
		c.JWKS = keys
	}
	e, err := edge.New(edge.Options{
		Registry: w.registry, Mesh: mesh, Descriptors: descriptor.NewCache(w.registry.Descriptors),
		Grants: grants, Signer: plainSigner{}, Logger: slog.New(slog.DiscardHandler), Config: c,
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.Edge, w.address = e, l.Addr().String()
	var wg sync.WaitGroup
	wg.Go(func() { e.Run(t.Context(), nil) })
	wg.Go(func() { e.Serve(l) })
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := e.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		wg.Wait()
	})
}

type grants interface {
	MayServe(identity, service string) bool
	MayRoute(identity, path string) bool
}

type everything struct{}

func (everything) MayServe(_, _ string) bool { return true }
func (everything) MayRoute(_, _ string) bool { return true }

// plainSigner signs nothing: the name is the envelope.
type plainSigner struct{}

func (plainSigner) Sign(p *principalv1.Principal) (string, error) { return p.Name, nil }

// mesh returns a seam behind which every method echoes its messages.
func (w *world) mesh(t *testing.T) raw.Caller {
	t.Helper()
	s := grpc.NewServer(grpc.ForceServerCodecV2(raw.Codec{}), grpc.UnknownServiceHandler(w.echo))
	l := bufconn.Listen(1 << 20)
	go s.Serve(l) // returns after Stop
	t.Cleanup(s.Stop)
	cc, err := grpc.NewClient("passthrough:kitchen", grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDisableRetry(),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cc.Close() })
	return raw.FromConn(cc)
}

func (w *world) echo(_ any, s grpc.ServerStream) error {
	md, _ := metadata.FromIncomingContext(s.Context())
	w.mu.Lock()
	w.seen = md
	respond := w.respond
	w.mu.Unlock()
	if respond != nil {
		if err := respond(s.Context()); err != nil {
			return err
		}
	}
	if err := s.SetHeader(metadata.Pairs("x-spice", strings.Join(md.Get("x-spice"), ""), "x-internal", "host-17")); err != nil {
		return err
	}
	for {
		var m raw.Message
		if err := s.RecvMsg(&m); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		b := bytes.Clone(m.Bytes())
		m.Free()
		if err := s.SendMsg(&b); err != nil {
			return err
		}
	}
}

// answer makes the service do something before it echoes.
func (w *world) answer(f func(context.Context) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.respond = f
}

// got returns what metadata the service got with the last call.
func (w *world) got(key string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.seen.Get(key), ",")
}

func (w *world) register(t *testing.T, service, identity string, image []byte) discovery.Registration {
	t.Helper()
	digest := descriptor.Digest(image)
	r, err := w.registry.Register(t.Context(), []discovery.Instance{{
		ID: "i-" + identity[strings.LastIndexByte(identity, '/')+1:], Service: service, Address: "127.0.0.1:1", Identity: identity, Digest: digest,
	}}, discovery.Descriptors{Digest: digest, Image: image})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// eventually waits until check is true.
func eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for !check() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// await waits until a method is served.
func (w *world) await(t *testing.T, method string) {
	t.Helper()
	eventually(t, method+" is served", func() bool { return w.Table().Method(method) != nil })
}

// refused returns why a subject was refused, "" when it was not.
func (w *world) refused(subject string) string {
	for _, e := range w.Events() {
		if e.Kind == event.Refused && e.Subject == subject {
			return e.Reason
		}
	}
	return ""
}

// response is what REST answered.
type response struct {
	status int
	header http.Header
	body   string
}

// do makes a REST request; headers are "Key: value".
func (w *world) do(t *testing.T, method, path, body string, headers ...string) response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+w.address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		k, v, _ := strings.Cut(h, ": ")
		r.Header.Add(k, v)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response{resp.StatusCode, resp.Header, string(b)}
}

// failure is a google.rpc.Status in JSON.
type failure struct {
	Code    int
	Message string
	Details []struct {
		Type            string `json:"@type"`
		Reason, Domain  string
		RequestID       string `json:"requestId"`
		FieldViolations []struct{ Field, Description string }
	}
}

func (r response) failure(t *testing.T) failure {
	t.Helper()
	var f failure
	if err := json.Unmarshal([]byte(r.body), &f); err != nil || f.Message == "" {
		t.Fatalf("%d %q is not a google.rpc.Status: %v", r.status, r.body, err)
	}
	return f
}

// reason returns the reason of the ErrorInfo.
func (f failure) reason() string {
	for _, d := range f.Details {
		if d.Reason != "" {
			return d.Reason
		}
	}
	return ""
}

// field returns the path of the first field violation.
func (f failure) field() string {
	for _, d := range f.Details {
		if len(d.FieldViolations) > 0 {
			return d.FieldViolations[0].Field
		}
	}
	return ""
}
