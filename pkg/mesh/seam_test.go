package mesh_test

import (
	"log/slog"
	"testing"

	"google.golang.org/grpc"

	"github.com/fairlead-mesh/fairlead/pkg/raw"
	"github.com/fairlead-mesh/fairlead/pkg/raw/rawtest"
	"github.com/fairlead-mesh/fairlead/pkg/rpcserver"
)

// The seam's own suite passes through the mesh: from one part to another, over
// the registry and mutual TLS.
func TestCallerPassesTheSeam(t *testing.T) {
	rawtest.Run(t, func(t *testing.T, register func(grpc.ServiceRegistrar)) raw.Caller {
		w := newWorld(t)
		server := rpcserver.New(rpcserver.Options{TLS: w.authority.Part("rawtest"), Logger: slog.New(slog.DiscardHandler)})
		register(server)
		m := join(t, w.config("rawtest"))
		message := ".google.protobuf.BytesValue"
		if err := m.Serve(bounded(t), listen(t), server, image(t, rawtest.Service, method("Echo", message))); err != nil {
			t.Fatal(err)
		}
		return w.client(t).Caller()
	})
}
