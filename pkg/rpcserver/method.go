package rpcserver

import (
	"context"
	"hash/crc32"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/fairlead-mesh/fairlead/pkg/criticality"
	"github.com/fairlead-mesh/fairlead/pkg/policy"
	"github.com/fairlead-mesh/fairlead/pkg/principal"
	"github.com/fairlead-mesh/fairlead/pkg/shed"
)

// method is a method of the server, with all that its calls need.
type method struct {
	server *Server
	name   string
	policy *policy.Policy // nil for the defaults
	shed   *shed.Method   // nil when the server takes whatever comes
}

// handler is what grpc calls for a unary method.
type handler = func(srv any, ctx context.Context, dec func(any) error, intercept grpc.UnaryServerInterceptor) (any, error)

// wrap returns the handler of a unary method behind the server's own rules. They
// act here and not in an interceptor because interceptors run when the request has
// been decoded: what is refused should cost nothing.
func (m *method) wrap(handle handler) handler {
	serve := func(srv any, ctx context.Context, dec func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
		c := m.begin(ctx, timeoutOf(m.policy))
		c.decode = dec
		reply, err := c.unary(handle, srv, intercept)
		m.server.log.ended(c, err)
		return reply, err
	}
	outer := m.server.outer
	if outer == nil {
		return serve
	}
	return func(srv any, ctx context.Context, dec func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
		info := &grpc.UnaryServerInfo{Server: srv, FullMethod: m.name}
		return outer(ctx, nil, info, func(ctx context.Context, _ any) (any, error) { return serve(srv, ctx, dec, intercept) })
	}
}

// chain makes one interceptor of several, nil of none.
func chain(all []grpc.UnaryServerInterceptor) grpc.UnaryServerInterceptor {
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	first, rest := all[0], chain(all[1:])
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		return first(ctx, req, info, func(ctx context.Context, req any) (any, error) { return rest(ctx, req, info, handle) })
	}
}

// begin makes the call of a context.
func (m *method) begin(ctx context.Context, timeout time.Duration) *call {
	m.server.hopeless.calls.Add(1)
	c := &call{Context: ctx, method: m, arrived: time.Now()}
	caller, known := ctx.Deadline()
	c.end = deadlineOf(c.arrived, caller, known, timeout)
	return c
}

// unary lists what happens to a unary call, in the order in which it happens.
func (c *call) unary(handle handler, srv any, intercept grpc.UnaryServerInterceptor) (any, error) {
	start, err := c.enter()
	if err != nil {
		return nil, err
	}
	reply, err := c.handle(handle, srv, intercept)
	if err != nil {
		holdBack(c, err)
		reply, err = nil, shown(c, err)
	}
	c.disarm()
	c.leave(start, err)
	return reply, err
}

func (c *call) handle(handle handler, srv any, intercept grpc.UnaryServerInterceptor) (reply any, err error) {
	defer func() { err = recovered(recover(), err) }()
	ctx, err := c.method.authorize(c)
	if err != nil {
		c.tellTrespass(err)
		return nil, err
	}
	return handle(srv, ctx, c.read, intercept)
}

// read decodes the request. That it cannot is the caller's fault, whatever the
// code says.
func (c *call) read(request any) error {
	err := c.decode(request)
	c.garbled = err != nil
	return err
}

// enter lets a call in, at the time that it returns, or refuses it.
func (c *call) enter() (time.Time, error) {
	m := c.method
	if c.hopeless() {
		m.server.audit.count(Refusal{m.name, "", RefusedDeadline})
		return time.Time{}, late.send(c)
	}
	if m.shed == nil || m.shed.TryAcquire() {
		return c.arrived, nil
	}
	if m.shed.Wait(c.Context, c.priority(), c.patience()) {
		return time.Now(), nil
	}
	m.server.audit.count(Refusal{m.name, "", RefusedOverload})
	return time.Time{}, overloaded().send(c)
}

// patience is how long a call may wait to be let in: long enough to be of use
// after it.
func (c *call) patience() time.Duration {
	if c.end.IsZero() {
		return time.Hour // the queue is not that patient
	}
	return c.end.Sub(c.arrived) - c.method.shed.Usual()/hopelessPart
}

// priority is what decides when calls have to wait. The principal's envelope is
// the same at every hop, and for all calls of a user for some minutes; so is the
// request id, for one request.
func (c *call) priority() shed.Priority {
	level := criticality.Default
	if p := c.method.policy; p != nil {
		level = p.Criticality
	}
	whose := metadata.ValueFromIncomingContext(c.Context, principal.MetadataKey)
	if len(whose) == 0 {
		whose = metadata.ValueFromIncomingContext(c.Context, requestIDKey)
	}
	var sum uint32
	if len(whose) > 0 {
		sum = crc32.ChecksumIEEE([]byte(whose[0]))
	}
	return shed.NewPriority(criticality.FromIncoming(c.Context, level), sum)
}

// leave gives back what enter has taken.
func (c *call) leave(start time.Time, err error) {
	if c.method.shed == nil {
		return
	}
	outcome := shed.Done
	if err != nil {
		outcome = shed.Failed
		if code := codeOf(err); code == codes.DeadlineExceeded || code == codes.Canceled {
			outcome = shed.GaveUp
		}
	}
	c.method.shed.Release(start, time.Now(), outcome)
}
