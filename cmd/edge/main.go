// Command edge is the internet-facing proxy alone: no service and no database
// driver is in it.
package main

import (
	"context"
	"os"

	"github.com/fairlead-mesh/fairlead/internal/edgepart"
	"github.com/fairlead-mesh/fairlead/pkg/host"
)

func main() {
	os.Exit(host.Exit(edgepart.Program().Run(context.Background(), os.Args[1:], os.Environ(), os.Stderr)))
}
