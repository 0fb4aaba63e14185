package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"github.com/fairlead-mesh/fairlead/pkg/config"
	"github.com/fairlead-mesh/fairlead/pkg/probe"
)

// drainTime is how long a process waits for calls in flight when it is told to
// stop; Kubernetes kills after 30 s.
const drainTime = 15 * time.Second

// registryTime is how long a process that stops waits for etcd.
const registryTime = 2 * time.Second

// ProcessConfig is what every process can be told: FAIRLEAD_PROBE and so on.
type ProcessConfig struct {
	Probe     string `config:"probe" help:"address of the probe port (/healthz, /readyz, /metrics); empty for none"`
	LogLevel  string `config:"log-level" default:"info" help:"debug, info, warn or error"`
	LogFormat string `config:"log-format" default:"text" help:"text or json"`
	Strict    bool   `config:"strict" help:"stop when a FAIRLEAD_* variable is not known, instead of warning"`
	UntilEOF  bool   `config:"until-eof" help:"stop when standard input ends too, and not at Ctrl-C: for whoever starts this process and holds the other end"`
}

// Program is a process with one main part.
type Program struct {
	// Name is the name of the part.
	Name string
	// Declare adds the flags of the part, and Names are the variables it reads.
	Declare func(*pflag.FlagSet)
	Names   []string
	// Start starts the part. What it returns is closed when the process is told to
	// stop.
	Start func(context.Context, *Host, MeshConfig) (Stopper, error)
	// Do is there instead of Start in a program that ends by itself: the program
	// ends when it returns. Its context ends when the process is told to stop.
	Do func(context.Context, *Host) error
}

// Stopper is something that runs until it is closed. Close lets what is in flight
// finish until ctx ends.
type Stopper interface {
	Close(ctx context.Context) error
}

// Run runs the program until ctx ends or SIGINT or SIGTERM comes, and drains it.
// Logs go to out.
func (p Program) Run(ctx context.Context, args []string, env config.Env, out io.Writer) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	var process ProcessConfig
	var mesh MeshConfig
	flags, err := p.configure(&process, &mesh, args, env, out)
	if err != nil {
		return err
	}
	log, err := process.logger(out)
	if err != nil {
		return err
	}
	if err := process.known(p, env, log); err != nil {
		return err
	}
	if process.UntilEOF {
		var cancel context.CancelFunc
		ctx, cancel = untilEOF(ctx, os.Stdin)
		defer cancel()
	}
	host, registry, err := Open(mesh, p.Name, Version(), log)
	if err != nil {
		return err
	}
	defer closeRegistry(registry)
	host.Env, host.Flags = env, flags
	if p.Do != nil {
		defer context.AfterFunc(ctx, stop)() // a second signal ends what does not heed the first
		return p.Do(ctx, host)
	}
	return p.serve(ctx, host, mesh, process.Probe)
}

// closeRegistry gives up the lease of the process, which frees what it registered.
func closeRegistry(r Stopper) {
	ctx, cancel := context.WithTimeout(context.Background(), registryTime)
	defer cancel()
	r.Close(ctx) // when etcd is away, the lease runs out by itself
}

// configure reads flags and environment.
func (p Program) configure(process *ProcessConfig, mesh *MeshConfig, args []string, env config.Env, out io.Writer) (*pflag.FlagSet, error) {
	flags := pflag.NewFlagSet(p.Name, pflag.ContinueOnError)
	flags.SetOutput(out)
	config.Flags(flags, "", process)
	config.Flags(flags, "mesh", mesh)
	p.Declare(flags)
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q: %s takes flags only, see --help", flags.Arg(0), p.Name)
	}
	_, err := config.Load("", process, env, flags)
	_, meshErr := config.Load("mesh", mesh, env, flags)
	return flags, errors.Join(err, meshErr)
}

// logger makes the process's logger.
func (c ProcessConfig) logger(out io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return nil, fmt.Errorf("--log-level or FAIRLEAD_LOG_LEVEL: %q is not debug, info, warn or error", c.LogLevel)
	}
	options := &slog.HandlerOptions{Level: level}
	switch c.LogFormat {
	case "text":
		return slog.New(slog.NewTextHandler(out, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(out, options)), nil
	}
	return nil, fmt.Errorf("--log-format or FAIRLEAD_LOG_FORMAT: %q is not text or json", c.LogFormat)
}

// known finds variables that nobody reads: a misspelled limit must not look like
// one that holds.
func (c ProcessConfig) known(p Program, env config.Env, log *slog.Logger) error {
	known := append(config.Names("", &ProcessConfig{}), config.Names("mesh", &MeshConfig{})...)
	unknown := config.Unknown(env, append(known, p.Names...))
	for _, name := range unknown {
		log.Warn("unknown variable in the environment", "name", name)
	}
	if c.Strict && len(unknown) > 0 {
		return fmt.Errorf("unknown variable %s in the environment", unknown[0])
	}
	return nil
}

// serve starts the part, tells that it is ready, and drains it when ctx ends.
func (p Program) serve(ctx context.Context, host *Host, mesh MeshConfig, address string) error {
	probes := probe.New(host.Telemetry.Handler())
	if address != "" {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return fmt.Errorf("--probe: %w", err)
		}
		address = l.Addr().String()
		go probes.Serve(l) // until Close
		defer probes.Close()
	}
	running, err := p.Start(ctx, host, mesh)
	if err != nil {
		return err
	}
	probes.Started()
	unready, err := sayReady(mesh.State, address)
	if err != nil {
		return errors.Join(err, running.Close(ctx))
	}
	host.Logger.Info("ready", "part", p.Name)
	<-ctx.Done()
	unready()
	probes.Drain()
	drain, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	host.Logger.Info("draining", "part", p.Name)
	return running.Close(drain)
}

// Version returns the version of the module that the program was built from.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// Exit prints the error of a process and returns its exit code. Being asked for
// help is not an error.
func Exit(err error) int {
	if err == nil || errors.Is(err, pflag.ErrHelp) {
		return 0
	}
	fmt.Fprintln(os.Stderr, "error:", err)
	return 1
}
