package harness

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/fullstorydev/grpcurl"
	"github.com/jhump/protoreflect/grpcreflect"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// Dial connects grpc-go's client to the public port. The connection is closed
// when the test ends.
func (s *System) Dial(t testing.TB) *grpc.ClientConn {
	t.Helper()
	cc, err := grpc.NewClient(s.Public, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cc.Close() })
	return cc
}

// Curl is grpcurl on the public port: a client that knows nothing of the
// services but what reflection tells it.
type Curl struct {
	cc     *grpc.ClientConn
	source grpcurl.DescriptorSource
}

// Curl returns a grpcurl that asks for descriptors when it first needs them.
func (s *System) Curl(t testing.TB) *Curl {
	t.Helper()
	cc := s.Dial(t)
	client := grpcreflect.NewClientAuto(t.Context(), cc)
	t.Cleanup(client.Reset)
	return &Curl{cc, grpcurl.DescriptorSourceFromServer(t.Context(), client)}
}

// Services lists the services, as "grpcurl list" does.
func (c *Curl) Services(t testing.TB) []string {
	t.Helper()
	names, err := grpcurl.ListServices(c.source)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// Methods lists the methods of a service by their full names.
func (c *Curl) Methods(t testing.TB, service string) []string {
	t.Helper()
	names, err := grpcurl.ListMethods(c.source, service)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// Call calls a method, "fairlead.social.v1.SocialService/GetPost", with a
// request in JSON, and reads the answer into v. Headers are "key: value".
func (c *Curl) Call(t testing.TB, v any, method, request string, headers ...string) {
	t.Helper()
	answer, st, err := c.TryCall(t, method, request, headers...)
	if err != nil || st.Err() != nil {
		t.Fatalf("%s: %v %v", method, err, st.Err())
	}
	if err := json.Unmarshal([]byte(answer), v); err != nil {
		t.Fatalf("%s: %v", answer, err)
	}
}

// TryCall is Call for a call that may fail. The error is one of grpcurl: for one,
// that reflection does not show the method.
func (c *Curl) TryCall(t testing.TB, method, request string, headers ...string) (string, *status.Status, error) {
	t.Helper()
	parser, formatter, err := grpcurl.RequestParserAndFormatter(grpcurl.FormatJSON, c.source, strings.NewReader(request), grpcurl.FormatOptions{EmitJSONDefaultFields: true})
	if err != nil {
		return "", nil, err
	}
	var answer bytes.Buffer
	handler := &grpcurl.DefaultEventHandler{Out: &answer, Formatter: formatter}
	if err := grpcurl.InvokeRPC(t.Context(), c.source, c.cc, method, headers, handler, parser.Next); err != nil {
		return "", nil, err
	}
	return answer.String(), handler.Status, nil
}
