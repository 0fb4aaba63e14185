package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fairlead-mesh/fairlead/internal/demo"
)

// newDemo holds the commands that a newcomer tries first.
func newDemo() *cobra.Command {
	c := &cobra.Command{Use: "demo", Short: "Be a user of a running system"}
	var server, folder string
	signIn := &cobra.Command{
		Use:   "sign-in <name>",
		Short: "Sign somebody in and print the access token",
		Long: `Sign somebody in and print the access token, which is good for 10 minutes. The
same name is the same account next time: its install secret is kept in a folder.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := demo.SignIn(c.Context(), server, folder, args[0])
			if err != nil {
				return err
			}
			fmt.Fprintln(c.ErrOrStderr(), args[0], "is", s.User.Name)
			fmt.Fprintln(c.OutOrStdout(), s.AccessToken)
			return nil
		},
	}
	signIn.Flags().StringVar(&server, "server", "http://localhost:8080", "the public port of the system")
	signIn.Flags().StringVar(&folder, "secrets", ".fairlead/demo", "folder for install secrets")
	c.AddCommand(signIn)
	return c
}
