package calls

import (
	"math/rand/v2"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// MaxAttempts is how often one call is tried at most: what SRE practice and gRPC's
// own retry policies have. The hedge of the first attempt counts; one beside the
// last attempt comes on top.
const MaxAttempts = 3

const (
	// Pushback is the trailer in which a server says when a call may be repeated, in
	// milliseconds; negative means not at all. It is gRPC's own (gRFC A6).
	Pushback = "grpc-retry-pushback-ms"
	// Unprocessed is the trailer of a server that has refused a call before any
	// handler saw it: it may be repeated whatever it does.
	Unprocessed = "x-fairlead-unprocessed"
	// PreviousAttempts is the header of all attempts but the first, also gRPC's own.
	PreviousAttempts = "grpc-previous-rpc-attempts"
)

// Backoff before another attempt is a random time up to a limit which doubles
// (full jitter): the first one goes to another replica, and need not wait long.
const (
	shortestBackoff = 10 * time.Millisecond
	longestBackoff  = 250 * time.Millisecond
)

// Ended is how an attempt ended.
type Ended struct {
	// Attempt is which attempt it was, from 1.
	Attempt int
	// Err is what it ended with, not nil.
	Err error
	// Trailer is what the server sent at the end.
	Trailer metadata.MD
	// Repeatable calls do no more when they are made twice.
	Repeatable bool
	// CutOff attempts took so long that they were given up.
	CutOff bool
}

// After says whether another attempt may follow, as far as the answer is
// concerned, and after which time. A budget and a deadline may still forbid it.
func After(e Ended) (wait time.Duration, again bool) {
	if e.Attempt >= MaxAttempts || !e.mayRepeat() {
		return 0, false
	}
	if told := e.Trailer.Get(Pushback); len(told) > 0 {
		return pushback(told[0])
	}
	limit := min(longestBackoff, shortestBackoff<<(e.Attempt-1))
	return rand.N(limit), true
}

func (e Ended) mayRepeat() bool {
	if len(e.Trailer.Get(Unprocessed)) > 0 {
		return true
	}
	if !e.Repeatable {
		return false
	}
	if e.CutOff {
		return true
	}
	switch status.Code(e.Err) {
	case codes.Unavailable, codes.Internal:
		return true
	case codes.ResourceExhausted:
		return len(e.Trailer.Get(Pushback)) > 0
	}
	return false
}

// longestPushback is more than any caller waits: a minute, in milliseconds.
const longestPushback = 60_000

// pushback reads what a server said. What is no number means no, as gRPC has it.
func pushback(text string) (time.Duration, bool) {
	ms, err := strconv.Atoi(text)
	if err != nil || ms < 0 || ms > longestPushback {
		return 0, false
	}
	return time.Duration(ms) * time.Millisecond, true
}
