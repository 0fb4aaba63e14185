package edgepart

import (
	"context"

	"github.com/fairlead-mesh/fairlead/edge"
	"github.com/fairlead-mesh/fairlead/pkg/service"
)

// Program returns the edge as a program of its own. It is ready when the registry
// has answered: an edge without routes must not get traffic.
func Program() service.Program {
	return service.Program{
		Name:    service.EdgePart,
		Declare: Flags,
		Names:   Names(),
		Start: func(ctx context.Context, h *service.Host, _ service.MeshConfig) (service.Stopper, error) {
			r, err := Start(h, edge.Config{}, "")
			if err != nil {
				return nil, err
			}
			if err := r.Ready(ctx); err != nil {
				return nil, err
			}
			return r, nil
		},
	}
}
