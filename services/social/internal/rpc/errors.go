package rpc

import (
	"errors"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	"github.com/fairlead-mesh/fairlead/pkg/store"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
	socialv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/social/v1"
	"github.com/fairlead-mesh/fairlead/services/social/internal/core"
)

// toError returns what the caller is told. What is not the caller's doing, or not
// known here, becomes INTERNAL.
func toError(err error) error {
	if e, ok := errors.AsType[*errs.Error](err); ok {
		return e // before the others, which it may have as its cause
	}
	if e, ok := errors.AsType[*core.TextError](err); ok {
		return errs.Invalid(errorsv1.Reason_REASON_INVALID_FIELD, "the text of the post is not allowed").
			Field("post.text", e.Problem)
	}
	switch {
	case errors.Is(err, core.ErrSelfFollow):
		return errs.Invalid(socialv1.Reason_REASON_SELF_FOLLOW, "one cannot follow oneself").
			Field("name", "must name somebody else")
	case errors.Is(err, core.ErrUserNotFound):
		return errs.NotFound(socialv1.Reason_REASON_USER_NOT_FOUND, "there is no such user")
	case errors.Is(err, core.ErrPostNotFound):
		return errs.NotFound(socialv1.Reason_REASON_POST_NOT_FOUND, "there is no such post")
	case errors.Is(err, core.ErrNotOwner):
		return errs.Denied(socialv1.Reason_REASON_NOT_OWNER, "this belongs to another user")
	case store.IsBusy(err):
		return errs.Unavailable(errorsv1.Reason_REASON_UNAVAILABLE, "the database is busy; try again").Because(err)
	}
	return errs.From(err)
}
