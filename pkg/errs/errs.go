// Package errs makes errors that say what a caller may know, and keeps what only
// the operator may know. An Error becomes a gRPC status with an ErrorInfo; its
// reason is a value of a generated enum, which is the API: messages may change.
// It does not choose HTTP statuses; the edge does.
package errs

import (
	"errors"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"

	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
)

// Reason is a value of a generated reason enum. The enum's package is the domain
// of the ErrorInfo, the value's name without its REASON_ prefix the reason.
type Reason = protoreflect.Enum

// Error is an error with a gRPC code, a reason, and a message for the caller.
// It is never changed after it was made, so several goroutines may use one.
type Error struct {
	code    codes.Code
	reason  Reason
	message string
	fields  []field
	retry   time.Duration
	cause   error
}

type field struct{ path, description string }

// Field returns a copy of the error with one more field violation: the path of
// the field in the request ("post.text") and what is wrong with it.
func (e *Error) Field(path, description string) *Error {
	c := *e
	c.fields = append(slices.Clip(c.fields), field{valid(path), valid(description)})
	return &c
}

// RetryAfter returns a copy of the error that tells the caller to wait for d
// before the call is repeated.
func (e *Error) RetryAfter(d time.Duration) *Error {
	c := *e
	c.retry = d
	return &c
}

// Because returns a copy of the error that keeps its cause for the log. The
// caller never sees it.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// Error returns the code, the message and the cause: it is for the log, not for
// the caller.
func (e *Error) Error() string {
	text := e.code.String() + ": " + e.message
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

// Unwrap returns the cause, or nil.
func (e *Error) Unwrap() error { return e.cause }

// Code returns the gRPC code.
func (e *Error) Code() codes.Code { return e.code }

// From returns the Error that err is or wraps. Any other error, also the status
// of a callee, becomes INTERNAL with a fixed sentence, and is kept as the cause.
// Servers answer with From(err).GRPCStatus(), since grpc itself shows callers
// the whole text of a wrapped error. From(nil) is nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return Internal(errorsv1.Reason_REASON_INTERNAL, "something went wrong inside").Because(err)
}

// valid makes text fit for a protobuf string, whatever bytes a caller sent.
func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }
