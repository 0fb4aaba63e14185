package edge_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"github.com/fairlead-mesh/fairlead/pkg/raw"
)

// dial connects grpc-go's client to the edge, on the port that REST has too.
func (w *world) dial(t *testing.T) *grpc.ClientConn {
	t.Helper()
	cc, err := grpc.NewClient(w.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cc.Close() })
	return cc
}

// named is a Dish with a name: field 1, as a StringValue has its value.
func named(name string) *wrapperspb.StringValue { return wrapperspb.String(name) }

const (
	cook  = "/" + kitchenService + "/Cook"
	serve = "/" + kitchenService + "/Serve"
)

func TestGRPCUnary(t *testing.T) {
	w := open(t)
	cc := w.dial(t)
	var header, trailer metadata.MD
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x-spice", "salt", "x-other", "no", "x-fairlead-principal-bin", "forged")
	got := new(wrapperspb.StringValue)
	if err := cc.Invoke(ctx, cook, named("soup"), got, grpc.Header(&header), grpc.Trailer(&trailer)); err != nil {
		t.Fatal(err)
	}
	if got.Value != "soup" || strings.Join(header.Get("x-spice"), "") != "salt" || header.Get("x-internal") != nil || len(header.Get("x-request-id")) != 1 {
		t.Errorf("got %v, header %v, trailer %v", got, header, trailer)
	}
	for key, want := range map[string]string{"x-spice": "salt", "x-other": "", "x-fairlead-principal-bin": ""} {
		if v := w.got(key); v != want {
			t.Errorf("the service got %s %q, want %q", key, v, want)
		}
	}
	big := strings.Repeat("x", 900<<10)
	if err := cc.Invoke(t.Context(), cook, named(big), got, grpc.UseCompressor("gzip")); err != nil || got.Value != big {
		t.Errorf("a compressed message: %v", err)
	}
}

func TestGRPCErrors(t *testing.T) {
	w := open(t)
	cc := w.dial(t)
	call := func(method string, in proto.Message, headers ...string) *status.Status {
		ctx := metadata.AppendToOutgoingContext(t.Context(), headers...)
		return status.Convert(cc.Invoke(ctx, method, in, new(wrapperspb.StringValue)))
	}
	small := "/" + kitchenService + "/Small"
	for name, c := range map[string]struct {
		got    *status.Status
		code   codes.Code
		reason string
	}{
		"internal method":  {call("/"+kitchenService+"/Recipe", named("")), codes.Unimplemented, "NOT_ROUTED"},
		"unknown method":   {call("/"+kitchenService+"/Missing", named("")), codes.Unimplemented, "NOT_ROUTED"},
		"unknown service":  {call("/acme.None/Missing", named("")), codes.Unimplemented, "NOT_ROUTED"},
		"too large":        {call(small, named(strings.Repeat("x", 1001))), codes.ResourceExhausted, "REQUEST_TOO_LARGE"},
		"answer too large": {call(small, named(strings.Repeat("x", 500))), codes.Internal, "RESPONSE_TOO_LARGE"},
		"no token":         {call("/"+kitchenService+"/Private", named("")), codes.Unauthenticated, "TOKEN_MISSING"},
		"bad token":        {call("/"+kitchenService+"/Private", named(""), "authorization", "Bearer x"), codes.Unauthenticated, "TOKEN_INVALID"},
		"stream as unary":  {call(serve, named(strings.Repeat("x", 2000))), codes.ResourceExhausted, "REQUEST_TOO_LARGE"},
	} {
		reason, id := "", ""
		for _, d := range c.got.Details() {
			switch d := d.(type) {
			case *errdetails.ErrorInfo:
				reason = d.Reason
			case *errdetails.RequestInfo:
				id = d.RequestId
			}
		}
		if c.got.Code() != c.code || reason != c.reason || id == "" {
			t.Errorf("%s: %v %v", name, c.got, c.got.Details())
		}
	}
	unknown, internal := call("/"+kitchenService+"/Missing", named("")), call("/"+kitchenService+"/Recipe", named(""))
	if unknown.Message() != internal.Message() {
		t.Errorf("an internal method is told from a missing one: %q, %q", internal.Message(), unknown.Message())
	}
}

func TestGRPCStream(t *testing.T) {
	w := open(t)
	s, err := w.dial(t).NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, serve)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "", "c"} {
		got := new(wrapperspb.StringValue)
		if err := s.SendMsg(named(name)); err != nil {
			t.Fatal(err)
		}
		if err := s.RecvMsg(got); err != nil || got.Value != name {
			t.Fatalf("%q %v", got.Value, err)
		}
	}
	if err := s.SendMsg(named(strings.Repeat("x", 1001))); err != nil {
		t.Fatal(err)
	}
	if err := s.RecvMsg(new(wrapperspb.StringValue)); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a message over the cap ended the stream with %v", err)
	}
}

func TestGRPCStreamEndsWell(t *testing.T) {
	w := open(t)
	s, err := raw.FromConn(w.dial(t)).NewStream(t.Context(), serve)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if err := raw.DiscardStream(s); err != nil {
		t.Error(err)
	}
}

func TestGRPCClientGoneCancelsUpstream(t *testing.T) {
	w := open(t)
	gone := make(chan struct{})
	w.answer(func(ctx context.Context) error {
		<-ctx.Done()
		close(gone)
		return ctx.Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	s, err := w.dial(t).NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, serve)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SendMsg(named("a")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the service got the call", func() bool { return w.got("x-request-id") != "" })
	cancel()
	select {
	case <-gone:
	case <-time.After(patience):
		t.Error("the service never learnt that the client is gone")
	}
}

// frames speaks gRPC's framing by hand, to break it.
func (w *world) frames(t *testing.T, encoding string, body []byte) (status, message string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+w.address+cook, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/grpc")
	if encoding != "" {
		r.Header.Set("Grpc-Encoding", encoding)
	}
	resp, err := h2c().RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	if s := resp.Header.Get("Grpc-Status"); s != "" {
		return s, resp.Header.Get("Grpc-Message")
	}
	return resp.Trailer.Get("Grpc-Status"), resp.Trailer.Get("Grpc-Message")
}

func h2c() http.RoundTripper {
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	return &http.Transport{Protocols: &p}
}

func frame(flag byte, message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{flag}, uint32(len(message))), message...)
}

func TestGRPCBrokenFrames(t *testing.T) {
	w := open(t)
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	z.Write(make([]byte, 8<<20))
	z.Close()
	for name, c := range map[string]struct {
		encoding string
		body     []byte
		status   string
	}{
		"good":               {"", frame(0, []byte("\x0a\x01a")), "0"},
		"no message":         {"", nil, "3"},
		"two messages":       {"", append(frame(0, nil), frame(0, nil)...), "3"},
		"cut in the head":    {"", []byte{0, 0}, "3"},
		"cut in the message": {"", frame(0, []byte("abc"))[:6], "3"},
		"huge length":        {"", []byte{0, 0xff, 0xff, 0xff, 0xff}, "8"},
		"bad flag":           {"", frame(7, nil), "13"},
		"undeclared gzip":    {"", frame(1, []byte("x")), "13"},
		"bad gzip":           {"gzip", frame(1, []byte("x")), "3"},
		"gzip bomb":          {"gzip", frame(1, bomb.Bytes()), "8"},
		"unknown encoding":   {"snappy", frame(0, nil), "12"},
	} {
		t.Run(name, func(t *testing.T) {
			if got, message := w.frames(t, c.encoding, c.body); got != c.status {
				t.Errorf("grpc-status %q (%s), want %s", got, message, c.status)
			}
		})
	}
}

// The edge shows what it exposes by reflection, and nothing else.
func TestReflection(t *testing.T) {
	w := open(t)
	s, err := reflectionv1.NewServerReflectionClient(w.dial(t)).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ask := func(r *reflectionv1.ServerReflectionRequest) *reflectionv1.ServerReflectionResponse {
		if err := s.Send(r); err != nil {
			t.Fatal(err)
		}
		answer, err := s.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	list := ask(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}})
	if got := list.GetListServicesResponse().GetService(); len(got) != 1 || got[0].Name != kitchenService {
		t.Errorf("services %v", got)
	}
	answer := ask(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: kitchenService}})
	var methods, messages []string
	for _, b := range answer.GetFileDescriptorResponse().GetFileDescriptorProto() {
		var f descriptorpb.FileDescriptorProto
		if err := proto.Unmarshal(b, &f); err != nil {
			t.Fatal(err)
		}
		if f.GetPackage() != "acme.kitchen.v1" {
			continue
		}
		for _, m := range f.Service[0].Method {
			methods = append(methods, m.GetName())
		}
		for _, m := range f.MessageType {
			messages = append(messages, m.GetName())
		}
	}
	if got := strings.Join(methods, " "); strings.Contains(got, "Recipe") || !strings.Contains(got, "Cook") {
		t.Errorf("methods %s", got)
	}
	if got := strings.Join(messages, " "); got != "Dish Part" {
		t.Errorf("messages %s", got)
	}
}
