// Command meshchaos does to the mesh what happens to it in the field, and says whether
// its callers have noticed.
package main

import (
	"os"

	"github.com/fairlead-mesh/fairlead/test/mesh"
)

func main() { os.Exit(mesh.Main(os.Args[1:])) }
