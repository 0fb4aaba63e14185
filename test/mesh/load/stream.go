package load

import (
	"context"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	echov1 "github.com/fairlead-mesh/fairlead/test/gen/go/acme/echo/v1"
)

// longestPause bounds how long a stream waits before it is opened again.
const longestPause = 500 * time.Millisecond

// stream keeps a stream open: when it breaks it goes on after the last number, as a
// client with a resume token does.
func (g *generator) stream(ctx context.Context, p Plan) {
	client := echov1.NewEchoServiceClient(g.dial(p.Service))
	next, failures := int64(1), 0
	for ctx.Err() == nil {
		got, err := g.read(ctx, client, &next, p.Every)
		if ctx.Err() != nil {
			return
		}
		// UNAVAILABLE is how a server that drains, or its connection, says to come again.
		if code := status.Code(err); code == codes.Unavailable {
			g.slots.note(func(s *Slot) { s.Resumed++ })
		} else {
			g.slots.note(func(s *Slot) { s.Broken[codeName(code)]++ })
		}
		if failures++; got {
			failures = 0
		}
		pause(ctx, failures)
	}
}

// read reads one stream to its end, and says whether anything came.
func (g *generator) read(ctx context.Context, client echov1.EchoServiceClient, next *int64, every int64) (got bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := client.Count(ctx, &echov1.CountRequest{From: *next, EveryMillis: every})
	if err != nil {
		return false, err
	}
	for {
		item, err := s.Recv()
		if err != nil {
			return got, err
		}
		got = true
		g.slots.note(func(s *Slot) {
			s.Items++
			if item.GetNumber() != *next {
				s.Lost++
			}
		})
		*next = item.GetNumber() + 1
	}
}

// pause waits longer from failure to failure; not at all after none.
func pause(ctx context.Context, failures int) {
	if failures == 0 {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(rand.N(min(longestPause, 10*time.Millisecond<<min(failures, 6)))):
	}
}
