package echo

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/host"
	"github.com/fairlead-mesh/fairlead/pkg/mesh"
	"github.com/fairlead-mesh/fairlead/pkg/service"
	"github.com/fairlead-mesh/fairlead/test/mesh/control"
)

// Config is what a replica can be told at its start: FAIRLEAD_ECHO_*.
type Config struct {
	Tier    string        `config:"tier" default:"back" help:"back, middle or front"`
	Delay   time.Duration `config:"delay" help:"how long a call takes"`
	Version string        `config:"version" help:"version to register as; empty for that of the build"`
	Control string        `config:"control" help:"path of the socket on which it is told what to do; empty for none"`
	Final   string        `config:"final" help:"file to which it writes what it has done when it stops; empty for none"`
}

// Program is the part as a process: service.Main with a version that can be chosen,
// since a canary is of another build.
func Program() host.Program {
	p := define("").Program()
	p.Start = func(ctx context.Context, h *host.Host, c host.MeshConfig) (host.Stopper, error) {
		if v, ok := h.Env.Lookup("FAIRLEAD_ECHO_VERSION"); ok {
			h.Version = v
		}
		return define(h.InstanceID).Program().Start(ctx, h, c)
	}
	return p
}

// define makes the part of an instance.
func define(instance string) service.Part {
	return service.Define(Part, API, func(_ context.Context, m *mesh.Mesh, c Config) (service.Service, error) {
		return build(instance, m, c)
	})
}

// build makes the service and its socket.
func build(instance string, m *mesh.Mesh, c Config) (service.Service, error) {
	r, err := New(c.Tier, instance, m, Behaviour{Delay: c.Delay})
	if err != nil {
		return nil, err
	}
	s := &controlled{Replica: r, final: c.Final}
	if c.Control == "" {
		return s, nil
	}
	routes := http.NewServeMux()
	routes.Handle("POST /behaviour", control.Take(r.Behave))
	routes.Handle("GET /stats", control.Give(r.Stats))
	s.control, err = control.Serve(c.Control, routes)
	return s, err
}

// controlled is a Replica with a socket.
type controlled struct {
	*Replica
	control *control.Server // nil for none
	final   string
}

// Close leaves behind what the replica has done, since nobody can ask it any more.
func (c *controlled) Close() error {
	var errs []error
	if c.final != "" {
		b, err := json.Marshal(c.Stats())
		errs = append(errs, err, os.WriteFile(c.final, b, 0o600))
	}
	if c.control != nil {
		errs = append(errs, c.control.Close())
	}
	return errors.Join(errs...)
}
