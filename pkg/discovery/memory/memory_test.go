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

// A shared registry is one like any other.
func TestShared(t *testing.T) {
	registrytest.Run(t, func(t *testing.T) discovery.Registry { return discovery.Share(t.Context(), memory.New()) })
}
