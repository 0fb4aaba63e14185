// Package rawtest is the conformance suite of the seam: what every raw.Caller
// must do, whatever lies below it.
package rawtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/fairlead-mesh/fairlead/pkg/raw"
)

// patience bounds what should happen at once, on a slow machine too.
const patience = 20 * time.Second

// Run runs the suite. connect starts a server, lets register add the test
// service to it, and returns a Caller that reaches it and is closed by
// t.Cleanup. The server must take messages of 4 MiB and send them.
func Run(t *testing.T, connect func(t *testing.T, register func(grpc.ServiceRegistrar)) raw.Caller) {
	b := &Backend{entered: make(chan struct{}, 16), cancelled: make(chan struct{}, 16)}
	caller := connect(t, b.Register)
	s := &suite{Caller: caller, backend: b}
	for name, test := range map[string]func(*testing.T){
		"unary": s.unary, "empty message": s.empty, "large message": s.large, "metadata": s.metadata,
		"status": s.status, "unknown method": s.unknown, "deadline travels": s.deadlineTravels,
		"deadline passes": s.deadlinePasses, "cancellation": s.cancellation, "client stream": s.clientStream,
		"server stream": s.serverStream, "bidi": s.bidi, "stream status": s.streamStatus,
		"stream cancellation": s.streamCancellation, "many at once": s.many, "send after end": s.sendAfterEnd,
	} {
		t.Run(name, test)
	}
}

type suite struct {
	raw.Caller
	backend *Backend
}

// wire returns a serialized BytesValue.
func wire(t *testing.T, value string) []byte {
	t.Helper()
	b, err := proto.Marshal(&message{Value: []byte(value)})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// text frees m and returns the value in it.
func text(t *testing.T, m raw.Message) string {
	t.Helper()
	defer m.Free()
	var v message
	if err := proto.Unmarshal(m.Bytes(), &v); err != nil {
		t.Fatal(err)
	}
	return string(v.Value)
}

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func (s *suite) call(t *testing.T, value string) {
	t.Helper()
	r, err := s.Invoke(bounded(t), echo, wire(t, value))
	if err != nil {
		t.Error(err)
		return
	}
	if got := text(t, r.Message); got != value {
		t.Errorf("got %d bytes that differ from the %d sent", len(got), len(value))
	}
}

func (s *suite) unary(t *testing.T) { s.call(t, "hello") }

func (s *suite) empty(t *testing.T) { s.call(t, "") }

// large is bigger than one HTTP/2 frame, one flow-control window and one buffer.
func (s *suite) large(t *testing.T) { s.call(t, strings.Repeat("0123456789abcdef", 3<<16)) }

func (s *suite) metadata(t *testing.T) {
	ctx := metadata.AppendToOutgoingContext(bounded(t), "x-test", "one", "x-test", "two", "x-test-bin", "\x00\xff")
	r, err := s.Invoke(ctx, echo, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Message.Free()
	if got := strings.Join(r.Header.Get("x-test"), ","); got != "one,two" {
		t.Errorf("header x-test is %q", got)
	}
	if got := strings.Join(r.Header.Get("x-test-bin"), ","); got != "\x00\xff" {
		t.Errorf("header x-test-bin is %q", got)
	}
	if got := strings.Join(r.Trailer.Get("x-test-trailer"), ","); got != "one,two" {
		t.Errorf("trailer x-test-trailer is %q", got)
	}
}

func (s *suite) status(t *testing.T) {
	r, err := s.Invoke(bounded(t), fail, nil)
	checkFailure(t, err)
	if got := r.Trailer.Get("x-test-trailer"); len(got) != 1 || got[0] != "failed" {
		t.Errorf("the trailer of the failed call is %q", got)
	}
}

// checkFailure checks that err is what the backend's failure made.
func checkFailure(t *testing.T, err error) {
	t.Helper()
	st, ok := status.FromError(err)
	if !ok || st.Code() != codes.FailedPrecondition || st.Message() != "no: ünïcode" {
		t.Fatalf("got %v", err)
	}
	if len(st.Details()) < 2 { // what lies between may add to them
		t.Fatalf("got details %v", st.Details())
	}
	if info, ok := st.Details()[0].(*errdetails.ErrorInfo); !ok || info.Reason != "NOPE" {
		t.Errorf("the first detail is %v", st.Details()[0])
	}
}

func (s *suite) unknown(t *testing.T) {
	_, err := s.Invoke(bounded(t), "/"+Service+"/Missing", nil)
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("got %v", err)
	}
}

func (s *suite) deadlineTravels(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := s.Invoke(ctx, deadline, nil)
	if err != nil {
		t.Fatal(err)
	}
	left, err := time.ParseDuration(text(t, r.Message))
	if err != nil || left <= 0 || left > patience {
		t.Errorf("the service had %v left (%v)", left, err)
	}
}

// deadlinePasses gives the call more time until it gets as far as the service: on
// a slow machine a connection takes some to be made.
func (s *suite) deadlinePasses(t *testing.T) {
	for after := 50 * time.Millisecond; after < patience; after *= 2 {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		_, err := s.Invoke(ctx, hang, nil)
		cancel()
		if status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("got %v", err)
		}
		select {
		case <-s.backend.entered:
			s.seenByBackend(t)
			return
		default:
		}
	}
	t.Error("the service was never reached")
}

