package rpcserver_test

import (
	"context"
	"crypto/tls"
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/pkg/policy"
	"github.com/fairlead-mesh/fairlead/pkg/principal"
	"github.com/fairlead-mesh/fairlead/pkg/rpcserver"
	policyv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/policy/v1"
	principalv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/principal/v1"
)

// deadlines is a handler that notes how much time it has.
func deadlines(into *time.Duration) handler {
	return func(ctx context.Context) error {
		*into = 0
		if end, ok := ctx.Deadline(); ok {
			*into = time.Until(end)
		}
		return nil
	}
}

func TestUnaryCallHasADeadline(t *testing.T) {
	var left time.Duration
	for name, test := range map[string]struct {
		policy   func(string) *policy.Policy
		caller   time.Duration // 0 for none
		min, max time.Duration
	}{
		"default":          {nil, 0, 0, 5 * time.Second},
		"policy's":         {timeout(time.Hour), 0, 50 * time.Minute, time.Hour},
		"caller's shorter": {timeout(time.Hour), time.Minute, 0, time.Minute},
		"caller's longer":  {timeout(time.Minute), time.Hour, 0, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, rpcserver.Options{Policy: test.policy}, deadlines(&left))
			ctx := t.Context()
			if test.caller > 0 {
				bounded, cancel := context.WithTimeout(ctx, test.caller)
				defer cancel()
				ctx = bounded
			}
			if err := call(ctx, s.client(t, "client"), unary); err != nil {
				t.Fatal(err)
			}
			if left <= test.min || left > test.max {
				t.Errorf("the handler has %s, want %s to %s", left, test.min, test.max)
			}
		})
	}
}

// A stream lives for as long as both sides want.
func TestStreamHasNoDeadline(t *testing.T) {
	var left time.Duration
	s := start(t, rpcserver.Options{Policy: timeout(time.Minute)}, deadlines(&left))
	if err := call(t.Context(), s.client(t, "client"), stream); err != nil || left != 0 {
		t.Errorf("the handler has %s, %v", left, err)
	}
}

// as signs in every call.
func as(kind principalv1.Principal_Kind) func(context.Context) (context.Context, error) {
	return func(ctx context.Context) (context.Context, error) {
		if kind == principalv1.Principal_KIND_UNSPECIFIED {
			return ctx, nil
		}
		return principal.NewContext(ctx, &principalv1.Principal{Kind: kind, Name: "someone"}), nil
	}
}

func TestLevels(t *testing.T) {
	const (
		nobody = principalv1.Principal_KIND_UNSPECIFIED
		user   = principalv1.Principal_KIND_USER
		other  = principalv1.Principal_KIND_SERVICE
	)
	for level, want := range map[policyv1.Auth_Level]map[principalv1.Principal_Kind]codes.Code{
		policyv1.Auth_LEVEL_UNSPECIFIED: {nobody: codes.OK, user: codes.OK, other: codes.OK},
		policyv1.Auth_LEVEL_NONE:        {nobody: codes.OK, user: codes.OK, other: codes.OK},
		policyv1.Auth_LEVEL_OPTIONAL:    {nobody: codes.OK, user: codes.OK, other: codes.OK},
		policyv1.Auth_LEVEL_USER:        {nobody: codes.Unauthenticated, user: codes.OK, other: codes.PermissionDenied},
		policyv1.Auth_LEVEL_SERVICE:     {nobody: codes.Unauthenticated, user: codes.PermissionDenied, other: codes.OK},
	} {
		for kind, code := range want {
			t.Run(level.String()+" "+kind.String(), func(t *testing.T) {
				both(t, func(t *testing.T, method string) {
					reached := false
					s := start(t, rpcserver.Options{
						Principal: as(kind),
						Policy:    func(string) *policy.Policy { return &policy.Policy{Level: level, Timeout: patience} },
					}, func(context.Context) error { reached = true; return nil })
					if err := call(bounded(t), s.client(t, "client"), method); status.Code(err) != code {
						t.Errorf("got %v, want %s", err, code)
					}
					if reached != (code == codes.OK) {
						t.Errorf("reached the handler: %v", reached)
					}
				})
			})
		}
	}
}

