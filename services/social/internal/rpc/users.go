package rpc

import (
	"context"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
	identityv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/identity/v1"
	"github.com/fairlead-mesh/fairlead/services/social/internal/core"
)

// Users asks identity who exists.
type Users struct {
	Identity identityv1.IdentityServiceClient
}

var _ core.Users = Users{}

// Exists implements core.Users.
func (u Users) Exists(ctx context.Context, id string) (bool, error) {
	found, err := u.Identity.LookupUsers(ctx, &identityv1.LookupUsersRequest{Names: []string{userName(id)}})
	if status.Code(err) == codes.Unavailable {
		// The caller may try again; any other failure of identity is ours.
		return false, errs.Unavailable(errorsv1.Reason_REASON_UNAVAILABLE, "users cannot be looked up now; try again").Because(err)
	}
	if err != nil {
		return false, fmt.Errorf("look up user: %w", err)
	}
	return len(found.GetUsers()) > 0, nil
}
