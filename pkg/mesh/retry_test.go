package mesh_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fairlead-mesh/fairlead/pkg/mesh"
	meshv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/mesh/v1"
)

// counting answers Get and Put in the same way, and counts the calls. GetPing
// always works.
func counting(n *atomic.Int64, answer func(context.Context) (string, error)) handlers {
	counted := func(ctx context.Context) (string, error) {
		n.Add(1)
		return answer(ctx)
	}
	return handlers{"Get": counted, "Put": counted, "GetPing": works}
}

func fails(code codes.Code) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return "", status.Error(code, "no") }
}

func works(context.Context) (string, error) { return "well", nil }

// hangs does nothing until nobody waits any more.
func hangs(ctx context.Context) (string, error) {
	<-ctx.Done()
	return "", ctx.Err()
}

// unseen is what a server answers whose handler has not seen the call.
func unseen(ctx context.Context) (string, error) {
	if err := grpc.SetTrailer(ctx, metadata.Pairs("x-fairlead-unprocessed", "1")); err != nil {
		return "", err
	}
	return "", status.Error(codes.ResourceExhausted, "too much")
}

// withTrailer fails and says when to come back.
func pushedBack(ms string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		return "", errors.Join(grpc.SetTrailer(ctx, metadata.Pairs("grpc-retry-pushback-ms", ms)), status.Error(codes.Unavailable, "no"))
	}
}

// serving waits until the client has connections to n replicas.
func serving(t *testing.T, m *mesh.Mesh, n int) grpc.ClientConnInterface {
	t.Helper()
	cc := m.Dial(service)
	await(t, "connections to all replicas", func() bool {
		if _, err := call(bounded(t), cc, "/"+service+"/GetPing"); err != nil {
			t.Fatal(err)
		}
		return ready(m) == n
	})
	return cc
}

func ready(m *mesh.Mesh) int {
	n := 0
	for _, s := range m.View().GetServices() {
		for _, i := range s.GetInstances() {
			if i.GetConnectivity() == meshv1.Connectivity_CONNECTIVITY_READY {
				n++
			}
		}
	}
	return n
}

// What one replica cannot answer and may be asked twice, another one answers.
func TestRepeatedOnAnotherReplica(t *testing.T) {
	for name, bad := range map[string]func(context.Context) (string, error){
		"unavailable": fails(codes.Unavailable), "internal": fails(codes.Internal), "refused": unseen,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			var asked atomic.Int64
			w.serve(t, counting(&asked, bad))
			w.serve(t, counting(new(atomic.Int64), works))
			cc := serving(t, w.knowing(t), 2)
			for range 50 {
				if answer, err := call(bounded(t), cc, get); answer != "well" || err != nil {
					t.Fatalf("got %q, %v", answer, err)
				}
			}
			if asked.Load() == 0 {
				t.Error("the replica that fails was never asked: nothing is proved")
			}
		})
	}
}

// What may not be called twice is called once, unless no handler has seen it.
func TestRepeatedOnlyWhenItMayBe(t *testing.T) {
	keyed := metadata.Pairs("idempotency-key", "k")
	for name, test := range map[string]struct {
		method string
		bad    func(context.Context) (string, error)
		md     metadata.MD
		want   int64
	}{
		"safe":                                 {get, fails(codes.Unavailable), nil, 3},
		"not safe":                             {put, fails(codes.Unavailable), nil, 1},
		"not safe, no handler saw it":          {put, unseen, nil, 3},
		"a key that the method has no use for": {put, fails(codes.Unavailable), keyed, 1},
		"the server forbids it":                {get, pushedBack("-1"), nil, 1},
		"an answer":                            {get, fails(codes.NotFound), nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			var asked atomic.Int64
			for range 2 {
				w.serve(t, counting(&asked, func(ctx context.Context) (string, error) { return test.bad(ctx) }))
			}
			cc := serving(t, w.knowing(t), 2)
			asked.Store(0)
			_, err := call(metadata.NewOutgoingContext(bounded(t), test.md), cc, test.method)
			if err == nil || asked.Load() != test.want {
				t.Errorf("asked %d times, want %d: %v", asked.Load(), test.want, err)
			}
		})
	}
}

// A replica that hangs costs a moment and no call.
func TestHangingReplica(t *testing.T) {
	w := newWorld(t)
	var asked atomic.Int64
	w.serve(t, counting(&asked, hangs))
	w.serve(t, counting(new(atomic.Int64), works))
	m := w.knowing(t)
	cc := m.Dial(service)
	ctx := bounded(t)
	for i := 0; i < 300 || asked.Load() == 0; i++ {
		one, cancel := context.WithTimeout(ctx, 2*time.Second)
		answer, err := call(one, cc, get)
		cancel()
		if answer != "well" || err != nil {
			t.Fatalf("call %d: got %q, %v", i, answer, err)
		}
	}
}

// What a handler calls is not repeated when the handler's own call is a repeated
// one: else each tier would multiply the calls.
func TestRepeatsAreNotRepeatedFurtherDown(t *testing.T) {
	for name, test := range map[string]struct {
		md   metadata.MD
		want int64
	}{
		"first":    {nil, 3},
		"repeated": {metadata.Pairs("grpc-previous-rpc-attempts", "1"), 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			var asked atomic.Int64
			w.serve(t, counting(&asked, fails(codes.Unavailable)))
			w.serve(t, counting(&asked, fails(codes.Unavailable)))
			middle := w.config("middle")
			middle.Forward, middle.MethodsOf = true, w.methodsOf
			cc := serving(t, join(t, middle), 2)
			asked.Store(0)
			call(metadata.NewIncomingContext(bounded(t), test.md), cc, get)
			if asked.Load() != test.want {
				t.Errorf("asked %d times, want %d", asked.Load(), test.want)
			}
		})
	}
}

// When some calls of a method take very long, another replica is asked beside, and
// the caller has the answer of the faster one: header, trailer and message.
func TestHedge(t *testing.T) {
	w := newWorld(t)
	var slow atomic.Bool
	for _, name := range []string{"a", "b"} {
		answer := func(ctx context.Context) (string, error) {
			if slow.CompareAndSwap(true, false) {
				return hangs(ctx)
			}
			return name, errors.Join(grpc.SetHeader(ctx, metadata.Pairs("by", name)), grpc.SetTrailer(ctx, metadata.Pairs("by", name)))
		}
		w.serve(t, counting(new(atomic.Int64), answer))
	}
	var hedged atomic.Int64
	c := w.config("client")
	c.MethodsOf = w.methodsOf
	c.Events = func(e mesh.Event) {
		if e.Kind == mesh.Hedged {
			hedged.Add(1)
		}
	}
	cc := serving(t, join(t, c), 2)
	for range 300 { // what is usual has to be known
		if _, err := call(bounded(t), cc, get); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "a hedge", func() bool {
		slow.Store(true)
		var header, trailer metadata.MD
		out := new(wrapperspb.StringValue)
		err := cc.Invoke(bounded(t), get, new(wrapperspb.StringValue), out, grpc.Header(&header), grpc.Trailer(&trailer))
		if by := out.GetValue(); err != nil || header.Get("by")[0] != by || trailer.Get("by")[0] != by {
			t.Fatalf("got %q, %v, header %v, trailer %v", by, err, header, trailer)
		}
		return hedged.Load() > 3
	})
}
