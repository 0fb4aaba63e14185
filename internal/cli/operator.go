package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

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

// explained says what is missing when nobody has answered in time.
func explained(err error) error {
	code := grpcstatus.Code(err)
	if errors.Is(err, context.DeadlineExceeded) || code == codes.DeadlineExceeded || code == codes.Unavailable {
		return fmt.Errorf("etcd does not answer: is it running, and is it that of --data or FAIRLEAD_MESH_ETCD? (%w)", err)
	}
	return err
}

// close ends the connection.
func (o *operator) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	o.registry.Close(ctx) // nothing hangs on it
}
