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
	var o up.Options
	var level slog.Level
	c := &cobra.Command{
		Use:   "up",
		Short: "Run the whole system in this process, with embedded engines",
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
	f.TextVar(&level, "log-level", slog.LevelWarn, "debug, info, warn or error")
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
		o.Env, o.Flags, o.Out, o.Program = os.Environ(), f, c.OutOrStdout(), program()
		if f.Changed("listen") {
			o.Env = append(o.Env, "FAIRLEAD_EDGE_LISTEN="+o.Listen)
		}
		o.Logger = slog.New(slog.NewTextHandler(c.ErrOrStderr(), &slog.HandlerOptions{Level: level}))
		return up.Run(ctx, o)
	}
	return c
}
