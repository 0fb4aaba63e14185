package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/fairlead-mesh/fairlead/internal/status"
)

// newStatus is the command that shows the mesh as its parts see it.
func newStatus() *cobra.Command {
	var o status.Output
	var data string
	var watch, check bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Show the mesh as each of its parts sees it",
		Long: `Ask every part of the mesh what it sees of the others, and show it: who serves
what, how fast and how often it fails, whom callers leave out and why, and
whether callers agree.

It joins the development mesh in the data folder, or the one that FAIRLEAD_MESH_*
variables name, as the part "operator": in production give it a certificate of
that name.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if check && watch {
				return errors.New("--check looks once, --watch for ever: choose one")
			}
			ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			o.To = c.OutOrStdout()
			if terminal, ok := o.To.(*os.File); ok && term.IsTerminal(int(terminal.Fd())) {
				o.Size, o.Color = sizeOf(terminal), os.Getenv("NO_COLOR") == ""
			}
			return showStatus(ctx, c, data, o, watch, check)
		},
	}
	f := c.Flags()
	f.StringVar(&data, "data", ".fairlead", "data folder of the development mesh")
	f.BoolVar(&o.Wide, "wide", false, "show what each client sees of each instance, too")
	f.BoolVar(&o.JSON, "json", false, "print a fairlead.mesh.v1.MeshStatus as JSON; with --watch one on each line")
	f.BoolVar(&watch, "watch", false, "show it again every second")
	f.BoolVar(&check, "check", false, "exit with 1 when something is wrong")
	return c
}

func showStatus(ctx context.Context, c *cobra.Command, data string, o status.Output, watch, check bool) error {
	operator, err := visitAsOperator(data, c.Flags().Changed("data"), c.ErrOrStderr())
	if err != nil {
		return err
	}
	defer operator.close()
	collecting, stop := context.WithCancel(ctx)
	defer stop()
	collector := status.New(collecting, status.Options{Registry: operator.registry, TLS: operator.source, Members: operator.registry.Members})
	if watch {
		return o.Watch(ctx, collector)
	}
	m, err := o.Once(ctx, collector)
	if err == nil && check && !m.Ok {
		return fmt.Errorf("not all is well: %s", m.Problems[0])
	}
	return err
}

// sizeOf returns what asks a terminal for its size. One that does not know has
// room for everything.
func sizeOf(f *os.File) func() (columns, rows int) {
	return func() (int, int) {
		columns, rows, err := term.GetSize(int(f.Fd()))
		if err != nil {
			return 0, 0
		}
		return columns, rows
	}
}
