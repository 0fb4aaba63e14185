// Package cli is the command line of fairlead: what can be asked for, by which
// flags. What is asked for is done elsewhere.
package cli

import (
	"context"
	"fmt"
	"os"
	"strings"

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
	root.AddCommand(newUp(), onlyWith(newServe()), newStatus(), onlyWith(newLive()), onlyWith(newDemo()), newConfig())
	return root
}

// Main runs the command line and returns the exit code.
func Main() int {
	return host.Exit(New().ExecuteContext(context.Background()))
}

// program is how the program was called, for commands that are shown to people.
func program() string { return os.Args[0] }

// onlyWith makes a command fail unless one of its subcommands is named: cobra
// would print the help and report success, also for one that is misspelled.
func onlyWith(c *cobra.Command) *cobra.Command {
	c.Args = func(c *cobra.Command, args []string) error {
		var names []string
		for _, s := range c.Commands() {
			names = append(names, s.Name())
		}
		choice := strings.Join(names, ", ")
		if len(args) == 0 {
			return fmt.Errorf("%s: name one of %s", c.CommandPath(), choice)
		}
		return fmt.Errorf("%s: %q is none of %s", c.CommandPath(), args[0], choice)
	}
	c.RunE = func(*cobra.Command, []string) error { return nil } // Args lets nothing through
	return c
}
