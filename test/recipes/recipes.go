// Package recipes is a service of somebody else's, as a service team writes one:
// a proto, a handler and a main. The edge has never seen it when it is built. It
// keeps three recipes in memory.
package recipes

import (
	"context"
	_ "embed"

	"google.golang.org/grpc"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	"github.com/fairlead-mesh/fairlead/pkg/mesh"
	"github.com/fairlead-mesh/fairlead/pkg/service"
	recipesv1 "github.com/fairlead-mesh/fairlead/test/gen/go/acme/recipes/v1"
)

// API is the descriptor set of the service with its comments, which is what it
// publishes.
//
//go:embed api.binpb
var API []byte

// Config is what can be configured: nothing.
type Config struct{}

// Service is recipes, ready to be registered with a server.
type Service struct {
	recipesv1.UnimplementedRecipesServiceServer
	texts map[string]string // by resource name
}

// Build makes the service. It needs nobody else in the mesh.
func Build(context.Context, *mesh.Mesh, Config) (service.Service, error) {
	return &Service{texts: map[string]string{
		"recipes/pasta":   "Boil water, add salt, then pasta. Wait nine minutes.",
		"recipes/pancake": "Flour, milk, eggs. Fry thinly.",
		"recipes/tea":     "Hot water on leaves. Wait three minutes.",
	}}, nil
}

// Register adds the service to a server.
func (s *Service) Register(r grpc.ServiceRegistrar) { recipesv1.RegisterRecipesServiceServer(r, s) }

// Close has nothing to close.
func (s *Service) Close() error { return nil }

// GetRecipe implements the method of the proto.
func (s *Service) GetRecipe(_ context.Context, req *recipesv1.GetRecipeRequest) (*recipesv1.GetRecipeResponse, error) {
	text, ok := s.texts[req.GetName()]
	if !ok {
		return nil, errs.NotFound(recipesv1.Reason_REASON_RECIPE_NOT_FOUND, "there is no such recipe")
	}
	return &recipesv1.GetRecipeResponse{Recipe: &recipesv1.Recipe{Name: req.GetName(), Text: text}}, nil
}
