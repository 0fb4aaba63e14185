package rpcserver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/pkg/rpcserver"
)

// The test service. Unary answers what its handler does; Stream calls the same
// handler after the first message.
const (
	service = "acme.recipes.v1.RecipesService"
	unary   = "/" + service + "/Unary"
	stream  = "/" + service + "/Stream"
)

// patience bounds what should happen at once, on a slow machine too.
const patience = 20 * time.Second

type handler func(context.Context) error

func fails(err error) handler { return func(context.Context) error { return err } }

func (h handler) register(s grpc.ServiceRegistrar) {
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: service,
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "Unary", Handler: h.unary}},
		Streams:     []grpc.StreamDesc{{StreamName: "Stream", ClientStreams: true, ServerStreams: true, Handler: h.stream}},
	}, h)
}

func (h handler) unary(_ any, ctx context.Context, dec func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
	in := text()
	if err := dec(in); err != nil {
		return nil, err
	}
	if intercept == nil {
		return in, h(ctx)
	}
	return intercept(ctx, in, &grpc.UnaryServerInfo{FullMethod: unary}, func(ctx context.Context, in any) (any, error) { return in, h(ctx) })
}

func (h handler) stream(_ any, s grpc.ServerStream) error {
	in := text()
	if err := s.RecvMsg(in); err != nil {
		return err
	}
	if err := h(s.Context()); err != nil {
		return err
	}
	return s.SendMsg(in)
}

func text() *wrapperspb.StringValue { return new(wrapperspb.StringValue) }

// running is a server with the test service and all that it has logged.
type running struct {
	*rpcserver.Server
	authority *mtls.Authority
	address   string
	served    chan error
	log       *records
}

// start starts a server; options may be the zero value.
func start(t *testing.T, o rpcserver.Options, h handler) *running {
	t.Helper()
	noLeaks(t)
	a, err := mtls.OpenAuthority(filepath.Join(t.TempDir(), "ca"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	log := new(records)
	o.TLS, o.Logger = a.Part("recipes"), slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s := &running{rpcserver.New(o), a, l.Addr().String(), make(chan error, 1), log}
	h.register(s)
	go func() { s.served <- s.Serve(l); close(s.served) }()
	t.Cleanup(func() { s.end(t) })
	return s
}

func (s *running) end(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Error(err)
	}
	if err := <-s.served; err != nil {
		t.Error(err)
	}
}

// client connects as a part.
func (s *running) client(t *testing.T, part string) *grpc.ClientConn {
	t.Helper()
	return s.connect(t, credentials.NewTLS(mtls.ClientConfig(s.authority.Part(part), mtls.ID("recipes"))))
}

func (s *running) connect(t *testing.T, c credentials.TransportCredentials) *grpc.ClientConn {
	t.Helper()
	cc, err := grpc.NewClient(s.address, grpc.WithTransportCredentials(c), grpc.WithDisableRetry())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cc.Close() })
	return cc
}

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// call calls one of the two methods.
func call(ctx context.Context, cc *grpc.ClientConn, method string) error {
	return send(ctx, cc, method, "")
}

// send is call with a text.
func send(ctx context.Context, cc *grpc.ClientConn, method, value string) error {
	if method == unary {
		return cc.Invoke(ctx, method, wrapperspb.String(value), text())
	}
	s, err := cc.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method)
	if err != nil {
		return err
	}
	// After io.EOF the stream has ended, and RecvMsg tells why.
	if err := s.SendMsg(wrapperspb.String(value)); err != nil && err != io.EOF {
		return err
	}
	return s.RecvMsg(text())
}

// both runs a test for a unary call and for a stream.
func both(t *testing.T, test func(t *testing.T, method string)) {
	t.Helper()
	for _, method := range []string{unary, stream} {
		t.Run(strings.TrimPrefix(method, "/"+service+"/"), func(t *testing.T) { test(t, method) })
	}
}

// records keeps the lines of a log.
type records struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *records) Write(line []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(line)
}

// await returns the lines of calls of a method, once there is one: a line is
// written after the caller has its answer.
func (r *records) await(t *testing.T, method string) []map[string]any {
	t.Helper()
	var lines []map[string]any
	await(t, "a line in the log", func() bool { lines = r.of(t, method); return len(lines) > 0 })
	return lines
}

func (r *records) of(t *testing.T, method string) (lines []map[string]any) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for line := range strings.Lines(r.text.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if m["rpc.method"] == method {
			lines = append(lines, m)
		}
	}
	return lines
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
