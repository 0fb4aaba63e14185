//go:build unix

package service_test

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/pflag"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	greeterv1 "github.com/fairlead-mesh/fairlead/pkg/example/acme/greeter/v1"
	"github.com/fairlead-mesh/fairlead/pkg/host"
	"github.com/fairlead-mesh/fairlead/pkg/internal/etcdtest"
	"github.com/fairlead-mesh/fairlead/pkg/mesh"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/pkg/service"
)

func TestMain(m *testing.M) { etcdtest.Main(m) }

type greeter struct {
	greeterv1.UnimplementedGreeterServiceServer
}

func (greeter) Greet(_ context.Context, req *greeterv1.GreetRequest) (*greeterv1.GreetResponse, error) {
	return &greeterv1.GreetResponse{Text: "Hello, " + req.GetName()}, nil
}

// visitor is the configuration of a job.
type visitor struct {
	Name string `config:"name" default:"Ada" help:"who says hello"`
}

// greet is what the job does.
func greet(ctx context.Context, m *mesh.Mesh, name string) (string, error) {
	client := greeterv1.NewGreeterServiceClient(m.Dial("acme.greeter.v1.GreeterService"))
	answer, err := client.Greet(ctx, &greeterv1.GreetRequest{Name: name})
	return answer.GetText(), err
}

// runJob runs a job as its main does, in a mesh whose data folder is data.
func runJob(t *testing.T, data string, do service.Do[visitor], args ...string) error {
	t.Helper()
	p := service.JobProgram("visitor", do)
	return p.Run(bounded(t), append(args, "--mesh-data", data), []string{"FAIRLEAD_VISITOR_NAME=Bob"}, io.Discard)
}

// development makes the data folder of a development mesh with that etcd.
func development(t *testing.T, etcd ...string) (data string) {
	t.Helper()
	data = t.TempDir()
	if _, err := mtls.OpenAuthority(filepath.Join(data, host.AuthorityFolder)); err != nil {
		t.Fatal(err)
	}
	if err := host.WriteMembership(data, host.Membership{Etcd: etcd}); err != nil {
		t.Fatal(err)
	}
	return data
}

// startGreeter runs the service as its main does, until the test ends.
func startGreeter(t *testing.T, data string) {
	t.Helper()
	p := service.Define("greeter", greeterv1.API, service.Handler(greeterv1.RegisterGreeterServiceServer)(greeter{})).Program()
	start, ready := p.Start, make(chan struct{})
	p.Start = func(ctx context.Context, h *host.Host, c host.MeshConfig) (host.Stopper, error) {
		defer close(ready)
		return start(ctx, h, c)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx, []string{"--mesh-data", data}, nil, io.Discard) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error("greeter:", err)
		}
	})
	<-ready
}

// A job finds a service by the registry, calls it, and leaves nothing there.
func TestJobCallsAService(t *testing.T) {
	etcd := etcdtest.Start(t, 1)
	data := development(t, etcd.Endpoints()...)
	startGreeter(t, data)
	keys := count(t, etcd)
	for args, want := range map[string]string{"": "Hello, Bob", "--visitor-name=Cy": "Hello, Cy"} {
		var got string
		err := runJob(t, data, func(ctx context.Context, m *mesh.Mesh, cfg visitor) (err error) {
			got, err = greet(ctx, m, cfg.Name)
			return err
		}, strings.Fields(args)...)
		if err != nil || got != want {
			t.Errorf("with %q: got %q, %v, want %q", args, got, err, want)
		}
	}
	if now := count(t, etcd); now != keys {
		t.Errorf("%d keys in the registry, %d before the job", now, keys)
	}
}

func count(t *testing.T, etcd *etcdtest.Cluster) int64 {
	t.Helper()
	all, err := etcd.Client(t, etcd.Members...).Get(bounded(t), "/", clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err != nil {
		t.Fatal(err)
	}
	return all.Count
}

// The error of a job is its own, also when nobody can be called.
func TestJobFails(t *testing.T) {
	broken := errors.New("the work is broken")
	data := development(t, "http://127.0.0.1:1") // etcd is away
	err := runJob(t, data, func(context.Context, *mesh.Mesh, visitor) error { return broken })
	if !errors.Is(err, broken) || host.Exit(err) != 1 {
		t.Errorf("got %v", err)
	}
	err = runJob(t, data, func(ctx context.Context, m *mesh.Mesh, cfg visitor) error {
		_, err := greet(ctx, m, cfg.Name)
		return err
	})
	if status.Code(err) != codes.Unavailable {
		t.Errorf("got %v, want UNAVAILABLE", err)
	}
}

// At SIGTERM the context of a job ends, and then the job.
func TestJobIsToldToStop(t *testing.T) {
	err := runJob(t, development(t, "http://127.0.0.1:1"), func(ctx context.Context, _ *mesh.Mesh, _ visitor) error {
		if err := syscall.Kill(syscall.Getpid(), syscall.SIGTERM); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// What cannot be right ends a job before it begins, with what is to be mended.
func TestJobIsNotBegun(t *testing.T) {
	data := development(t, "http://127.0.0.1:1")
	never := func(context.Context, *mesh.Mesh, visitor) error { t.Error("the job was begun"); return nil }
	for name, test := range map[string]struct {
		data string
		args []string
		want string
	}{
		"no mesh":      {t.TempDir(), nil, "fairlead up"},
		"unknown flag": {data, []string{"--name=Ada"}, "--name"},
		"an argument":  {data, []string{"Ada"}, `"Ada"`},
		"bad level":    {data, []string{"--log-level=loud"}, `"loud"`},
	} {
		t.Run(name, func(t *testing.T) {
			if err := runJob(t, test.data, never, test.args...); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s in it", err, test.want)
			}
		})
	}
}

func TestJobHelps(t *testing.T) {
	var out strings.Builder
	p := service.JobProgram("visitor", func(context.Context, *mesh.Mesh, visitor) error { t.Error("begun"); return nil })
	err := p.Run(t.Context(), []string{"--help"}, nil, &out)
	if !errors.Is(err, pflag.ErrHelp) || host.Exit(err) != 0 {
		t.Errorf("got %v", err)
	}
	for _, want := range []string{"--visitor-name", "who says hello", "--mesh-data"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, &out)
		}
	}
}
