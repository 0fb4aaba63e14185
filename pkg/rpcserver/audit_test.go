package rpcserver_test

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/pkg/policy"
	"github.com/fairlead-mesh/fairlead/pkg/principal"
	"github.com/fairlead-mesh/fairlead/pkg/rpcserver"
	policyv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/policy/v1"
	principalv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/principal/v1"
)

// holding signs in every call with scopes.
func holding(scopes ...string) func(context.Context) (context.Context, error) {
	return func(ctx context.Context) (context.Context, error) {
		return principal.NewContext(ctx, &principalv1.Principal{Kind: principalv1.Principal_KIND_USER, Name: "someone", Scopes: scopes}), nil
	}
}

// Who was not allowed to call is in the log and in the metric.
func TestTrespassesAreTold(t *testing.T) {
	for name, test := range map[string]struct {
		principal func(context.Context) (context.Context, error)
		policy    policy.Policy
		code      codes.Code
		reason    string // empty when the call is allowed
	}{
		"caller":          {nil, policy.Policy{Callers: []string{"other"}}, codes.PermissionDenied, rpcserver.RefusedCaller},
		"one of callers":  {nil, policy.Policy{Callers: []string{"other", "client"}}, codes.OK, ""},
		"no principal":    {nil, policy.Policy{Level: policyv1.Auth_LEVEL_USER}, codes.Unauthenticated, rpcserver.RefusedLevel},
		"wrong principal": {func(context.Context) (context.Context, error) { return nil, errors.New(secret) }, policy.Policy{}, codes.Unauthenticated, rpcserver.RefusedPrincipal},
		"another kind":    {holding(), policy.Policy{Level: policyv1.Auth_LEVEL_SERVICE}, codes.PermissionDenied, rpcserver.RefusedLevel},
		"no scope":        {holding("read"), policy.Policy{Level: policyv1.Auth_LEVEL_USER, Scopes: []string{"read", "cook"}}, codes.PermissionDenied, rpcserver.RefusedScope},
		"all scopes":      {holding("cook", "read"), policy.Policy{Level: policyv1.Auth_LEVEL_USER, Scopes: []string{"read", "cook"}}, codes.OK, ""},
		"scope, any kind": {holding(), policy.Policy{Level: policyv1.Auth_LEVEL_OPTIONAL, Scopes: []string{"cook"}}, codes.PermissionDenied, rpcserver.RefusedScope},
		"scope of nobody": {nil, policy.Policy{Scopes: []string{"cook"}}, codes.Unauthenticated, rpcserver.RefusedLevel},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, method string) {
				var told refusals
				p := test.policy
				p.Timeout = patience
				s := start(t, rpcserver.Options{Principal: test.principal, Refused: told.note, Policy: func(string) *policy.Policy { return &p }}, fails(nil))
				if err := call(bounded(t), s.client(t, "client"), method); status.Code(err) != test.code {
					t.Errorf("got %v", err)
				}
				checkTold(t, s, told.take(), method, test.reason)
			})
		})
	}
}

func checkTold(t *testing.T, s *running, told []rpcserver.Refusal, method, reason string) {
	t.Helper()
	var warned []map[string]any
	for _, line := range s.log.of(t, method) {
		if line["level"] == "WARN" {
			warned = append(warned, line)
		}
	}
	if reason == "" {
		if len(told) > 0 || len(warned) > 0 {
			t.Errorf("told %v, logged %v", told, warned)
		}
		return
	}
	if want := (rpcserver.Refusal{Method: method, Peer: mtls.ID("client"), Reason: reason}); len(told) != 1 || told[0] != want {
		t.Errorf("told %v, want %v", told, want)
	}
	if len(warned) != 1 || warned[0]["reason"] != reason || warned[0]["peer"] != mtls.ID("client") {
		t.Errorf("logged %v", warned)
	}
}

// A neighbour that asks without end does not fill the disk; the metric has it all.
func TestTrespassesAreNotAllLogged(t *testing.T) {
	var told refusals
	s := start(t, rpcserver.Options{Refused: told.note, Policy: func(string) *policy.Policy {
		return &policy.Policy{Callers: []string{"other"}, Timeout: patience}
	}}, fails(nil))
	cc := s.client(t, "client")
	const calls = 200
	for range calls {
		if err := call(bounded(t), cc, unary); status.Code(err) != codes.PermissionDenied {
			t.Fatalf("got %v", err)
		}
	}
	warned := 0
	for _, line := range s.log.of(t, unary) {
		if line["level"] == "WARN" {
			warned++
		}
	}
	if got := len(told.take()); got != calls || warned == 0 || warned > calls/2 {
		t.Errorf("%d were told, %d logged", got, warned)
	}
}
