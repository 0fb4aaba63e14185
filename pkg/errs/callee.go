package errs

import (
	"fmt"

	"google.golang.org/grpc/status"
)

// CalleeError is the status that another service answered, as the mesh's clients
// return it. status.FromError and status.Code read it like any status; the
// servers of the mesh know by it that the status is not their handler's own, and
// do not pass it on.
type CalleeError struct {
	status *status.Status
}

// Callee marks an error that a call returned. What is not a status, such as
// io.EOF at the end of a stream, and nil are returned as they are.
func Callee(err error) error {
	if err == nil {
		return nil
	}
	s, ok := status.FromError(err)
	if !ok {
		return err
	}
	return &CalleeError{s}
}

// Error returns the status as text, for the log and for whoever runs a job:
// "the call failed with NotFound: there is no such user".
func (e *CalleeError) Error() string {
	return fmt.Sprintf("the call failed with %v: %s", e.status.Code(), e.status.Message())
}

// GRPCStatus returns the status that the service answered.
func (e *CalleeError) GRPCStatus() *status.Status { return e.status }
