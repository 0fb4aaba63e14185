package rpcserver_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/pkg/rpcserver"
	"github.com/fairlead-mesh/fairlead/pkg/shed"
)

// The answer must arrive before the caller has given up.
func TestHandlersHaveLessTimeThanCallers(t *testing.T) {
	both(t, func(t *testing.T, method string) {
		for wait, most := range map[time.Duration]time.Duration{
			10 * time.Second: 10*time.Second - 20*time.Millisecond,
			time.Second:      980 * time.Millisecond,
		} {
			var left time.Duration
			s := start(t, rpcserver.Options{}, deadlines(&left))
			ctx, cancel := context.WithTimeout(t.Context(), wait)
			defer cancel()
			if err := call(ctx, s.client(t, "client"), method); err != nil {
				t.Fatal(err)
			}
			if left > most {
				t.Errorf("of %s the handler has %s, want less than %s", wait, left, most)
			}
		}
	})
}

func TestHopelessCallsAreRefused(t *testing.T) {
	var told refusals
	s := start(t, rpcserver.Options{Refused: told.note, Shed: shed.Options{Rest: 100}}, func(ctx context.Context) error {
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
		}
		return ctx.Err()
	})
	cc := s.client(t, "client")
	answered := make(chan error, 60)
	for range cap(answered) {
		go func() { answered <- call(bounded(t), cc, unary) }()
	}
	for range cap(answered) {
		if err := <-answered; err != nil {
			t.Fatal(err)
		}
	}
	await(t, "a call with too little time is refused", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := call(ctx, cc, unary); status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("got %v", err)
		}
		for _, r := range told.take() {
			if r.Reason == rpcserver.RefusedDeadline && r.Method == unary {
				return true
			}
		}
		return false
	})
	if err := call(bounded(t), cc, unary); err != nil {
		t.Errorf("a call with time: %v", err)
	}
}
