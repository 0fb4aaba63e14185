// Command bench-mesh measures what the mesh costs on top of grpc-go.
package main

import (
	"os"

	"github.com/fairlead-mesh/fairlead/test/bench"
)

func main() { os.Exit(bench.Main(os.Args[1:])) }
