package host

import (
	"log/slog"

	"github.com/fairlead-mesh/fairlead/pkg/discovery/etcd"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
)

// Visit opens the registry of a mesh for a process that only looks, and returns it
// with the certificate of the part as which it looks: "operator". It registers
// nothing, writes no file, and knows nothing while etcd is away. Close the registry
// in the end.
func Visit(c MeshConfig, part string, log *slog.Logger) (*etcd.Registry, mtls.Source, error) {
	h := &Host{Logger: log}
	var err error
	if h.Source, err = c.sources(log); err != nil {
		return nil, nil, err
	}
	source, err := h.Source(part)
	if err != nil {
		return nil, nil, err
	}
	o, err := c.etcd(h, part)
	if err != nil {
		return nil, nil, err
	}
	r, err := etcd.Open(o)
	return r, source, err
}
