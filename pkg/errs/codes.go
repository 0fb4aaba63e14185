package errs

import (
	"fmt"

	"google.golang.org/grpc/codes"
)

// Invalid is for a request that is wrong whatever the state of the service:
// INVALID_ARGUMENT, 400 in REST.
func Invalid(r Reason, format string, args ...any) *Error {
	return newError(codes.InvalidArgument, r, format, args...)
}

// Unauthenticated is for a caller who has not shown who is calling:
// UNAUTHENTICATED, 401 in REST.
func Unauthenticated(r Reason, format string, args ...any) *Error {
	return newError(codes.Unauthenticated, r, format, args...)
}

// Denied is for a caller who is known and may not do this: PERMISSION_DENIED, 403
// in REST.
func Denied(r Reason, format string, args ...any) *Error {
	return newError(codes.PermissionDenied, r, format, args...)
}

// NotFound is for something that does not exist, or that the caller may not know
// of: NOT_FOUND, 404 in REST.
func NotFound(r Reason, format string, args ...any) *Error {
	return newError(codes.NotFound, r, format, args...)
}

// Exists is for something that was to be made and exists: ALREADY_EXISTS, 409 in
// REST.
func Exists(r Reason, format string, args ...any) *Error {
	return newError(codes.AlreadyExists, r, format, args...)
}

// Conflict is for a call that another one got in the way of; the caller may read
// again and repeat it: ABORTED, 409 in REST.
func Conflict(r Reason, format string, args ...any) *Error {
	return newError(codes.Aborted, r, format, args...)
}

// Precondition is for a call that the state of the service does not allow, and
// that fails again until somebody changes that: FAILED_PRECONDITION, 400 in REST.
func Precondition(r Reason, format string, args ...any) *Error {
	return newError(codes.FailedPrecondition, r, format, args...)
}

// Limited is for a caller who asks too much: RESOURCE_EXHAUSTED, 429 in REST. Add
// RetryAfter.
func Limited(r Reason, format string, args ...any) *Error {
	return newError(codes.ResourceExhausted, r, format, args...)
}

// Unavailable is for a service that cannot answer now; the caller may repeat the
// call: UNAVAILABLE, 503 in REST.
func Unavailable(r Reason, format string, args ...any) *Error {
	return newError(codes.Unavailable, r, format, args...)
}

// Timeout is for a deadline that passed: DEADLINE_EXCEEDED, 504 in REST.
func Timeout(r Reason, format string, args ...any) *Error {
	return newError(codes.DeadlineExceeded, r, format, args...)
}

// Internal is for what should not happen: INTERNAL, 500 in REST. The message is
// shown to the caller: put what happened into Because.
func Internal(r Reason, format string, args ...any) *Error {
	return newError(codes.Internal, r, format, args...)
}

// Unimplemented is for a method that does not exist, or not for this caller:
// UNIMPLEMENTED, 501 in REST.
func Unimplemented(r Reason, format string, args ...any) *Error {
	return newError(codes.Unimplemented, r, format, args...)
}

func newError(code codes.Code, r Reason, format string, args ...any) *Error {
	return &Error{code: code, reason: r, message: valid(fmt.Sprintf(format, args...))}
}
