package service_test

import (
	"context"

	"google.golang.org/grpc"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	"github.com/fairlead-mesh/fairlead/pkg/mesh"
	"github.com/fairlead-mesh/fairlead/pkg/service"
	identityv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/identity/v1"
)

// image is the descriptor image that "make generate" writes. A program embeds it:
//
//	//go:embed api.binpb
var image []byte

// Config is read from FAIRLEAD_IDENTITY_* and from flags.
type Config struct {
	Owner string `config:"owner" default:"users/ann" help:"the only user there is"`
}

// Users implements the methods of the proto; what it leaves out is UNIMPLEMENTED.
type Users struct {
	identityv1.UnimplementedIdentityServiceServer
	owner string
}

// New makes the service. With m it could call others.
func New(_ context.Context, _ *mesh.Mesh, cfg Config) (service.Service, error) {
	return &Users{owner: cfg.Owner}, nil
}

// Register adds the service to the server.
func (u *Users) Register(r grpc.ServiceRegistrar) { identityv1.RegisterIdentityServiceServer(r, u) }

// Close would close a database.
func (u *Users) Close() error { return nil }

// GetUser is called when the request keeps the rules of the proto and its caller
// is who the policy of the method asks for.
func (u *Users) GetUser(_ context.Context, req *identityv1.GetUserRequest) (*identityv1.GetUserResponse, error) {
	if req.GetName() != u.owner {
		return nil, errs.NotFound(identityv1.Reason_REASON_USER_NOT_FOUND, "there is no such user")
	}
	return &identityv1.GetUserResponse{User: &identityv1.User{Name: u.owner}}, nil
}

// A service of its own: this is the whole program.
func ExampleMain() {
	service.Main("identity", image, New)
}
