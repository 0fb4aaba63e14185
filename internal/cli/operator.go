package cli

import (
	"context"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/config"
	"github.com/fairlead-mesh/fairlead/pkg/discovery/etcd"
	"github.com/fairlead-mesh/fairlead/pkg/host"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
)

// operatorPart is the name under which commands visit the mesh.
const operatorPart = "operator"

// operator is the mesh as a command sees it.
type operator struct {
	registry *etcd.Registry
	source   mtls.Source
}

// visitAsOperator opens the mesh of a data folder, or, when none was chosen, the
// one that the environment names. Warnings go to out.
func visitAsOperator(data string, chosen bool, out io.Writer) (*operator, error) {
	var c host.MeshConfig
	if _, err := config.Load("mesh", &c, os.Environ(), nil); err != nil {
		return nil, err
	}
	if chosen {
		c.Data = data
	}
	log := slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelError}))
	registry, source, err := host.Visit(c, operatorPart, log)
	if err != nil {
		return nil, err
	}
	return &operator{registry, source}, nil
}

// close ends the connection.
func (o *operator) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	o.registry.Close(ctx) // nothing hangs on it
}
