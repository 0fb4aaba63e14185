package rpcserver

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
)

// conns counts the connections that are open. A stats handler could, but costs
// every call several times what this costs a connection.
type conns struct {
	mu   sync.Mutex
	open int
	none chan struct{} // closed while open is 0
}

func newConns() *conns {
	c := &conns{none: make(chan struct{})}
	close(c.none)
	return c
}

func (c *conns) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == 0 {
		c.none = make(chan struct{})
	}
	c.open += n
	if c.open == 0 {
		close(c.none)
	}
}

func (c *conns) empty() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.none
}

// Deserted waits until nobody is connected any more, or until ctx ends, and says
// which. Clients of the mesh close their connections to a replica that drains, as
// soon as they have heard of it and their calls have ended: so it says that all of
// them have.
func (s *Server) Deserted(ctx context.Context) bool {
	select {
	case <-s.conns.empty():
		return true
	case <-ctx.Done():
		return false
	}
}

// counting is a listener whose connections are counted.
type counting struct {
	net.Listener
	conns *conns
}

// Accept implements net.Listener.
func (l counting) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.conns.add(1)
	return &counted{Conn: c, conns: l.conns}, nil
}

type counted struct {
	net.Conn
	conns  *conns
	closed sync.Once
}

// Close implements net.Conn.
func (c *counted) Close() error {
	c.closed.Do(func() { c.conns.add(-1) })
	return c.Conn.Close()
}

// SyscallConn implements syscall.Conn, by which grpc sets options of the socket.
func (c *counted) SyscallConn() (syscall.RawConn, error) {
	s, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil, errors.New("not a connection of the system")
	}
	return s.SyscallConn()
}
