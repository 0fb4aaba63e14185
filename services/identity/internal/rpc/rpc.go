// Package rpc is identity as a gRPC service: it tells core what is asked, by
// whom, and callers what came of it. Requests have been validated before.
package rpc

import (
	"context"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	"github.com/fairlead-mesh/fairlead/pkg/principal"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
	identityv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/identity/v1"
	principalv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/principal/v1"
	"github.com/fairlead-mesh/fairlead/services/identity/internal/core"
	"github.com/fairlead-mesh/fairlead/services/identity/internal/keys"
)

// Server implements identityv1.IdentityServiceServer.
type Server struct {
	identityv1.UnimplementedIdentityServiceServer
	identity *core.Identity
	keys     *keys.Ring
}

// New returns a Server that answers with what identity and keys say.
func New(identity *core.Identity, keys *keys.Ring) *Server {
	return &Server{identity: identity, keys: keys}
}

// SignInAnonymous implements the method of the proto.
func (s *Server) SignInAnonymous(ctx context.Context, req *identityv1.SignInAnonymousRequest) (*identityv1.SignInAnonymousResponse, error) {
	t, err := s.identity.SignIn(ctx, req.GetInstallSecret())
	if err != nil {
		return nil, toStatus(err)
	}
	return &identityv1.SignInAnonymousResponse{
		User: toUser(t.User), AccessToken: t.Access, RefreshToken: t.Refresh, ExpireTime: timestamppb.New(t.ExpireTime),
	}, nil
}

// RefreshSession implements the method of the proto.
func (s *Server) RefreshSession(ctx context.Context, req *identityv1.RefreshSessionRequest) (*identityv1.RefreshSessionResponse, error) {
	t, err := s.identity.Refresh(ctx, req.GetRefreshToken())
	if err != nil {
		return nil, toStatus(err)
	}
	return &identityv1.RefreshSessionResponse{
		User: toUser(t.User), AccessToken: t.Access, RefreshToken: t.Refresh, ExpireTime: timestamppb.New(t.ExpireTime),
	}, nil
}

// SignOut implements the method of the proto.
func (s *Server) SignOut(ctx context.Context, _ *identityv1.SignOutRequest) (*identityv1.SignOutResponse, error) {
	caller, err := user(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.identity.SignOut(ctx, id(caller.GetName()), caller.GetSession()); err != nil {
		return nil, toStatus(err)
	}
	return &identityv1.SignOutResponse{}, nil
}

// GetUser implements the method of the proto.
func (s *Server) GetUser(ctx context.Context, req *identityv1.GetUserRequest) (*identityv1.GetUserResponse, error) {
	caller, err := user(ctx)
	if err != nil {
		return nil, err
	}
	if req.GetName() != me && req.GetName() != caller.GetName() {
		return nil, toStatus(core.ErrNotFound)
	}
	u, err := s.identity.User(ctx, id(caller.GetName()))
	if err != nil {
		return nil, toStatus(err)
	}
	return &identityv1.GetUserResponse{User: toUser(u)}, nil
}

// GetJsonWebKeySet implements the method of the proto.
func (s *Server) GetJsonWebKeySet(context.Context, *identityv1.GetJsonWebKeySetRequest) (*identityv1.GetJsonWebKeySetResponse, error) {
	var set identityv1.GetJsonWebKeySetResponse
	for _, k := range s.keys.Public() {
		set.Keys = append(set.Keys, &identityv1.JsonWebKey{
			Kty: "EC", Crv: "P-256", X: k.X, Y: k.Y, Kid: k.ID, Alg: "ES256", Use: "sig",
		})
	}
	return &set, nil
}

// LookupUsers implements the method of the proto.
func (s *Server) LookupUsers(ctx context.Context, req *identityv1.LookupUsersRequest) (*identityv1.LookupUsersResponse, error) {
	ids := make([]string, len(req.GetNames()))
	for i, name := range req.GetNames() {
		ids[i] = id(name)
	}
	users, err := s.identity.Users(ctx, ids)
	if err != nil {
		return nil, toStatus(err)
	}
	var found identityv1.LookupUsersResponse
	for _, u := range users {
		found.Users = append(found.Users, toUser(u))
	}
	return &found, nil
}

const me = "users/me"

// user returns the caller if it is a person who is signed in.
func user(ctx context.Context) (*principalv1.Principal, error) {
	p, ok := principal.FromContext(ctx)
	if !ok {
		return nil, errs.Unauthenticated(errorsv1.Reason_REASON_TOKEN_MISSING, "sign in first")
	}
	if p.GetKind() != principalv1.Principal_KIND_USER {
		return nil, errs.Denied(errorsv1.Reason_REASON_PERMISSION_DENIED, "only a user can do this")
	}
	return p, nil
}

// id returns the id in a resource name.
func id(name string) string { return strings.TrimPrefix(name, "users/") }

func toUser(u core.User) *identityv1.User {
	return &identityv1.User{Name: u.Name(), CreateTime: timestamppb.New(u.CreateTime)}
}
