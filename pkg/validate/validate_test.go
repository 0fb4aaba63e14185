package validate_test

import (
	"context"
	"net"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	"github.com/fairlead-mesh/fairlead/pkg/validate"
	identityv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/identity/v1"
)

// server answers every call that reaches it.
type server struct {
	identityv1.UnimplementedIdentityServiceServer
}

func (server) LookupUsers(context.Context, *identityv1.LookupUsersRequest) (*identityv1.LookupUsersResponse, error) {
	return &identityv1.LookupUsersResponse{}, nil
}

// echo is a stream of requests that are read until one is refused.
var echo = grpc.ServiceDesc{
	ServiceName: "test.Echo",
	HandlerType: (*any)(nil),
	Streams: []grpc.StreamDesc{{StreamName: "Read", ClientStreams: true, ServerStreams: true, Handler: func(_ any, s grpc.ServerStream) error {
		for {
			m := new(identityv1.LookupUsersRequest)
			if err := s.RecvMsg(m); err != nil {
				return err
			}
			if err := s.SendMsg(m); err != nil {
				return err
			}
		}
	}}},
}

func dial(t *testing.T) *grpc.ClientConn {
	t.Helper()
	s := grpc.NewServer(grpc.UnaryInterceptor(validate.Unary), grpc.StreamInterceptor(validate.Stream))
	identityv1.RegisterIdentityServiceServer(s, server{})
	s.RegisterService(&echo, nil)
	l := bufconn.Listen(1 << 20)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	cc, err := grpc.NewClient("passthrough:///test", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cc.Close(); err != nil {
			t.Error(err)
		}
		s.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return cc
}

// invalid checks the status and returns the violations as "path: description".
func invalid(t *testing.T, err error) []string {
	t.Helper()
	s := status.Convert(err)
	if s.Code() != codes.InvalidArgument {
		t.Fatalf("error = %v, want INVALID_ARGUMENT", err)
	}
	if domain, reason := errs.ReasonOf(err); domain != "fairlead.errors.v1" || reason != "INVALID_FIELD" {
		t.Errorf("reason = %s %s", domain, reason)
	}
	var all []string
	for _, d := range s.Details() {
		if bad, ok := d.(*errdetails.BadRequest); ok {
			for _, v := range bad.FieldViolations {
				all = append(all, v.Field+": "+v.Description)
			}
		}
	}
	return all
}

func TestUnary(t *testing.T) {
	client := identityv1.NewIdentityServiceClient(dial(t))
	if _, err := client.LookupUsers(t.Context(), &identityv1.LookupUsersRequest{Names: []string{"users/a"}}); err != nil {
		t.Fatal(err)
	}
	_, err := client.LookupUsers(t.Context(), &identityv1.LookupUsersRequest{Names: []string{"users/a", "A", "users/b", "B"}})
	got := invalid(t, err)
	if len(got) != 2 || !strings.HasPrefix(got[0], "names[1]: ") || !strings.HasPrefix(got[1], "names[3]: ") {
		t.Errorf("violations = %q", got)
	}
}

func TestStream(t *testing.T) {
	s, err := dial(t).NewStream(t.Context(), &echo.Streams[0], "/test.Echo/Read")
	if err != nil {
		t.Fatal(err)
	}
	send := func(name string) error {
		if err := s.SendMsg(&identityv1.LookupUsersRequest{Names: []string{name}}); err != nil {
			t.Fatal(err)
		}
		return s.RecvMsg(new(identityv1.LookupUsersRequest))
	}
	if err := send("users/a"); err != nil {
		t.Fatal(err)
	}
	if got := invalid(t, send("A")); len(got) != 1 {
		t.Errorf("violations = %q", got)
	}
}

func TestMessage(t *testing.T) {
	many := make([]string, 100)
	cases := map[string]struct {
		message proto.Message
		fields  int
	}{
		"good":            {&identityv1.GetUserRequest{Name: "users/me"}, 0},
		"without rules":   {&identityv1.SignOutRequest{}, 0},
		"zero is ignored": {&identityv1.SignInAnonymousRequest{}, 0},
		"too short":       {&identityv1.SignInAnonymousRequest{InstallSecret: make([]byte, 15)}, 1},
		"missing":         {&identityv1.RefreshSessionRequest{}, 1},
		"many":            {&identityv1.LookupUsersRequest{Names: many}, 20},
		"not UTF-8":       {&identityv1.GetUserRequest{Name: "users/\xff"}, 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := validate.Message(c.message)
			if c.fields == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if got := invalid(t, err); len(got) != c.fields {
				t.Errorf("violations = %q, want %d", got, c.fields)
			}
		})
	}
}
