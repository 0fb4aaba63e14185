// Package status is how every part of the mesh tells operators what it sees of the
// others: a gRPC service that each serves for itself. What a view holds is the
// business of package mesh; how views are put together, of "fairlead status".
package status

import (
	"context"
	_ "embed"

	"google.golang.org/grpc"

	meshv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/mesh/v1"
)

// API is the descriptor image of the service, with its comments and policy.
//
//go:embed api.binpb
var API []byte

// Service is the full name of the service. Every part may serve it, for itself
// alone: nobody asks any instance of it, whoever asks means one.
const Service = "fairlead.mesh.v1.MeshService"

// InstanceID returns the id under which a part registers the service. It is not
// that of the instance alone, which parts that share a process share; and it begins
// with the part, so that etcd's access control can confine a part to its own.
func InstanceID(instance, part string) string { return part + "." + instance }

// Register adds the service to a server. view returns what the part sees at the
// moment of the call, a new message each time; it is called by several goroutines
// at once.
func Register(r grpc.ServiceRegistrar, view func() *meshv1.View) {
	meshv1.RegisterMeshServiceServer(r, server{view: view})
}

type server struct {
	meshv1.UnsafeMeshServiceServer
	view func() *meshv1.View
}

// GetView implements meshv1.MeshServiceServer.
func (s server) GetView(context.Context, *meshv1.GetViewRequest) (*meshv1.GetViewResponse, error) {
	return &meshv1.GetViewResponse{View: s.view()}, nil
}
