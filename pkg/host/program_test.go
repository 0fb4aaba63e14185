package host_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/fairlead-mesh/fairlead/pkg/config"
	"github.com/fairlead-mesh/fairlead/pkg/host"
)

// stopper is a part that only notes how it ends.
type stopper struct {
	err    error
	closed int
	left   time.Duration // to drain
}

func (s *stopper) Close(ctx context.Context) error {
	s.closed++
	if end, ok := ctx.Deadline(); ok && ctx.Err() == nil {
		s.left = time.Until(end)
	}
	return s.err
}

// program runs a part until started returns.
func program(t *testing.T, s *stopper, started func(*host.Host, host.MeshConfig)) (host.Program, context.Context) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	return host.Program{
		Name:    part,
		Declare: func(f *pflag.FlagSet) { f.String("recipes-oven", "", "which oven") },
		Names:   []string{"FAIRLEAD_RECIPES_OVEN"},
		Start: func(_ context.Context, h *host.Host, c host.MeshConfig) (host.Stopper, error) {
			defer cancel()
			started(h, c)
			return s, nil
		},
	}, ctx
}

// output is a log that may be read while it is written.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// environment is that of a process in a development mesh.
func environment(t *testing.T, more ...string) config.Env {
	t.Helper()
	return append(config.Env{"FAIRLEAD_MESH_DATA=" + development(t)}, more...)
}

func TestRunDrainsWhenItIsToldToStop(t *testing.T) {
	var s stopper
	var out output
	var got host.MeshConfig
	p, ctx := program(t, &s, func(h *host.Host, c host.MeshConfig) {
		got = c
		if h.Flags.Lookup("recipes-oven").Value.String() != "gas" {
			t.Error("the part does not see its flags")
		}
		if v, _ := h.Env.Lookup("FAIRLEAD_RECIPES_OVEN"); v != "wood" {
			t.Error("the part does not see its environment")
		}
	})
	env := environment(t, "FAIRLEAD_MESH_ZONE=east", "FAIRLEAD_RECIPES_OVEN=wood")
	if err := p.Run(ctx, []string{"--recipes-oven=gas", "--mesh-listen=127.0.0.1:7000"}, env, &out); err != nil {
		t.Fatal(err)
	}
	if s.closed != 1 || s.left <= 0 {
		t.Errorf("closed %d times, with %s to drain", s.closed, s.left)
	}
	if got.Zone != "east" || got.Listen != "127.0.0.1:7000" {
		t.Errorf("got %+v", got)
	}
	for _, line := range []string{"msg=ready", "msg=draining"} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("no %s in %s", line, out.String())
		}
	}
	if strings.Contains(out.String(), "unknown variable") {
		t.Errorf("a variable that is read is called unknown: %s", out.String())
	}
}

func TestRunReportsWhatFails(t *testing.T) {
	broken := errors.New("the oven is broken")
	p, ctx := program(t, &stopper{err: broken}, func(*host.Host, host.MeshConfig) {})
	if err := p.Run(ctx, nil, environment(t), io.Discard); !errors.Is(err, broken) {
		t.Errorf("Close: got %v", err)
	}
	p.Start = func(context.Context, *host.Host, host.MeshConfig) (host.Stopper, error) { return nil, broken }
	if err := p.Run(t.Context(), nil, environment(t), io.Discard); !errors.Is(err, broken) {
		t.Errorf("Start: got %v", err)
	}
}

// get asks a probe for a path, and returns the status.
func get(t *testing.T, address, path string) int {
	t.Helper()
	r, err := http.Get("http://" + address + path)
	if err != nil {
		t.Error(err)
		return 0
	}
	r.Body.Close()
	return r.StatusCode
}

