package mesh_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Two of three hang: there is one that works, the budget is full, and there are
// three attempts.
func TestHedgeThatHangsIsGivenUp(t *testing.T) {
	w := newWorld(t)
	var hang atomic.Bool
	bad := func(ctx context.Context) (string, error) {
		if hang.Load() {
			return hangs(ctx)
		}
		return "well", nil
	}
	w.serve(t, counting(new(atomic.Int64), bad))
	w.serve(t, counting(new(atomic.Int64), bad))
	w.serve(t, counting(new(atomic.Int64), works))
	cc := serving(t, w.knowing(t), 3)
	for end := time.Now().Add(1500 * time.Millisecond); time.Now().Before(end); { // what is usual has to be known
		if _, err := call(bounded(t), cc, get); err != nil {
			t.Fatal(err)
		}
	}
	hang.Store(true)
	failed := 0
	var longest time.Duration
	for range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		start := time.Now()
		if _, err := call(ctx, cc, get); err != nil {
			failed++
		}
		longest = max(longest, time.Since(start))
		cancel()
	}
	if failed > 0 || longest > time.Second {
		t.Errorf("%d of 20 failed, the longest took %s", failed, longest)
	}
}

// A call that takes 200 ms and has 300 succeeds, also when it may be repeated.
func TestCallThatTakesMoreThanHalfOfItsTime(t *testing.T) {
	w := newWorld(t)
	for range 2 {
		w.serve(t, counting(new(atomic.Int64), func(ctx context.Context) (string, error) {
			select {
			case <-time.After(200 * time.Millisecond):
				return "well", nil
			case <-ctx.Done():
				return "", ctx.Err()
			}
		}))
	}
	for name, method := range map[string]string{"may not be repeated": put, "may be repeated": get} {
		t.Run(name, func(t *testing.T) {
			cc := serving(t, w.knowing(t), 2)
			failed := 0
			var last error
			for range 20 {
				ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				if _, err := call(ctx, cc, method); err != nil {
					failed, last = failed+1, err
				}
				cancel()
			}
			if failed > 0 {
				t.Errorf("%d of 20 calls failed, the last with %v", failed, last)
			}
		})
	}
}

// Bytes of an answer belong to one call until they are freed, hedges and retries or not.
func TestAnswersAreNotMixedUp(t *testing.T) {
	w := newWorld(t)
	echo := func(ctx context.Context) (string, error) {
		id := metadata.ValueFromIncomingContext(ctx, "id")[0]
		switch rand.IntN(20) {
		case 0:
			<-time.After(rand.N(60 * time.Millisecond))
		case 1:
			return "", status.Error(codes.Unavailable, "no")
		}
		return strings.Repeat(id+";", 500), nil
	}
	for range 3 {
		w.serve(t, handlers{"Get": echo})
	}
	caller := w.knowing(t).Caller()
	var wait sync.WaitGroup
	for g := range 8 {
		wait.Go(func() {
			for n := range 400 {
				id := fmt.Sprintf("%d-%d", g, n)
				ctx, cancel := context.WithTimeout(metadata.NewOutgoingContext(t.Context(), metadata.Pairs("id", id)), time.Second)
				if rand.IntN(20) == 0 {
					time.AfterFunc(rand.N(20*time.Millisecond), cancel)
				}
				reply, err := caller.Invoke(ctx, get, nil)
				cancel()
				if err != nil {
					continue // some are cancelled, and some fail three times
				}
				text := new(wrapperspb.StringValue)
				if err := proto.Unmarshal(reply.Message.Bytes(), text); err != nil || text.GetValue() != strings.Repeat(id+";", 500) {
					t.Errorf("%s: got %.40q, %v", id, text.GetValue(), err)
				}
				reply.Message.Free()
			}
		})
	}
	wait.Wait()
}
