package service

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/pflag"
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
	os.Exit(Exit(Define(name, api, build).Program().Run(context.Background(), os.Args[1:], os.Environ(), os.Stderr)))
}

// Exit prints the error of a process and returns its exit code. Being asked for
// help is not an error.
func Exit(err error) int {
	if err == nil || errors.Is(err, pflag.ErrHelp) {
		return 0
	}
	fmt.Fprintln(os.Stderr, "error:", err)
	return 1
}

// Program returns the part as a program of its own.
func (p Part) Program() Program {
	return Program{
		Name:    p.Name,
		Declare: p.Flags,
		Names:   p.Names(),
		Start: func(ctx context.Context, h *Host, c MeshConfig) (Stopper, error) {
			return p.Start(ctx, h, c.Listen)
		},
	}
}
