package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	meshv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/mesh/v1"
	"github.com/fairlead-mesh/fairlead/test/harness"
	"github.com/fairlead-mesh/fairlead/test/mesh/load"
)

// Load is a generator of calls.
type Load struct {
	member
	slots slotReader
}

// LoadOptions say what a generator is.
type LoadOptions struct {
	// Zone is where it runs.
	Zone string
	// Etcd are the URLs at which it finds etcd; those of the members when nil.
	Etcd []string
}

// AddLoad starts a generator, and waits until it is ready. It calls nobody yet.
func (l *Lab) AddLoad(ctx context.Context, o LoadOptions) (*Load, error) {
	if o.Etcd == nil {
		o.Etcd = l.Etcd.URLs()
	}
	g := new(Load)
	var err error
	g.member, err = l.join(fmt.Sprintf("load-%d", len(l.Loads)+1), l.programs.Load, load.Part, o.Etcd, "FAIRLEAD_MESH_ZONE="+o.Zone)
	if err != nil {
		return nil, err
	}
	g.set("FAIRLEAD_LOAD_CONTROL", g.socket())
	l.Loads = append(l.Loads, g)
	_, err = g.Start(ctx)
	return g, err
}

// Start starts a generator that does not run, and says how long it took until it was
// ready.
func (g *Load) Start(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	var err error
	if g.running, err = harness.Launch(g.bin, g.Dir, g.env, &g.slots, g.log); err != nil {
		return 0, err
	}
	return g.awaitReady(ctx, began)
}

// Follow makes it follow a plan.
func (g *Load) Follow(ctx context.Context, p load.Plan) error { return g.Control.Tell(ctx, "plan", p) }

// Stats asks how it is; with gc it collects its garbage first.
func (g *Load) Stats(ctx context.Context, gc bool) (s load.Stats, err error) {
	ctx, cancel := context.WithTimeout(ctx, statsTime)
	defer cancel()
	what := "stats"
	if gc {
		what += "?gc"
	}
	return s, g.Control.Ask(ctx, what, &s)
}

// View asks what it sees of a service, nil when it has not called it.
func (g *Load) View(ctx context.Context, service string) (*meshv1.ServiceView, error) {
	ctx, cancel := context.WithTimeout(ctx, statsTime)
	defer cancel()
	var text json.RawMessage
	if err := g.Control.Ask(ctx, "view", &text); err != nil {
		return nil, err
	}
	v := new(meshv1.View)
	if err := protojson.Unmarshal(text, v); err != nil {
		return nil, fmt.Errorf("view: %w", err)
	}
	for _, s := range v.GetServices() {
		if s.GetService() == service {
			return s, nil
		}
	}
	return nil, nil
}

// Window sums up the calls that were to begin between two times, once all of them
// have ended.
func (g *Load) Window(ctx context.Context, from, to time.Time) (*load.Summary, error) {
	err := Await(ctx, g.Name+" has told of all calls", func() bool {
		return g.slots.reach() >= to.UnixMilli() || !g.Running()
	})
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, g.tail())
	}
	return load.Sum(g.slots.between(from, to))
}

// Slots returns the slots that begin between two times, as far as they are known.
func (g *Load) Slots(from, to time.Time) []*load.Slot { return g.slots.between(from, to) }

// slotReader reads the slots that a generator writes.
type slotReader struct {
	mu    sync.Mutex
	rest  []byte // of a line
	slots []*load.Slot
	end   int64 // of the newest slot
}

// Write implements io.Writer.
func (r *slotReader) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rest = append(r.rest, b...)
	for {
		line, rest, found := bytes.Cut(r.rest, []byte("\n"))
		if !found {
			return len(b), nil
		}
		r.rest = rest
		s := new(load.Slot)
		if err := json.Unmarshal(line, s); err != nil {
			return 0, fmt.Errorf("slot %q: %w", line, err)
		}
		r.slots = append(r.slots, s)
		r.end = max(r.end, s.At+load.SlotTime.Milliseconds())
	}
}

// reach is up to when all is known, in Unix milliseconds.
func (r *slotReader) reach() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.end
}

func (r *slotReader) between(from, to time.Time) []*load.Slot {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []*load.Slot
	for _, s := range r.slots {
		if s.At >= from.UnixMilli() && s.At < to.UnixMilli() {
			found = append(found, s)
		}
	}
	return found
}
