package echo

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/fairlead-mesh/fairlead/test/mesh/control"
)

// Stats is what a replica has done since it began.
type Stats struct {
	control.Usage
	// Instance is the id that it registers.
	Instance string `json:"instance"`
	// Calls are those that a handler saw, Repeated those of them that say they are not
	// the first attempt, Failed those that were told to fail, and Writes those of the
	// method that must not be called twice.
	Calls    int64 `json:"calls"`
	Repeated int64 `json:"repeated"`
	Failed   int64 `json:"failed"`
	Writes   int64 `json:"writes"`
	// Streams is how many there were.
	Streams int64 `json:"streams"`
	// First and Last are when the first and the newest call or stream came, in Unix
	// nanoseconds; 0 for none.
	First int64 `json:"first"`
	Last  int64 `json:"last"`
	// Callers are the serial numbers of the certificates that callers have shown, and
	// when each was first seen, in Unix nanoseconds.
	Callers map[string]int64 `json:"callers"`
}

// maxCallers bounds the certificates that are remembered.
const maxCallers = 256

// counters collects Stats.
type counters struct {
	calls, repeated, failed, writes, streams, first, last atomic.Int64

	mu      sync.Mutex
	callers map[string]int64
}

// came counts a call or a stream.
func (c *counters) came(ctx context.Context) {
	now := time.Now().UnixNano()
	c.first.CompareAndSwap(0, now)
	c.last.Store(now)
	if len(metadata.ValueFromIncomingContext(ctx, "grpc-previous-rpc-attempts")) > 0 {
		c.repeated.Add(1)
	}
	c.meet(ctx, now)
}

func (c *counters) meet(ctx context.Context, now int64) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.PeerCertificates) == 0 {
		return
	}
	serial := info.State.PeerCertificates[0].SerialNumber.String()
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.callers[serial]; !known && len(c.callers) < maxCallers {
		c.callers[serial] = now
	}
}

func (c *counters) stats(instance string) Stats {
	c.mu.Lock()
	callers := maps.Clone(c.callers)
	c.mu.Unlock()
	return Stats{
		Usage: control.Measure(), Instance: instance,
		Calls: c.calls.Load(), Repeated: c.repeated.Load(), Failed: c.failed.Load(), Writes: c.writes.Load(),
		Streams: c.streams.Load(), First: c.first.Load(), Last: c.last.Load(), Callers: callers,
	}
}