func TestHandlerKnowsThePrincipal(t *testing.T) {
	both(t, func(t *testing.T, method string) {
		var got *principalv1.Principal
		s := start(t, rpcserver.Options{Principal: as(principalv1.Principal_KIND_USER)}, func(ctx context.Context) error {
			got, _ = principal.FromContext(ctx)
			return nil
		})
		if err := call(bounded(t), s.client(t, "client"), method); err != nil || got.GetName() != "someone" {
			t.Errorf("got %v, %v", got, err)
		}
	})
}

func TestRefusedPrincipal(t *testing.T) {
	both(t, func(t *testing.T, method string) {
		reached := false
		s := start(t, rpcserver.Options{
			Principal: func(context.Context) (context.Context, error) { return nil, errors.New(secret) },
		}, func(context.Context) error { reached = true; return nil })
		err := call(bounded(t), s.client(t, "client"), method)
		if status.Code(err) != codes.Unauthenticated || strings.Contains(err.Error(), secret) {
			t.Errorf("got %v", err)
		}
		if reached {
			t.Error("the handler was reached")
		}
	})
}

func TestInterceptorsRunInOrder(t *testing.T) {
	var order []string
	unaryNote := func(name string) grpc.UnaryServerInterceptor {
		return func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
			order = append(order, name)
			return handle(ctx, req)
		}
	}
	streamNote := func(name string) grpc.StreamServerInterceptor {
		return func(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
			order = append(order, name)
			return handle(srv, s)
		}
	}
	both(t, func(t *testing.T, method string) {
		order = nil
		s := start(t, rpcserver.Options{
			Principal: func(ctx context.Context) (context.Context, error) {
				order = append(order, "principal")
				return ctx, nil
			},
			Unary:  []grpc.UnaryServerInterceptor{unaryNote("one"), unaryNote("two")},
			Stream: []grpc.StreamServerInterceptor{streamNote("one"), streamNote("two")},
		}, func(context.Context) error { order = append(order, "handler"); return nil })
		if err := call(bounded(t), s.client(t, "client"), method); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(order, " "); got != "principal one two handler" {
			t.Errorf("got %s", got)
		}
	})
}

// Nobody gets in without a certificate of the mesh's own authority.
func TestStrangersCannotConnect(t *testing.T) {
	elsewhere, err := mtls.OpenAuthority(filepath.Join(t.TempDir(), "ca"))
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := elsewhere.Part("client").Certificate()
	if err != nil {
		t.Fatal(err)
	}
	for name, certificates := range map[string][]tls.Certificate{"no certificate": nil, "another authority": {*foreign}} {
		t.Run(name, func(t *testing.T) {
			var reached atomic.Bool
			s := start(t, rpcserver.Options{}, func(context.Context) error { reached.Store(true); return nil })
			// The stranger trusts anybody.
			cc := s.connect(t, credentials.NewTLS(&tls.Config{Certificates: certificates, InsecureSkipVerify: true}))
			if err := call(bounded(t), cc, unary); status.Code(err) != codes.Unavailable {
				t.Errorf("got %v", err)
			}
			if reached.Load() {
				t.Error("the handler was reached")
			}
		})
	}
}

func TestRequestLog(t *testing.T) {
	both(t, func(t *testing.T, method string) {
		s := start(t, rpcserver.Options{}, fails(nil))
		ctx := metadata.AppendToOutgoingContext(bounded(t), "x-request-id", "r1")
		if err := call(ctx, s.client(t, "client"), method); err != nil {
			t.Fatal(err)
		}
		line := s.log.await(t, method)[0]
		for key, want := range map[string]string{
			"level": "DEBUG", "msg": "call", "code": "OK", "request.id": "r1", "peer": mtls.ID("client"),
		} {
			if line[key] != want {
				t.Errorf("%s is %v, want %s", key, line[key], want)
			}
		}
		if d, ok := line["duration"].(float64); !ok || d <= 0 {
			t.Errorf("duration is %v", line["duration"])
		}
	})
}
