// Package load calls the echo service through the mesh, as a service team would, at a
// rate of its own: a call begins when it is due, whether others are answered or not,
// and its time counts from then on, so that a server which hangs slows nothing down
// but itself (no coordinated omission). What came of the calls is written in slots of
// a tenth of a second.
package load

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/fairlead-mesh/fairlead/pkg/mesh"
	"github.com/fairlead-mesh/fairlead/pkg/raw"
	echov1 "github.com/fairlead-mesh/fairlead/test/gen/go/acme/echo/v1"
)

// What calls end with, beside the codes of gRPC.
const (
	// OK is the code of an answer.
	OK = "OK"
	// NotSent is for calls that found MaxOutstanding others under way.
	NotSent = "NOT_SENT"
	// Wrong is for answers to something else.
	Wrong = "WRONG_ANSWER"
)

// MaxOutstanding bounds the calls that wait for an answer.
const MaxOutstanding = 8_000

// generator makes the calls.
type generator struct {
	dial   func(service string) grpc.ClientConnInterface
	caller raw.Caller
	slots  *slots

	outstanding atomic.Int64

	mu   sync.Mutex
	stop context.CancelFunc // ends what the last plan has begun; nil for nothing
	done sync.WaitGroup     // of its loops, not of its calls
}

func newGenerator(m *mesh.Mesh, s *slots) *generator {
	return &generator{dial: m.Dial, caller: m.Caller(), slots: s}
}

// follow ends the last plan and begins another. Calls under way come to their end.
func (g *generator) follow(p Plan) error {
	if err := p.check(); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stop != nil {
		g.stop()
		g.done.Wait()
	}
	ctx, cancel := context.WithCancel(context.Background())
	g.stop = cancel
	if p.Rate > 0 {
		g.done.Go(func() { g.calls(ctx, p) })
	}
	for range p.Streams {
		g.done.Go(func() { g.stream(ctx, p) })
	}
	return nil
}

// calls begins a call whenever one is due. Late ones are begun at once, together.
func (g *generator) calls(ctx context.Context, p Plan) {
	began := time.Now()
	due := func(n int64) time.Time {
		return began.Add(time.Duration(float64(n) / float64(p.Rate) * float64(time.Second)))
	}
	for n := int64(0); ; n++ {
		at := due(n)
		if wait := time.Until(at); wait > 0 {
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
		} else if ctx.Err() != nil {
			return
		}
		g.begin(p, at, n)
	}
}

func (g *generator) begin(p Plan, at time.Time, n int64) {
	k := p.kind(n)
	g.slots.begin(at)
	if g.outstanding.Add(1) > MaxOutstanding {
		g.outstanding.Add(-1)
		g.slots.end(at, k, outcome{code: NotSent, text: "too many calls under way"})
		return
	}
	go func() {
		defer g.outstanding.Add(-1)
		g.slots.end(at, k, g.call(p, k, n))
	}()
}

// outcome is what came of one call.
type outcome struct {
	replica            string // of an answer
	code, reason, text string // of an error
}

// call makes one call: an even one with a generated client, an odd one with bytes.
func (g *generator) call(p Plan, k kind, n int64) outcome {
	ctx, cancel := context.WithTimeout(context.Background(), p.Deadline)
	defer cancel()
	if k.criticality != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "x-fairlead-criticality", k.criticality)
	}
	method := "/" + p.Service + "/Echo"
	if k.write {
		method = "/" + p.Service + "/Write"
	}
	request, reply := &echov1.EchoRequest{Number: n}, new(echov1.EchoResponse)
	var err error
	if n%2 == 0 {
		err = g.dial(p.Service).Invoke(ctx, method, request, reply)
	} else {
		err = g.invoke(ctx, method, request, reply)
	}
	if err != nil {
		return failure(err)
	}
	if reply.GetNumber() != n {
		return outcome{code: Wrong, text: "the answer is to another call"}
	}
	return outcome{replica: reply.GetReplica(), code: OK}
}

// failure reads an error.
func failure(err error) outcome {
	o := outcome{code: codeName(status.Code(err)), text: err.Error()}
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			o.reason = info.GetReason()
		}
	}
	return o
}

func (g *generator) invoke(ctx context.Context, method string, request, reply proto.Message) error {
	b, err := proto.Marshal(request)
	if err != nil {
		return err
	}
	r, err := g.caller.Invoke(ctx, method, b)
	if err != nil {
		return err
	}
	defer r.Message.Free()
	return proto.Unmarshal(r.Message.Bytes(), reply)
}

// close ends the plan and waits for the calls under way.
func (g *generator) close(ctx context.Context) {
	g.follow(Plan{}) // which is a good plan
	for g.outstanding.Load() > 0 && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
}
