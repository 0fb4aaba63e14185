// Command edge is the internet-facing proxy alone: no service and no database
// driver is in it.
package main

import (
	"context"
	"os"

	"github.com/fairlead-mesh/fairlead/internal/edgepart"
	"github.com/fairlead-mesh/fairlead/pkg/service"
)

func main() {
	os.Exit(service.Exit(edgepart.Program().Run(context.Background(), os.Args[1:], os.Environ(), os.Stderr)))
}
