package cli

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/fairlead-mesh/fairlead/internal/edgepart"
	"github.com/fairlead-mesh/fairlead/internal/parts"
	"github.com/fairlead-mesh/fairlead/pkg/config"
	"github.com/fairlead-mesh/fairlead/pkg/host"
)

// newConfig is the command that shows what the environment sets.
func newConfig() *cobra.Command {
	return &cobra.Command{
		Use:   "config",
		Short: "Print the effective configuration, with secrets hidden",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			env := config.Env(os.Environ())
			all, err := config.Load("", new(host.ProcessConfig), env, nil)
			mesh, meshErr := config.Load("mesh", new(host.MeshConfig), env, nil)
			edge, edgeErr := edgepart.Settings(env, nil)
			all, err = append(append(all, mesh...), edge...), errors.Join(err, meshErr, edgeErr)
			for _, p := range parts.Services() {
				s, partErr := p.Settings(env, nil)
				all, err = append(all, s...), errors.Join(err, partErr)
			}
			return errors.Join(config.Print(c.OutOrStdout(), all...), err)
		},
	}
}
