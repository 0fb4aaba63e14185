// Command meshload calls the echo service as it is told, and writes what came of it to
// standard output.
package main

import (
	"context"
	"os"

	"github.com/fairlead-mesh/fairlead/pkg/host"
	"github.com/fairlead-mesh/fairlead/test/mesh/load"
)

func main() {
	os.Exit(host.Exit(load.Program(os.Stdout).Run(context.Background(), os.Args[1:], os.Environ(), os.Stderr)))
}
