package pipeline

import (
	"context"
	"strings"

	"github.com/fairlead-mesh/fairlead/edge/call"
	"github.com/fairlead-mesh/fairlead/pkg/errs"
	"github.com/fairlead-mesh/fairlead/pkg/principal"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
	policyv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/policy/v1"
	principalv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/principal/v1"
)

// Tokens verifies access tokens. It returns who the token names and the signed
// envelope that says so to the services, or an *errs.Error.
type Tokens interface {
	Verify(ctx context.Context, token string) (who *principalv1.Principal, envelope string, err error)
}

// authenticate turns the access token of a call into a principal. The token goes
// no further: services get the envelope. On a method of level NONE a token is
// not looked at, so that an app with an expired one can still sign in.
func authenticate(tokens Tokens) call.Decorator {
	return call.Admit(func(ctx context.Context, c *call.Call) (context.Context, error) {
		if c.Method.Policy.Level == policyv1.Auth_LEVEL_NONE {
			return ctx, nil
		}
		token, err := bearer(c.Metadata.Get("authorization"))
		if token == "" || err != nil {
			return ctx, err
		}
		who, envelope, err := tokens.Verify(ctx, token)
		if err != nil {
			return ctx, err
		}
		c.Principal = who
		c.Outgoing.Set(principal.MetadataKey, envelope)
		return ctx, nil
	})
}

// bearer returns the token of an Authorization header (RFC 6750), empty when
// there is no such header.
func bearer(headers []string) (string, error) {
	if len(headers) == 0 {
		return "", nil
	}
	scheme, token, ok := strings.Cut(headers[0], " ")
	if !ok || len(headers) > 1 || !strings.EqualFold(scheme, "bearer") || token == "" {
		return "", errs.Unauthenticated(errorsv1.Reason_REASON_TOKEN_INVALID, "send one header of the form \"Authorization: Bearer <access token>\"")
	}
	return token, nil
}
