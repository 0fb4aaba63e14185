package rpcserver

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// auditLines bounds the lines about refusals in a second: a neighbour that is
// broken, or worse, must not fill the disk. The metric counts all.
const auditLines = 10

// audit tells who was turned away.
type audit struct {
	log  *slog.Logger
	tell func(Refusal) // may be nil

	mu      sync.Mutex
	second  time.Time
	written int
	left    int // out of the log
}

// count tells the metric alone: for what is no trespass.
func (a *audit) count(r Refusal) {
	if a.tell != nil {
		a.tell(r)
	}
}

// write tells the metric and the log.
func (a *audit) write(ctx context.Context, r Refusal, cause error) {
	a.count(r)
	left, ok := a.room(time.Now())
	if !ok {
		return
	}
	attrs := []slog.Attr{
		slog.String("reason", r.Reason), slog.String("peer", r.Peer), slog.String("rpc.method", r.Method),
		slog.String("request.id", requestID(ctx)), slog.String("error", cause.Error()),
	}
	if left > 0 {
		attrs = append(attrs, slog.Int("unlogged", left))
	}
	a.log.LogAttrs(ctx, slog.LevelWarn, "call refused", attrs...)
}

// room says whether another line may be written in this second, and how many were
// left out before it.
func (a *audit) room(now time.Time) (left int, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Sub(a.second) >= time.Second {
		a.second, a.written = now, 0
	}
	if a.written == auditLines {
		a.left++
		return 0, false
	}
	a.written++
	left, a.left = a.left, 0
	return left, true
}
