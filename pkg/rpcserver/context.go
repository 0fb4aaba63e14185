package rpcserver

import (
	"context"
	"sync/atomic"
	"time"
)

// call is one call that is being handled, and the context of its handler: the
// context of the transport with another deadline. A context of the standard
// library starts a timer and registers with its parent for every call; most
// handlers never wait for the end of theirs, so this one does so when it is asked
// for Done.
type call struct {
	context.Context // of the transport

	method  *method
	arrived time.Time
	end     time.Time // the deadline; zero for that of the transport
	armed   atomic.Pointer[armed]
	decode  func(any) error
	garbled bool // the request could not be read
}

// armed is the context that a timer ends.
type armed struct {
	context.Context
	cancel context.CancelFunc
}

type callKey struct{}

// callOf returns the call that a context belongs to, or nil.
func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// Deadline implements context.Context.
func (c *call) Deadline() (time.Time, bool) {
	if c.end.IsZero() {
		return c.Context.Deadline()
	}
	return c.end, true
}

// Done implements context.Context.
func (c *call) Done() <-chan struct{} {
	if c.end.IsZero() {
		return c.Context.Done()
	}
	return c.arm().Done()
}

// Err implements context.Context.
func (c *call) Err() error {
	if a := c.armed.Load(); a != nil {
		return a.Err()
	}
	if err := c.Context.Err(); err != nil || c.end.IsZero() || time.Now().Before(c.end) {
		return err
	}
	return c.arm().Err() // it ends at once
}

// Value implements context.Context.
func (c *call) Value(key any) any {
	if key == (callKey{}) {
		return c
	}
	if a := c.armed.Load(); a != nil {
		return a.Value(key) // where derived contexts find whom to register with
	}
	return c.Context.Value(key)
}

func (c *call) arm() *armed {
	if a := c.armed.Load(); a != nil {
		return a
	}
	ctx, cancel := context.WithDeadline(c.Context, c.end)
	a := &armed{ctx, cancel}
	if !c.armed.CompareAndSwap(nil, a) {
		cancel()
		return c.armed.Load()
	}
	return a
}

// disarm ends the context with the handler. Who asks for it later gets one that
// ends with the transport's, which is over then.
func (c *call) disarm() {
	if a := c.armed.Load(); a != nil {
		a.cancel()
	}
}
