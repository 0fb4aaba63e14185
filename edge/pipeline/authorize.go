package pipeline

import (
	"context"
	"slices"

	"github.com/fairlead-mesh/fairlead/edge/call"
	"github.com/fairlead-mesh/fairlead/pkg/errs"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
	policyv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/policy/v1"
	principalv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/principal/v1"
)

// authorize checks that the caller is of the kind that the method asks for and
// holds its scopes. Whose object it is, is for the service to check.
func authorize(ctx context.Context, c *call.Call) (context.Context, error) {
	level := c.Method.Policy.Level
	switch {
	case level == policyv1.Auth_LEVEL_NONE:
		return ctx, nil
	case c.Principal == nil && level == policyv1.Auth_LEVEL_OPTIONAL && len(c.Method.Policy.Scopes) == 0:
		return ctx, nil
	case c.Principal == nil:
		return ctx, errs.Unauthenticated(errorsv1.Reason_REASON_TOKEN_MISSING, "sign in first: the method asks for an access token")
	case level == policyv1.Auth_LEVEL_USER && c.Principal.Kind != principalv1.Principal_KIND_USER:
		return ctx, errs.Denied(errorsv1.Reason_REASON_PERMISSION_DENIED, "only users may call this")
	case level == policyv1.Auth_LEVEL_SERVICE && c.Principal.Kind != principalv1.Principal_KIND_SERVICE:
		return ctx, errs.Denied(errorsv1.Reason_REASON_PERMISSION_DENIED, "only service accounts may call this")
	}
	for _, s := range c.Method.Policy.Scopes {
		if !slices.Contains(c.Principal.Scopes, s) {
			return ctx, errs.Denied(errorsv1.Reason_REASON_PERMISSION_DENIED, "the token does not hold the scope %q", s)
		}
	}
	return ctx, nil
}
