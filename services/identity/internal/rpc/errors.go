package rpc

import (
	"errors"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	identityv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/identity/v1"
	"github.com/fairlead-mesh/fairlead/services/identity/internal/core"
)

// toStatus is the only place that decides what callers see of an error. What is
// not in it is INTERNAL, and its text goes to the log.
func toStatus(err error) error {
	switch {
	case errors.Is(err, core.ErrTokenInvalid):
		return errs.Unauthenticated(identityv1.Reason_REASON_REFRESH_TOKEN_INVALID, "this is not a refresh token: sign in again")
	case errors.Is(err, core.ErrTokenReused):
		return errs.Unauthenticated(identityv1.Reason_REASON_REFRESH_TOKEN_REUSED, "the refresh token was used before, and the session is ended: sign in again")
	case errors.Is(err, core.ErrSessionEnded):
		return errs.Unauthenticated(identityv1.Reason_REASON_SESSION_ENDED, "the session has ended: sign in again")
	case errors.Is(err, core.ErrNotFound):
		return errs.NotFound(identityv1.Reason_REASON_USER_NOT_FOUND, "there is no such user")
	}
	return errs.From(err)
}
