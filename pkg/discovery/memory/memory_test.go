package memory_test

import (
	"testing"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/discovery/memory"
	"github.com/fairlead-mesh/fairlead/pkg/discovery/registrytest"
)

func TestRegistry(t *testing.T) {
	registrytest.Run(t, func(*testing.T) discovery.Registry { return memory.New() })
}
