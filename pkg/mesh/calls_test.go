package mesh_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/pkg/policy"
	"github.com/fairlead-mesh/fairlead/pkg/principal"
	"github.com/fairlead-mesh/fairlead/pkg/rpcserver"
	principalv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/principal/v1"
)

func text() *wrapperspb.StringValue { return new(wrapperspb.StringValue) }

// A call without a deadline gets 5 s, which the server sees; one that has a
// deadline keeps it.
func TestDeadlineOfACall(t *testing.T) {
	w := newWorld(t)
	h := handlers{"Get": func(ctx context.Context) (string, error) {
		end, _ := ctx.Deadline()
		return time.Until(end).String(), nil
	}}
	server := rpcserver.New(rpcserver.Options{
		TLS: w.authority.Part(recipes), Logger: slog.New(slog.DiscardHandler),
		Policy: func(string) *policy.Policy { return &policy.Policy{Timeout: time.Hour} },
	})
	h.register(server, service)
	if err := join(t, w.config(recipes)).Serve(bounded(t), listen(t), server, h.image(t)); err != nil {
		t.Fatal(err)
	}
	cc := w.client(t).Dial(service)
	for _, test := range []struct {
		ctx      context.Context
		min, max time.Duration
	}{
		{t.Context(), 0, 5 * time.Second},
		{bounded(t), 5 * time.Second, patience},
	} {
		answer, err := call(test.ctx, cc, get)
		if err != nil {
			t.Fatal(err)
		}
		if left, err := time.ParseDuration(answer); err != nil || left <= test.min || left > test.max {
			t.Errorf("the server had %s, want %s to %s", answer, test.min, test.max)
		}
	}
}

// chain is a part that is called, and calls recipes while it handles the call. It
// answers what metadata recipes got, or the principal.
func (w *world) chain(t *testing.T, forward bool, change func(context.Context) context.Context) grpc.ClientConnInterface {
	t.Helper()
	verifier := principal.NewVerifier(w.authority.Part(recipes), mtls.ID("edge"))
	server := rpcserver.New(rpcserver.Options{
		TLS: w.authority.Part(recipes), Logger: slog.New(slog.DiscardHandler), Principal: verifier.Incoming,
	})
	last := handlers{"Get": func(ctx context.Context) (string, error) {
		md, _ := metadata.FromIncomingContext(ctx)
		who, _ := principal.FromContext(ctx)
		return fmt.Sprintf("%q %s %s %s %s %s %s", who.GetName(), md["x-request-id"], md["x-fairlead-criticality"], md["x-fairlead-device"],
			md["x-fairlead-app-version"], md["idempotency-key"], md["x-other"]), nil
	}}
	last.register(server, service)
	if err := join(t, w.config(recipes)).Serve(bounded(t), listen(t), server, last.image(t)); err != nil {
		t.Fatal(err)
	}
	c := w.config("menus")
	c.Forward = forward
	m := join(t, c)
	first := rpcserver.New(rpcserver.Options{TLS: w.authority.Part("menus"), Logger: slog.New(slog.DiscardHandler)})
	next := handlers{
		"Get":    func(ctx context.Context) (string, error) { return call(change(ctx), m.Dial(service), get) },
		"Stream": func(ctx context.Context) (string, error) { return stream(change(ctx), m.Dial(service), get) },
	}
	next.register(first, menus)
	api := image(t, menus, method("Get", ".google.protobuf.StringValue"), method("Stream", ".google.protobuf.StringValue"))
	if err := m.Serve(bounded(t), listen(t), first, api); err != nil {
		t.Fatal(err)
	}
	return w.client(t).Dial(menus)
}

const menus = "acme.menus.v1.MenusService"

// stream calls a unary method as a stream, which is the same on the wire.
func stream(ctx context.Context, cc grpc.ClientConnInterface, method string) (string, error) {
	s, err := cc.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method)
	if err != nil {
		return "", err
	}
	// After io.EOF the stream has ended, and RecvMsg tells why.
	if err := s.SendMsg(text()); err != nil && err != io.EOF {
		return "", err
	}
	if err := s.CloseSend(); err != nil {
		return "", err
	}
	answer := text()
	err = s.RecvMsg(answer)
	return answer.Value, err
}

// incoming is the context of a client whose request has all that may travel, and
// some that may not.
func (w *world) incoming(t *testing.T) context.Context {
	t.Helper()
	envelope, err := principal.NewSigner(w.authority.Part("edge")).Sign(&principalv1.Principal{
		Kind: principalv1.Principal_KIND_USER, Name: "users/ann",
	})
	if err != nil {
		t.Fatal(err)
	}
	return metadata.AppendToOutgoingContext(bounded(t), principal.MetadataKey, envelope,
		"x-request-id", "r1", "x-fairlead-criticality", "SHEDDABLE", "x-fairlead-device", "d1", "x-fairlead-app-version", "1.2",
		"idempotency-key", "k1", "x-other", "o1")
}

func TestForward(t *testing.T) {
	same := func(ctx context.Context) context.Context { return ctx }
	byHand := func(ctx context.Context) context.Context {
		return metadata.AppendToOutgoingContext(ctx, "x-request-id", "r2")
	}
	for name, test := range map[string]struct {
		forward bool
		change  func(context.Context) context.Context
		want    string
	}{
		"travels":     {true, same, `"users/ann" [r1] [SHEDDABLE] [d1] [1.2] [] []`},
		"set by hand": {true, byHand, `"users/ann" [r2] [SHEDDABLE] [d1] [1.2] [] []`},
		"not asked":   {false, same, `"" [] [] [] [] [] []`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			cc := w.chain(t, test.forward, test.change)
			for _, method := range []string{"/" + menus + "/Get", "/" + menus + "/Stream"} {
				got, err := call(w.incoming(t), cc, method)
				if err != nil || got != test.want {
					t.Errorf("%s: got %q, %v, want %q", method, got, err, test.want)
				}
			}
		})
	}
}

// isCallees checks that a handler which returns the error does not pass it off as
// its own, and that the status can be read.
func isCallees(t *testing.T, what string, err error, code codes.Code) {
	t.Helper()
	if _, ok := errors.AsType[*errs.CalleeError](err); !ok {
		t.Errorf("%s: %v is not marked", what, err)
	}
	if status.Code(err) != code {
		t.Errorf("%s: got %v, want %s", what, err, code)
	}
}

func TestErrorsOfCalleesAreMarked(t *testing.T) {
	w := newWorld(t)
	w.serve(t, handlers{"Get": func(context.Context) (string, error) {
		return "", status.Error(codes.NotFound, "no such recipe")
	}})
	m := w.client(t)
	_, err := call(bounded(t), m.Dial(service), get)
	isCallees(t, "unary", err, codes.NotFound)
	_, err = stream(bounded(t), m.Dial(service), get)
	isCallees(t, "stream", err, codes.NotFound)
	_, err = call(bounded(t), m.Dial(menus), "/"+menus+"/Get")
	isCallees(t, "nobody there", err, codes.Unavailable)
	_, err = stream(bounded(t), m.Dial(menus), "/"+menus+"/Get")
	isCallees(t, "nobody there, stream", err, codes.Unavailable)
	closed(t, m)
	_, err = call(bounded(t), m.Dial(service), get)
	isCallees(t, "left", err, codes.Unavailable)
	_, err = stream(bounded(t), m.Dial(service), get)
	isCallees(t, "left, stream", err, codes.Unavailable)
}

// The names of services may come from outside; not every name takes memory for
// ever.
func TestServicesAreBounded(t *testing.T) {
	w := newWorld(t)
	w.serve(t, says("a"))
	m := w.client(t)
	cc := m.Dial(service)
	for n := range 999 {
		m.Dial(fmt.Sprintf("made.up%d.Service", n))
	}
	_, err := call(bounded(t), m.Dial("one.too.Many"), "/one.too.Many/Get")
	isCallees(t, "one too many", err, codes.Unavailable)
	if !strings.Contains(status.Convert(err).Message(), "more than 1000 services") {
		t.Errorf("got %v", err)
	}
	if _, err := m.Caller().Invoke(bounded(t), "/one.too.Many/Get", nil); status.Code(err) != codes.Unavailable {
		t.Errorf("got %v", err)
	}
	if answer, err := call(bounded(t), cc, get); answer != "a" || err != nil {
		t.Errorf("a service that was known: got %q, %v", answer, err)
	}
}
