package load

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/stats"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/fairlead-mesh/fairlead/pkg/config"
	"github.com/fairlead-mesh/fairlead/pkg/host"
	"github.com/fairlead-mesh/fairlead/pkg/mesh"
	"github.com/fairlead-mesh/fairlead/test/mesh/control"
)

// Part is the name of the part.
const Part = "load"

// Config is what the program can be told at its start: FAIRLEAD_LOAD_*.
type Config struct {
	Control string `config:"control" help:"path of the socket on which it is told what to do"`
}

// Stats is how the generator is.
type Stats struct {
	control.Usage
	// Outstanding is how many calls wait for an answer.
	Outstanding int64 `json:"outstanding"`
}

// Program is the part as a process, which writes a Slot as JSON on each line of out.
func Program(out io.Writer) host.Program {
	return host.Program{
		Name:    Part,
		Declare: func(flags *pflag.FlagSet) { config.Flags(flags, Part, new(Config)) },
		Names:   config.Names(Part, new(Config)),
		Start: func(_ context.Context, h *host.Host, _ host.MeshConfig) (host.Stopper, error) {
			c := new(Config)
			if _, err := config.Load(Part, c, h.Env, h.Flags); err != nil {
				return nil, err
			}
			return start(h, c, out)
		},
	}
}

// running is a generator that runs.
type running struct {
	mesh      *mesh.Mesh
	generator *generator
	control   *control.Server
	out       *json.Encoder

	stop context.CancelFunc
	task sync.WaitGroup
}

func start(h *host.Host, c *Config, out io.Writer) (host.Stopper, error) {
	r := &running{out: json.NewEncoder(out)}
	counted := newSlots()
	h.Observers = append(h.Observers, observer{counted})
	var err error
	if r.mesh, err = h.Join(Part, false); err != nil {
		return nil, err
	}
	r.generator = newGenerator(r.mesh, counted)
	routes := http.NewServeMux()
	routes.Handle("POST /plan", control.Take(r.generator.follow))
	routes.Handle("GET /stats", control.Give(func() Stats { return Stats{control.Measure(), r.generator.outstanding.Load()} }))
	routes.Handle("GET /view", control.Give(r.view))
	if r.control, err = control.Serve(c.Control, routes); err != nil {
		return nil, errors.Join(err, r.mesh.Close(context.Background()))
	}
	var ctx context.Context
	ctx, r.stop = context.WithCancel(context.Background())
	r.task.Go(func() { r.write(ctx) })
	return r, nil
}

// view is what the generator sees of the mesh, as "fairlead status" shows it.
func (r *running) view() json.RawMessage {
	b, err := protojson.Marshal(r.mesh.View())
	if err != nil {
		r.mesh.Logger().Error("no view", "error", err)
		return json.RawMessage("{}")
	}
	return b
}

// write writes the slots as they are over; also those in which nothing happened, so
// that whoever reads knows how far they go.
func (r *running) write(ctx context.Context) {
	tick := time.NewTicker(SlotTime)
	defer tick.Stop()
	for {
		r.generator.slots.note(func(*Slot) {})
		done, err := r.generator.slots.take(time.Now())
		for _, s := range done {
			err = errors.Join(err, r.out.Encode(s))
		}
		if err != nil {
			r.mesh.Logger().Error("slots are lost", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Close implements host.Stopper.
func (r *running) Close(ctx context.Context) error {
	r.generator.close(ctx)
	r.stop()
	r.task.Wait()
	return errors.Join(r.control.Close(), r.mesh.Close(ctx))
}

// observer counts attempts and connections where grpc makes them: below the retries.
type observer struct{ slots *slots }

type addressKey struct{}

// TagRPC implements stats.Handler.
func (o observer) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// HandleRPC implements stats.Handler.
func (o observer) HandleRPC(_ context.Context, s stats.RPCStats) {
	if h, ok := s.(*stats.OutHeader); ok && h.RemoteAddr != nil {
		o.slots.note(func(s *Slot) { s.Attempts[h.RemoteAddr.String()]++ })
	}
}

// TagConn implements stats.Handler.
func (o observer) TagConn(ctx context.Context, i *stats.ConnTagInfo) context.Context {
	return context.WithValue(ctx, addressKey{}, i.RemoteAddr.String())
}

// HandleConn implements stats.Handler.
func (o observer) HandleConn(ctx context.Context, s stats.ConnStats) {
	if _, ok := s.(*stats.ConnBegin); ok {
		address, _ := ctx.Value(addressKey{}).(string)
		o.slots.note(func(s *Slot) { s.Connections[address]++ })
	}
}

// codeName is how a code is written in protos: RESOURCE_EXHAUSTED.
func codeName(c codes.Code) string {
	if c == codes.OK {
		return OK
	}
	var b strings.Builder
	for i, r := range c.String() {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	return strings.ToUpper(b.String())
}
