package cli

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/fairlead-mesh/fairlead/internal/edgepart"
	"github.com/fairlead-mesh/fairlead/internal/parts"
	"github.com/fairlead-mesh/fairlead/pkg/host"
)

// newServe is the command that runs one part, for production.
func newServe() *cobra.Command {
	c := &cobra.Command{
		Use:   "serve <part>",
		Short: "Run one part against external engines",
		Long: `Run one part against an etcd cluster and a database of its own. It is told
everything by FAIRLEAD_* variables or flags; "fairlead serve <part> --help" lists them.`,
	}
	for _, p := range parts.Services() {
		c.AddCommand(serve(p.Program()))
	}
	c.AddCommand(serve(edgepart.Program()))
	return c
}

// serve wraps a program, which reads its flags itself.
func serve(p host.Program) *cobra.Command {
	return &cobra.Command{
		Use:                p.Name,
		Short:              "Run " + p.Name,
		DisableFlagParsing: true,
		RunE: func(c *cobra.Command, args []string) error {
			return p.Run(c.Context(), args, os.Environ(), c.ErrOrStderr())
		},
	}
}
