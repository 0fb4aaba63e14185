package cli

import (
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/fairlead-mesh/fairlead/internal/edgepart"
	"github.com/fairlead-mesh/fairlead/internal/parts"
	"github.com/fairlead-mesh/fairlead/internal/up"
)

// newUp is the command that runs everything.
func newUp() *cobra.Command {
	o := up.Options{Replicas: up.Replicas{}, LogLevel: slog.LevelWarn}
	c := &cobra.Command{
		Use:   "up",
		Short: "Run the whole system on this machine, with embedded engines",
		Long: `Run the whole system in this process: embedded etcd, every service with SQLite,
and the edge. Everything is kept in the data folder. Ctrl-C drains and stops.

Nothing but the three ports below can be reached without a certificate of the
development authority, which is made in the data folder at the first start.`,
		Args: cobra.NoArgs,
	}
	f := c.Flags()
	f.StringVar(&o.Data, "data", ".fairlead", "folder that everything is kept in")
	f.StringVar(&o.Listen, "listen", "127.0.0.1:8080", "public port: REST and gRPC")
	f.StringVar(&o.Probe, "probe", "127.0.0.1:9090", "probe port: /healthz, /readyz, /metrics")
	f.StringVar(&o.Operator, "operator", "127.0.0.1:9091", "operator port: the console, with a token")
	f.StringVar(&o.Grants, "grants", "", "file with what each identity may serve; empty lets a part serve the packages that bear its name")
	f.Var(o.Replicas, "replicas", "how many of a service run, social=2,identity=2; those beside the first are processes of their own (flag may repeat)")
	f.BoolVar(&o.Faults, "mesh-faults", false, "inject the faults that live configuration asks for")
	f.TextVar(&o.LogLevel, "log-level", slog.LevelWarn, "debug, info, warn or error")
	edgepart.Flags(f)
	for _, p := range parts.Services() {
		p.Flags(f)
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		go func() {
			<-ctx.Done()
			stop() // a second Ctrl-C ends the process at once
		}()
		o.Env, o.Flags, o.Out, o.Err, o.Program = os.Environ(), f, c.OutOrStdout(), c.ErrOrStderr(), program()
		if f.Changed("listen") {
			o.Env = append(o.Env, "FAIRLEAD_EDGE_LISTEN="+o.Listen)
		}
		if err := fromEnvironment(&o, f); err != nil {
			return err
		}
		return up.Run(ctx, o)
	}
	return c
}
