package rpcserver

import (
	"context"
	"errors"
	"time"
)

// lastWords is how long handlers have after their contexts were cancelled.
const lastWords = time.Second

// Drain says NOT_SERVING to whoever asks for health. Calls are answered on.
func (s *Server) Drain() { s.health.Shutdown() }

// Stop takes no new calls and waits for those that run. When ctx ends, it cuts
// them off. It returns an error when a handler goes on nevertheless, which has
// lost its caller and its context by then.
func (s *Server) Stop(ctx context.Context) error {
	s.Drain()
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
