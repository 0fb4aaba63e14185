// Command meshnode runs a replica of the echo service, which behaves as it is told.
package main

import (
	"context"
	"os"

	"github.com/fairlead-mesh/fairlead/pkg/host"
	"github.com/fairlead-mesh/fairlead/test/mesh/echo"
)

func main() {
	os.Exit(host.Exit(echo.Program().Run(context.Background(), os.Args[1:], os.Environ(), os.Stderr)))
}
