// Package call holds what every front door makes of a request: a Call on raw
// protobuf bytes. Doors build Calls, the pipeline applies the policy of the
// method to them, and the last Handler hands them to the mesh. No rule is
// written for one door alone.
package call

import (
	"context"
	"net/netip"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
	"github.com/fairlead-mesh/fairlead/pkg/policy"
	"github.com/fairlead-mesh/fairlead/pkg/raw"
	principalv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/principal/v1"
)

// Method is a method that the edge exposes. It does not change.
type Method struct {
	// FullName is "/package.Service/Method".
	FullName string
	// Descriptor is what it looks like, in the set that it came from.
	Descriptor protoreflect.MethodDescriptor
	Set        *descriptor.Set
	// Policy is what it asks for.
	Policy *policy.Policy
}

// Streaming says that the method is of one of the three streaming kinds.
func (m *Method) Streaming() bool {
	return m.Descriptor.IsStreamingClient() || m.Descriptor.IsStreamingServer()
}

// Call is one request. It belongs to the goroutine that serves the request.
type Call struct {
	// Method is what is called.
	Method *Method
	// ID is the request id, which every answer and log line carries.
	ID string
	// Peer is the address of the client.
	Peer netip.Addr
	// Metadata is what the client sent, keys in lower case. It may hold
	// anything; only what the pipeline copies to Outgoing reaches a service.
	Metadata metadata.MD
	// Request is the message of a unary call. The messages of a stream are sent
	// by the door on the Stream that the Handler returns.
	Request []byte
	// Principal is who is calling, nil for nobody; set by the pipeline.
	Principal *principalv1.Principal
	// Outgoing is the metadata for the service; set by the pipeline.
	Outgoing metadata.MD
}

// Handler answers calls. Errors are gRPC statuses. A Handler may be used by
// several goroutines at once.
type Handler interface {
	// Unary answers a call that has one request and one reply.
	Unary(ctx context.Context, c *Call) (raw.Reply, error)
	// Stream opens the stream of a call of any other kind.
	Stream(ctx context.Context, c *Call) (raw.Stream, error)
}

// Decorator adds one rule to a Handler.
type Decorator func(next Handler) Handler

// Chain returns h behind the decorators; the first of them acts first.
func Chain(h Handler, decorators ...Decorator) Handler {
	for i := len(decorators) - 1; i >= 0; i-- {
		h = decorators[i](h)
	}
	return h
}

// Admit makes a Decorator of a rule that acts before a call goes on, and alike
// on calls of every kind: it may change the call and its context, or refuse it.
func Admit(rule func(ctx context.Context, c *Call) (context.Context, error)) Decorator {
	return func(next Handler) Handler { return &admission{rule, next} }
}

type admission struct {
	rule func(context.Context, *Call) (context.Context, error)
	next Handler
}

func (a *admission) Unary(ctx context.Context, c *Call) (raw.Reply, error) {
	ctx, err := a.rule(ctx, c)
	if err != nil {
		return raw.Reply{}, err
	}
	return a.next.Unary(ctx, c)
}

func (a *admission) Stream(ctx context.Context, c *Call) (raw.Stream, error) {
	ctx, err := a.rule(ctx, c)
	if err != nil {
		return nil, err
	}
	return a.next.Stream(ctx, c)
}

// ToMesh is the last Handler: it makes the call through the seam.
func ToMesh(caller raw.Caller) Handler { return toMesh{caller} }

type toMesh struct{ caller raw.Caller }

func (m toMesh) Unary(ctx context.Context, c *Call) (raw.Reply, error) {
	return m.caller.Invoke(metadata.NewOutgoingContext(ctx, c.Outgoing), c.Method.FullName, c.Request)
}

func (m toMesh) Stream(ctx context.Context, c *Call) (raw.Stream, error) {
	return m.caller.NewStream(metadata.NewOutgoingContext(ctx, c.Outgoing), c.Method.FullName)
}
