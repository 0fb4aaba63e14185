// Command chaos kills and stops parts of a running system, and says what those who
// use it have noticed.
package main

import (
	"os"

	"github.com/fairlead-mesh/fairlead/test/chaos"
)

func main() { os.Exit(chaos.Main(os.Args[1:])) }
