package balance

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Verdict is what the end of an attempt says of the replica that served it.
type Verdict uint8

const (
	// Success is any answer that a working replica gives, refusals among them.
	Success Verdict = iota
	// Failure is what a working replica does not do.
	Failure
	// Excluded attempts say nothing of the replica.
	Excluded
)

// A deadline that ran out is the replica's failure when it had at least shortest
// and tooSlow times what such calls take; else the caller's, who gave no time.
const (
	shortest = 50 * time.Millisecond
	tooSlow  = 5
)

// Judge returns what the end of an attempt says of the replica. ran is how long
// the attempt took, ewma how long attempts take at present.
//
// UNAVAILABLE, INTERNAL and DATA_LOSS are failures, and so is DEADLINE_EXCEEDED
// after at least 50 ms and 5 times ewma. CANCELED and shorter deadlines are the
// caller's doing. RESOURCE_EXHAUSTED is a replica that looks after itself. UNKNOWN
// is what handlers return who know no better. All other codes are answers.
func Judge(err error, ran, ewma time.Duration) Verdict {
	switch code(err) {
	case codes.Unavailable, codes.Internal, codes.DataLoss:
		return Failure
	case codes.DeadlineExceeded:
		if ran >= max(shortest, tooSlow*ewma) {
			return Failure
		}
		return Excluded
	case codes.Canceled, codes.ResourceExhausted, codes.Unknown:
		return Excluded
	}
	return Success
}

// code is status.Code, which also knows the errors of contexts.
func code(err error) codes.Code {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return codes.DeadlineExceeded
	case errors.Is(err, context.Canceled):
		return codes.Canceled
	}
	return status.Code(err)
}
