// Command recipes runs the recipes service.
package main

import (
	"github.com/fairlead-mesh/fairlead/pkg/service"
	"github.com/fairlead-mesh/fairlead/test/recipes"
)

func main() { service.Main("recipes", recipes.API, recipes.Build) }
