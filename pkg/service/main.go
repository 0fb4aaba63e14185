package service

import (
	"context"
	"os"

	"github.com/fairlead-mesh/fairlead/pkg/host"
)

// Main runs one service as a process and ends it: what a service's main calls and
// nothing else. It reads flags and FAIRLEAD_* variables, joins the mesh, serves
// until SIGINT or SIGTERM, drains, and exits with 0; with 1 after an error, which
// it prints.
//
//	//go:embed api.binpb
//	var api []byte
//
//	func main() { service.Main("recipes", api, build) }
func Main[C any](name string, api []byte, build Build[C]) {
	os.Exit(host.Exit(Define(name, api, build).Program().Run(context.Background(), os.Args[1:], os.Environ(), os.Stderr)))
}

// Program returns the part as a program of its own.
func (p Part) Program() host.Program {
	return host.Program{
		Name:    p.Name,
		Declare: p.Flags,
		Names:   p.Names(),
		Start: func(ctx context.Context, h *host.Host, c host.MeshConfig) (host.Stopper, error) {
			r, err := p.Start(ctx, h, c.Listen)
			if err != nil {
				return nil, err // not a nil *Running, which is no nil Stopper
			}
			return r, nil
		},
	}
}