// A process is ready from when its part has started until it is told to stop.
func TestProbe(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	p, _ := program(t, &stopper{}, func(*host.Host, host.MeshConfig) {})
	if err := p.Run(t.Context(), []string{"--probe", address}, environment(t), io.Discard); err == nil || !strings.Contains(err.Error(), "--probe") {
		t.Errorf("the port is taken: got %v", err)
	}
	l.Close()

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var waiting sync.WaitGroup
	drained := closing(func() {
		if got := get(t, address, "/readyz"); got != http.StatusServiceUnavailable {
			t.Errorf("ready while it drains: %d", got)
		}
	})
	p.Start = func(context.Context, *host.Host, host.MeshConfig) (host.Stopper, error) {
		for path, want := range map[string]int{"/healthz": http.StatusOK, "/readyz": http.StatusServiceUnavailable, "/metrics": http.StatusOK} {
			if got := get(t, address, path); got != want {
				t.Errorf("%s while it starts: %d", path, got)
			}
		}
		waiting.Go(func() {
			defer cancel()
			for get(t, address, "/readyz") != http.StatusOK {
				if ctx.Err() != nil {
					t.Error("never ready")
					return
				}
			}
		})
		return drained, nil
	}
	if err := p.Run(ctx, []string{"--probe", address}, environment(t), io.Discard); err != nil {
		t.Error(err)
	}
	waiting.Wait()
}

// closing is a part that does something when it is closed.
type closing func()

func (c closing) Close(context.Context) error { c(); return nil }

// Nothing starts with a mistake in flags or variables, and the error names it.
func TestRunRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		env  config.Env
		want string
	}{
		"argument":         {[]string{"start"}, nil, `unexpected argument "start"`},
		"flag":             {[]string{"--oven"}, nil, "--oven"},
		"log level":        {[]string{"--log-level=loud"}, nil, "--log-level"},
		"log level, env":   {nil, config.Env{"FAIRLEAD_LOG_LEVEL=loud"}, "FAIRLEAD_LOG_LEVEL"},
		"log format":       {[]string{"--log-format=xml"}, nil, "--log-format"},
		"log format, env":  {nil, config.Env{"FAIRLEAD_LOG_FORMAT=xml"}, "FAIRLEAD_LOG_FORMAT"},
		"strict":           {[]string{"--strict"}, config.Env{"FAIRLEAD_MESH_ZOEN=east"}, "FAIRLEAD_MESH_ZOEN"},
		"not a bool":       {nil, config.Env{"FAIRLEAD_STRICT=perhaps"}, "FAIRLEAD_STRICT"},
		"no mesh":          {nil, config.Env{"FAIRLEAD_MESH_DATA=/nowhere"}, "/nowhere"},
		"certificate only": {nil, config.Env{"FAIRLEAD_MESH_CERT=c.pem"}, "FAIRLEAD_MESH_KEY"},
	} {
		t.Run(name, func(t *testing.T) {
			p, ctx := program(t, &stopper{}, func(*host.Host, host.MeshConfig) { t.Error("started") })
			err := p.Run(ctx, test.args, append(environment(t), test.env...), io.Discard)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v", err)
			}
			if host.Exit(err) != 1 {
				t.Error("the process ends well")
			}
		})
	}
}

func TestUnknownVariableWarns(t *testing.T) {
	var out output
	p, ctx := program(t, &stopper{}, func(*host.Host, host.MeshConfig) {})
	if err := p.Run(ctx, []string{"--log-format=json"}, environment(t, "FAIRLEAD_MESH_ZOEN=east"), &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), `"level":"WARN"`) || !strings.Contains(out.String(), "FAIRLEAD_MESH_ZOEN") {
		t.Errorf("got %s", out.String())
	}
}

func TestHelp(t *testing.T) {
	var out output
	p, ctx := program(t, &stopper{}, func(*host.Host, host.MeshConfig) { t.Error("started") })
	err := p.Run(ctx, []string{"--help"}, nil, &out)
	if !errors.Is(err, pflag.ErrHelp) || host.Exit(err) != 0 {
		t.Errorf("got %v", err)
	}
	for _, flag := range []string{"--recipes-oven", "--mesh-data", "--log-level"} {
		if !strings.Contains(out.String(), flag) {
			t.Errorf("no %s in %s", flag, out.String())
		}
	}
}