func (s *suite) cancellation(t *testing.T) {
	ctx, cancel := context.WithCancel(bounded(t))
	go func() {
		<-s.backend.entered
		cancel()
	}()
	_, err := s.Invoke(ctx, hang, nil)
	if status.Code(err) != codes.Canceled {
		t.Errorf("got %v", err)
	}
	s.seenByBackend(t)
}

// seenByBackend waits until the service has seen that its call is over.
func (s *suite) seenByBackend(t *testing.T) {
	t.Helper()
	select {
	case <-s.backend.cancelled:
	case <-time.After(patience):
		t.Error("the service never learnt that the caller is gone")
	}
}

func (s *suite) many(t *testing.T) {
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() { s.call(t, strings.Repeat("x", i*997)) })
	}
	wg.Wait()
}

// open opens a stream that ends with the test.
func (s *suite) open(t *testing.T, method string) raw.Stream {
	t.Helper()
	st, err := s.NewStream(bounded(t), method)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func send(t *testing.T, st raw.Stream, values ...string) {
	t.Helper()
	for _, v := range values {
		if err := st.Send(wire(t, v)); err != nil {
			t.Fatal(err)
		}
	}
}

func recv(t *testing.T, st raw.Stream) string {
	t.Helper()
	m, err := st.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return text(t, m)
}

func end(t *testing.T, st raw.Stream) {
	t.Helper()
	if _, err := st.Recv(); err != io.EOF {
		t.Errorf("the stream ended with %v", err)
	}
}

func closeSend(t *testing.T, st raw.Stream) {
	t.Helper()
	if err := st.CloseSend(); err != nil {
		t.Fatal(err)
	}
}

func (s *suite) clientStream(t *testing.T) {
	st := s.open(t, collect)
	send(t, st, "a", "b", "c")
	closeSend(t, st)
	if got := recv(t, st); got != "abc" {
		t.Errorf("got %q", got)
	}
	end(t, st)
}

func (s *suite) serverStream(t *testing.T) {
	st := s.open(t, repeat)
	send(t, st, "abc")
	closeSend(t, st)
	var got bytes.Buffer
	for range 3 {
		got.WriteString(recv(t, st))
	}
	if got.String() != "abc" {
		t.Errorf("got %q", got.String())
	}
	end(t, st)
}

func (s *suite) bidi(t *testing.T) {
	st := s.open(t, chat)
	if md, err := st.Header(); err != nil || len(md.Get("x-test")) != 1 {
		t.Errorf("got header %v, %v, before the first message", md, err)
	}
	for _, v := range []string{"one", "", "three"} {
		send(t, st, v)
		if got := recv(t, st); got != v {
			t.Errorf("got %q, sent %q", got, v)
		}
	}
	closeSend(t, st)
	end(t, st)
	if got := st.Trailer().Get("x-test-trailer"); len(got) != 1 || got[0] != "bye" {
		t.Errorf("got trailer %q", got)
	}
}

func (s *suite) streamStatus(t *testing.T) {
	st := s.open(t, chat)
	send(t, st, "one", "fail")
	if got := recv(t, st); got != "one" {
		t.Errorf("got %q", got)
	}
	_, err := st.Recv()
	checkFailure(t, err)
}

func (s *suite) streamCancellation(t *testing.T) {
	ctx, cancel := context.WithCancel(bounded(t))
	defer cancel()
	st, err := s.NewStream(ctx, chat)
	if err != nil {
		t.Fatal(err)
	}
	send(t, st, "one")
	recv(t, st)
	cancel()
	if _, err := st.Recv(); status.Code(err) != codes.Canceled {
		t.Errorf("got %v", err)
	}
	s.seenByBackend(t)
}

func (s *suite) sendAfterEnd(t *testing.T) {
	st := s.open(t, chat)
	send(t, st, "fail")
	checkFailure(t, raw.DiscardStream(st))
	if err := st.Send(wire(t, "late")); !errors.Is(err, io.EOF) {
		t.Errorf("sending on an ended stream returned %v", err)
	}
}
