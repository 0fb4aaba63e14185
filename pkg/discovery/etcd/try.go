package etcd

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// tries are how long each attempt of a request to etcd may take. The client sends
// each to another member. One that hangs holds its connections for 13 s before the
// client finds out, so the first attempt ends soon, a hundred times what etcd takes
// as a rule; the last has time for a large answer, or for an election.
var tries = []time.Duration{700 * time.Millisecond, 1400 * time.Millisecond, 2800 * time.Millisecond}

// try makes a request that does no more when it is made twice.
func try[T any](ctx context.Context, request func(context.Context) (T, error)) (answer T, err error) {
	for _, limit := range tries {
		answer, err = once(ctx, limit, request)
		if !late(err) || ctx.Err() != nil {
			break
		}
	}
	return answer, err
}

func once[T any](ctx context.Context, limit time.Duration, request func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return request(ctx)
}

// late says whether an attempt was cut off.
func late(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || status.Code(err) == codes.DeadlineExceeded
}
