package social

import (
	"context"
	"log/slog"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/idempotency"
	"github.com/fairlead-mesh/fairlead/pkg/store"
)

// sweepEvery is how often old idempotency keys are removed. One that is kept for
// an hour longer than promised does no harm.
const sweepEvery = time.Hour

// sweep removes old idempotency keys until it is closed.
type sweep struct {
	stop context.CancelFunc
	done chan struct{}
}

func startSweep(db *store.DB, logger *slog.Logger) *sweep {
	ctx, stop := context.WithCancel(context.Background())
	s := &sweep{stop: stop, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		s.run(ctx, db, logger)
	}()
	return s
}

func (s *sweep) run(ctx context.Context, db *store.DB, logger *slog.Logger) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		// First now: a process may never live for an hour.
		_, err := idempotency.Expire(ctx, db, time.Now())
		if err != nil && ctx.Err() == nil {
			logger.ErrorContext(ctx, "expire idempotency keys", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// close ends the sweep and waits until it has ended.
func (s *sweep) close() {
	s.stop()
	<-s.done
}
