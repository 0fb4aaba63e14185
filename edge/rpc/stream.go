package rpc

import (
	"context"
	"io"

	"github.com/fairlead-mesh/fairlead/pkg/raw"
)

// pass sends what the client sends, and writes what the service sends, until the
// service has ended the stream. cancel ends it upstream.
func pass(x *exchange, s raw.Stream, cancel context.CancelFunc) error {
	refused := make(chan error, 1) // why the client's side was given up, if it was
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := upstream(x, s); err != nil {
			refused <- err
			cancel()
		}
	}()
	err := downstream(x, s)
	select {
	case why := <-refused:
		err = why // the service only saw that it was cancelled
	default:
	}
	cancel()
	x.stopReading() // upstream may wait for a client that sends nothing more
	<-done
	return err
}

// upstream sends the client's messages until the client has no more. The error
// is that of a client that breaks the rules.
func upstream(x *exchange, s raw.Stream) error {
	for {
		message, err := x.read()
		if err == io.EOF {
			s.CloseSend() // its error is that of the stream: Recv returns it
			return nil
		}
		if err != nil {
			return err
		}
		if s.Send(message) != nil {
			return nil // the stream has ended: Recv tells why
		}
	}
}

// downstream writes the service's messages. The headers go out as soon as they
// are there: a client may wait for them before it sends anything.
func downstream(x *exchange, s raw.Stream) error {
	md, err := s.Header()
	if err != nil {
		return err
	}
	x.header(md)
	x.flush()
	for {
		m, err := s.Recv()
		if err != nil {
			x.trailer = s.Trailer()
			return ended(err)
		}
		err = x.write(m.Bytes())
		m.Free()
		if err != nil {
			return err
		}
		x.flush()
	}
}

func ended(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}
