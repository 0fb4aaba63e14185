package service

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/pflag"

	"github.com/fairlead-mesh/fairlead/pkg/config"
	"github.com/fairlead-mesh/fairlead/pkg/host"
	"github.com/fairlead-mesh/fairlead/pkg/mesh"
)

// Do is what a job does: m calls services, cfg is loaded from flags and
// environment. ctx ends at SIGINT or SIGTERM; a second signal ends the process.
type Do[C any] func(ctx context.Context, m *mesh.Mesh, cfg C) error

// Job is the main of a program that calls services and serves none: it reads flags
// and FAIRLEAD_* variables as Main does, joins the mesh as the part of that name,
// does its work, and exits with 0; with 1 after an error, which it prints. What it
// logs goes to standard error, so that standard output is its own. Nothing of it
// is in the registry.
//
//	func main() { service.Job("nightly", sweep) }
func Job[C any](name string, do Do[C]) {
	os.Exit(host.Exit(job(name, do).Run(context.Background(), os.Args[1:], os.Environ(), os.Stderr)))
}

func job[C any](name string, do Do[C]) host.Program {
	return host.Program{
		Name:    name,
		Declare: func(flags *pflag.FlagSet) { config.Flags(flags, name, new(C)) },
		Names:   config.Names(name, new(C)),
		Do: func(ctx context.Context, h *host.Host) error {
			cfg := new(C)
			if _, err := config.Load(name, cfg, h.Env, h.Flags); err != nil {
				return err
			}
			m, err := h.Join(name, false)
			if err != nil {
				return err
			}
			err = do(ctx, m, *cfg)
			return errors.Join(err, m.Close(ctx)) // waits for nothing: it serves nobody
		},
	}
}
