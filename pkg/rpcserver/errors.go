package rpcserver

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
)

// shown returns what the caller sees: what was made for it, an *errs.Error or a
// status that the handler made itself. Whatever else a handler returns, also the
// status of a service that it has called (its NOT_FOUND is no answer to what our
// caller asked), is INTERNAL with a fixed sentence; the log has the rest. A call
// that is over fails for that reason, unless the handler has an answer for the
// caller all the same: an INTERNAL is none, since errs.From makes one of the error
// of a context too.
func shown(ctx context.Context, err error) error {
	e, made := errors.AsType[*errs.Error](err)
	answered := made && e.Code() != codes.Internal
	if over := whyOver(ctx, err); over != nil && (!answered || errors.Is(err, over)) {
		return ended(over, err)
	}
	if made {
		return around(e, err)
	}
	return own(err)
}

// whyOver says why a call is over, and is nil when it is not. A callee has less
// time than its caller, so that its DEADLINE_EXCEEDED comes a moment before the
// caller's own deadline: it is that one which has passed.
func whyOver(ctx context.Context, err error) error {
	if over := ctx.Err(); over != nil {
		return over
	}
	callee, ok := errors.AsType[*errs.CalleeError](err)
	if !ok || callee.GRPCStatus().Code() != codes.DeadlineExceeded {
		return nil
	}
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= shave {
		return context.DeadlineExceeded
	}
	return nil
}

// ended is the answer to a call that is over.
func ended(over, err error) error {
	if over == context.DeadlineExceeded {
		return errs.Timeout(errorsv1.Reason_REASON_DEADLINE_EXCEEDED, "the deadline has passed").Because(err)
	}
	return status.Error(codes.Canceled, "the call was cancelled")
}

// own returns the status that a handler made, or that its stream broke with, or
// else INTERNAL.
func own(err error) error {
	made, ok := errors.AsType[answer](err)
	_, callee := errors.AsType[*errs.CalleeError](err)
	if !ok || callee || made.GRPCStatus() == nil {
		return errs.From(err)
	}
	return around(made, err)
}

// answer is an error that says what the caller sees.
type answer interface {
	error
	GRPCStatus() *status.Status
}

// around returns err, which is a or wraps it, as an error of which the caller
// sees a alone. grpc itself shows callers the text of all that is around a status.
func around(a answer, err error) error {
	if _, itself := err.(answer); itself {
		return err
	}
	return wrapped{a, err}
}

type wrapped struct {
	answer
	whole error
}

// Error returns the whole text, for the log.
func (w wrapped) Error() string { return w.whole.Error() }

// codeOf is status.Code without making the details of an *errs.Error.
func codeOf(err error) codes.Code {
	if e, ok := err.(*errs.Error); ok {
		return e.Code()
	}
	return status.Code(err)
}
