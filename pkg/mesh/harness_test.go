package mesh_test

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fairlead-mesh/fairlead/pkg/discovery/memory"
	"github.com/fairlead-mesh/fairlead/pkg/mesh"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/pkg/rpcserver"
)

// The service that most tests call, the part that serves it, and its method.
const (
	recipes = "recipes"
	service = "acme.recipes.v1.RecipesService"
	get     = "/" + service + "/Get"
)

// patience bounds what should happen at once, on a slow machine too.
const patience = 20 * time.Second

// world is what the parts of a mesh share.
type world struct {
	registry  *memory.Registry
	authority *mtls.Authority
}

// newWorld makes a mesh that nobody is in. When the test ends, everything that was
// started in it must have ended.
func newWorld(t *testing.T) *world {
	t.Helper()
	noLeaks(t)
	a, err := mtls.OpenAuthority(filepath.Join(t.TempDir(), "ca"))
	if err != nil {
		t.Fatal(err)
	}
	return &world{memory.New(), a}
}

// noLeaks fails a test that leaves goroutines behind.
func noLeaks(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		if within(patience, func() bool { return runtime.NumGoroutine() <= before }) {
			return
		}
		stacks := make([]byte, 1<<20)
		t.Errorf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
	})
}

// within asks until the answer is yes, for at most d.
func within(d time.Duration, yes func() bool) bool {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(d); time.Now().Before(end); <-tick.C {
		if yes() {
			return true
		}
	}
	return yes()
}

// await fails a test where what is awaited does not happen.
func await(t *testing.T, what string, yes func() bool) {
	t.Helper()
	if !within(patience, yes) {
		t.Fatalf("not within %s: %s", patience, what)
	}
}

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// config is that of a part; tests change it before they join.
func (w *world) config(part string) mesh.Config {
	return mesh.Config{
		Part: part, Registry: w.registry, TLS: w.authority.Part(part),
		DrainDelay: 50 * time.Millisecond, Logger: slog.New(slog.DiscardHandler),
	}
}

func join(t *testing.T, c mesh.Config) *mesh.Mesh {
	t.Helper()
	m, err := mesh.Join(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, m) })
	return m
}

func closed(t *testing.T, m *mesh.Mesh) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := m.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
}

// client joins as a part that only calls.
func (w *world) client(t *testing.T) *mesh.Mesh {
	t.Helper()
	return join(t, w.config("client"))
}

// serve starts a replica of the part recipes with these methods.
func (w *world) serve(t *testing.T, h handlers) *mesh.Mesh {
	t.Helper()
	m := join(t, w.config(recipes))
	w.serveOn(t, m, listen(t), h)
	return m
}

func (w *world) serveOn(t *testing.T, m *mesh.Mesh, l net.Listener, h handlers) {
	t.Helper()
	if err := m.Serve(bounded(t), l, w.server(recipes, h), h.image(t)); err != nil {
		t.Fatal(err)
	}
}

// server makes a server of a part that has the service.
func (w *world) server(part string, h handlers) *rpcserver.Server {
	s := rpcserver.New(rpcserver.Options{TLS: w.authority.Part(part), Logger: slog.New(slog.DiscardHandler)})
	h.register(s, service)
	return s
}

func listen(t *testing.T) *listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return &listener{Listener: l}
}

// listener remembers its connections, to be able to end like a process that is
// killed.
type listener struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.conns = append(l.conns, c)
	}
	return c, err
}

func (l *listener) kill() {
	l.Listener.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		c.Close()
	}
}

// handlers are the methods of a service, by name. They answer a text.
type handlers map[string]func(context.Context) (string, error)

// says makes a service whose method Get answers a text.
func says(text string) handlers {
	return handlers{"Get": func(context.Context) (string, error) { return text, nil }}
}

func (h handlers) register(s grpc.ServiceRegistrar, service string) {
	desc := &grpc.ServiceDesc{ServiceName: service, HandlerType: (*any)(nil)}
	for name, handle := range h {
		method := func(_ any, ctx context.Context, dec func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
			in := new(wrapperspb.StringValue)
			if err := dec(in); err != nil {
				return nil, err
			}
			answer := func(ctx context.Context, _ any) (any, error) {
				out, err := handle(ctx)
				return wrapperspb.String(out), err
			}
			if intercept == nil {
				return answer(ctx, in)
			}
			return intercept(ctx, in, &grpc.UnaryServerInfo{FullMethod: "/" + service + "/" + name}, answer)
		}
		desc.Methods = append(desc.Methods, grpc.MethodDesc{MethodName: name, Handler: method})
	}
	s.RegisterService(desc, h)
}

// image describes the service with these methods.
func (h handlers) image(t *testing.T) []byte {
	t.Helper()
	var methods []*descriptorpb.MethodDescriptorProto
	for name := range h {
		methods = append(methods, method(name, ".google.protobuf.StringValue"))
	}
	return image(t, service, methods...)
}

// method describes a method; those that begin with Get may be repeated.
func method(name, message string) *descriptorpb.MethodDescriptorProto {
	m := &descriptorpb.MethodDescriptorProto{Name: &name, InputType: &message, OutputType: &message}
	if strings.HasPrefix(name, "Get") {
		m.Options = &descriptorpb.MethodOptions{IdempotencyLevel: descriptorpb.MethodOptions_NO_SIDE_EFFECTS.Enum()}
	}
	return m
}

func image(t *testing.T, service string, methods ...*descriptorpb.MethodDescriptorProto) []byte {
	t.Helper()
	dot := strings.LastIndexByte(service, '.')
	wrappers := protodesc.ToFileDescriptorProto(wrapperspb.File_google_protobuf_wrappers_proto)
	b, err := proto.Marshal(&descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{wrappers, {
		Name: proto.String("api.proto"), Package: proto.String(service[:dot]), Syntax: proto.String("proto3"),
		Dependency: []string{wrappers.GetName()},
		Service:    []*descriptorpb.ServiceDescriptorProto{{Name: proto.String(service[dot+1:]), Method: methods}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// call calls a method that takes and answers a text.
func call(ctx context.Context, cc grpc.ClientConnInterface, method string) (string, error) {
	out := new(wrapperspb.StringValue)
	err := cc.Invoke(ctx, method, new(wrapperspb.StringValue), out)
	return out.GetValue(), err
}
