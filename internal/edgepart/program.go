package edgepart

import (
	"context"

	"github.com/fairlead-mesh/fairlead/edge"
	"github.com/fairlead-mesh/fairlead/pkg/host"
)

// Program returns the edge as a program of its own. It is ready when the registry
// has answered: an edge without routes must not get traffic.
func Program() host.Program {
	return host.Program{
		Name:    host.EdgePart,
		Declare: Flags,
		Names:   Names(),
		Start: func(ctx context.Context, h *host.Host, c host.MeshConfig) (host.Stopper, error) {
			r, err := Start(ctx, h, edge.Config{}, "", c.Listen)
			if err != nil {
				return nil, err
			}
			return r, nil
		},
	}
}
