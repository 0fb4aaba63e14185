// Command fairlead runs the system, or one part of it, and is a client of it for
// those who try it out.
package main

import (
	"os"

	"github.com/fairlead-mesh/fairlead/internal/cli"
)

func main() { os.Exit(cli.Main()) }
