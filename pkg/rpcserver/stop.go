package rpcserver

import (
	"context"
	"errors"
	"time"
)

const (
	// lastWords is how long handlers have after their contexts were cancelled.
	lastWords = time.Second
	// streamGrace is the default of Options.StreamGrace.
	streamGrace = time.Second
)

// Drain says NOT_SERVING to whoever asks for health, and tells handlers by
// Draining. Calls are answered on; streams that still run after
// Options.StreamGrace are ended, with UNAVAILABLE and the reason DRAINING, so that
// their clients go on with another replica. A second Drain does nothing.
func (s *Server) Drain() {
	s.drained.Do(func() {
		s.health.Shutdown()
		close(s.draining)
		s.mover = time.AfterFunc(s.grace, s.move)
	})
}

// Draining is closed when the server begins to drain.
func (s *Server) Draining() <-chan struct{} { return s.draining }

// Draining is closed when the server that handles the call of ctx begins to drain:
// the handler of a long stream should end soon, at a point from which its client
// can go on. Outside of a call it is nil, and never ready.
func Draining(ctx context.Context) <-chan struct{} {
	if c := callOf(ctx); c != nil {
		return c.method.server.draining
	}
	return nil
}

// Stop takes no new calls and waits for those that run. When ctx ends, it cuts
// them off. It returns an error when a handler goes on nevertheless, which has
// lost its caller and its context by then.
func (s *Server) Stop(ctx context.Context) error {
	s.Drain()
	defer s.mover.Stop()
	s.health.sendAway()
	stopped := make(chan struct{})
	go func() {
		s.grpc.GracefulStop()
		close(stopped)
	}()
	select {
	case <-stopped:
		return nil
	case <-ctx.Done():
	}
	go s.grpc.Stop() // it waits for handlers, too
	select {
	case <-stopped:
		return nil
	case <-time.After(lastWords):
		return errors.New("a handler goes on although its call was cancelled")
	}
}
