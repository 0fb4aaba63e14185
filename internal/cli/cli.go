// Package cli is the command line of fairlead: what can be asked for, by which
// flags. What is asked for is done elsewhere.
package cli

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"github.com/fairlead-mesh/fairlead/pkg/host"
)

// New returns the root command. cobra is what the field uses, with help and
// completion for every command.
func New() *cobra.Command {
	root := &cobra.Command{
		Use:           "fairlead",
		Short:         "The backend of a mobile app, that a team owns and runs itself",
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       host.Version(),
	}
	root.AddCommand(newUp(), newServe(), newDemo(), newConfig())
	return root
}

// Main runs the command line and returns the exit code.
func Main() int {
	return host.Exit(New().ExecuteContext(context.Background()))
}

// program is how the program was called, for commands that are shown to people.
func program() string { return os.Args[0] }
