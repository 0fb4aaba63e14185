package rpcserver

import (
	"context"
	"errors"
	"slices"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/pkg/policy"
	"github.com/fairlead-mesh/fairlead/pkg/principal"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
	policyv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/policy/v1"
	principalv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/principal/v1"
)

// trespass is why a call is not allowed: what the caller sees, and the reason for
// the audit.
type trespass struct {
	error
	reason string
}

// Unwrap returns what the caller sees.
func (t trespass) Unwrap() error { return t.error }

// authorize finds out who is calling, and checks what policy asks for a second
// time, behind the edge: a method for users is for users also when a service calls
// it. It returns the context that carries the principal. Whose object it is, is
// for the handler to check.
func (m *method) authorize(ctx context.Context) (context.Context, error) {
	if m.server.principal != nil {
		known, err := m.server.principal(ctx)
		if err != nil {
			return nil, trespass{errs.Unauthenticated(errorsv1.Reason_REASON_TOKEN_INVALID, "the principal is not known here").Because(err), RefusedPrincipal}
		}
		ctx = known
	}
	if m.policy == nil {
		return ctx, nil
	}
	if err := admit(ctx, m.policy); err != nil {
		return nil, err
	}
	return ctx, checkPrincipal(ctx, m.policy)
}

func checkPrincipal(ctx context.Context, p *policy.Policy) error {
	want, asked := kindOf(p.Level)
	if !asked && len(p.Scopes) == 0 {
		return nil
	}
	who, ok := principal.FromContext(ctx)
	if !ok {
		return trespass{errs.Unauthenticated(errorsv1.Reason_REASON_TOKEN_MISSING, "the method asks for a principal"), RefusedLevel}
	}
	if asked && who.Kind != want {
		return trespass{errs.Denied(errorsv1.Reason_REASON_PERMISSION_DENIED, "the method is for principals of another kind"), RefusedLevel}
	}
	for _, scope := range p.Scopes {
		if !slices.Contains(who.Scopes, scope) {
			return trespass{errs.Denied(errorsv1.Reason_REASON_PERMISSION_DENIED, "the principal does not hold the scope %q", scope), RefusedScope}
		}
	}
	return nil
}

// kindOf is the kind of principal that a level asks for, if it asks for one.
func kindOf(l policyv1.Auth_Level) (principalv1.Principal_Kind, bool) {
	switch l {
	case policyv1.Auth_LEVEL_USER:
		return principalv1.Principal_KIND_USER, true
	case policyv1.Auth_LEVEL_SERVICE:
		return principalv1.Principal_KIND_SERVICE, true
	}
	return principalv1.Principal_KIND_UNSPECIFIED, false
}

// admit checks that the calling part is one of those that policy names. The edge
// may call what it exposes.
func admit(ctx context.Context, p *policy.Policy) error {
	if len(p.Callers) == 0 {
		return nil
	}
	peer := peerID(ctx)
	for _, part := range p.Callers {
		if peer == mtls.ID(part) {
			return nil
		}
	}
	if p.Exposed && peer == mtls.ID("edge") {
		return nil
	}
	return trespass{errs.Denied(errorsv1.Reason_REASON_PERMISSION_DENIED, "%s may not call this method", peer), RefusedCaller}
}

// tellTrespass writes a call that was not allowed into the audit.
func (c *call) tellTrespass(err error) {
	if t, ok := errors.AsType[trespass](err); ok {
		c.method.server.audit.write(c, Refusal{Method: c.method.name, Peer: peerID(c), Reason: t.reason}, err)
	}
}
