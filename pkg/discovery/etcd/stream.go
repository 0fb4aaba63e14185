package etcd

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/metadata"
)

const (
	// askAfter is how long a watch may be silent before etcd is asked whether it is
	// up to date. Services change seldom, so most watches are silent as a rule.
	askAfter = 4 * time.Second
	// answerWithin is how long that, and the beginning of a watch, may take. When
	// etcd is only slow, no more is lost than a list that was not needed.
	answerWithin = 2 * time.Second
	// streamKey is the metadata by which the client tells streams apart.
	streamKey = "fairlead-watch-stream"
)

// streams makes the watches of a process. All of them share one stream to one
// member of etcd. A member that hangs, or a network that swallows what it is
// given, leaves the stream silent without an error: then the next watches get
// another stream, which goes to another member.
type streams struct {
	client *clientv3.Client
	number atomic.Int64
}

// watch is one watch that knows whether it is up to date.
type watch struct {
	events clientv3.WatchChan
	check  *time.Timer // when to ask

	streams *streams
	number  int64
	ctx     context.Context
	close   context.CancelFunc
	asked   bool // and not answered yet
}

var errStale = errors.New("the watch is silent")

// watch begins a watch. It waits for 2 s at most.
func (s *streams) watch(ctx context.Context, key string, options ...clientv3.OpOption) (*watch, error) {
	w := &watch{streams: s, number: s.number.Load()}
	// A member that has lost its leader would be silent for ever.
	ctx = metadata.AppendToOutgoingContext(clientv3.WithRequireLeader(ctx), streamKey, strconv.FormatInt(w.number, 10))
	w.ctx, w.close = context.WithCancel(ctx)
	giveUp := time.AfterFunc(answerWithin, w.close)
	w.events = s.client.Watch(w.ctx, key, options...)
	if !giveUp.Stop() {
		w.leave()
		return nil, errStale
	}
	w.check = time.NewTimer(askAfter)
	return w, nil
}

// heard notes a sign of life.
func (w *watch) heard() {
	w.asked = false
	// Whoever asks first does so for all: the answer comes to each watch of the
	// stream.
	w.check.Reset(askAfter + rand.N(time.Second))
}

// ask asks etcd whether the watch is up to date. The answer comes among the
// events; the error is that the last question was not answered.
func (w *watch) ask() error {
	if w.asked {
		w.leave()
		return errStale
	}
	ctx, cancel := context.WithTimeout(w.ctx, answerWithin)
	defer cancel()
	if err := w.streams.client.RequestProgress(ctx); err != nil {
		w.leave()
		return fmt.Errorf("%w: %w", errStale, err)
	}
	w.asked = true
	w.check.Reset(answerWithin)
	return nil
}

// leave ends the watch and gives up the stream.
func (w *watch) leave() {
	w.close()
	w.streams.number.CompareAndSwap(w.number, w.number+1)
}
