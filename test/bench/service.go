package bench

import (
	"context"
	"errors"
	"net"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/fairlead-mesh/fairlead/pkg/raw"
	recipesv1 "github.com/fairlead-mesh/fairlead/test/gen/go/acme/recipes/v1"
)

// part is who serves, and service what.
const part = "recipes"

var (
	service = recipesv1.RecipesService_ServiceDesc.ServiceName
	method  = recipesv1.RecipesService_GetRecipe_FullMethodName
	request = &recipesv1.GetRecipeRequest{Name: "recipes/pasta"}
)

// stand is a client with its servers.
type stand struct {
	call  func(context.Context) error
	close func() error
}

// kitchen answers every call with the same recipe.
type kitchen struct {
	recipesv1.UnimplementedRecipesServiceServer
	reply *recipesv1.GetRecipeResponse
}

func newKitchen(c Case) *kitchen {
	text := strings.Repeat("Wait nine minutes. ", c.ReplyBytes/19+1)[:c.ReplyBytes]
	return &kitchen{reply: &recipesv1.GetRecipeResponse{Recipe: &recipesv1.Recipe{Name: request.Name, Text: text}}}
}

// GetRecipe implements the service.
func (k *kitchen) GetRecipe(context.Context, *recipesv1.GetRecipeRequest) (*recipesv1.GetRecipeResponse, error) {
	return k.reply, nil
}

var errWrong = errors.New("the answer is not the recipe")

// typed makes calls with generated code.
func typed(cc grpc.ClientConnInterface, c Case) func(context.Context) error {
	client := recipesv1.NewRecipesServiceClient(cc)
	return func(ctx context.Context) error {
		reply, err := client.GetRecipe(ctx, request)
		if err == nil && len(reply.GetRecipe().GetText()) != c.ReplyBytes {
			return errWrong
		}
		return err
	}
}

// rawCall makes calls that nobody decodes, and asks for all that comes with an
// answer, as the edge needs it.
func rawCall(caller raw.Caller, c Case) (func(context.Context) error, error) {
	bytes, err := proto.Marshal(request)
	return func(ctx context.Context) error {
		reply, err := caller.Invoke(ctx, method, bytes)
		if err == nil && len(reply.Message.Bytes()) < c.ReplyBytes {
			err = errWrong
		}
		reply.Message.Free()
		return err
	}, err
}

func listen() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }
