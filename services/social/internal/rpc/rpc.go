// Package rpc is SocialService in gRPC: it turns requests into calls of core, and
// what core returns into answers and errors. Requests were validated before they
// come here.
package rpc

import (
	"context"
	"database/sql"

	"github.com/fairlead-mesh/fairlead/pkg/idempotency"
	"github.com/fairlead-mesh/fairlead/pkg/page"
	"github.com/fairlead-mesh/fairlead/pkg/store"
	socialv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/social/v1"
	"github.com/fairlead-mesh/fairlead/services/social/internal/core"
)

// Server implements socialv1.SocialServiceServer.
type Server struct {
	socialv1.UnimplementedSocialServiceServer

	// Core applies the rules.
	Core *core.Core
	// DB is where writes with an idempotency key begin their transaction.
	DB *store.DB
	// In returns the store as that transaction sees it.
	In func(*sql.Tx) core.Store
	// Pages makes the page tokens.
	Pages *page.Codec
}

var _ socialv1.SocialServiceServer = (*Server)(nil)

// FollowUser implements socialv1.SocialServiceServer.
func (s *Server) FollowUser(ctx context.Context, req *socialv1.FollowUserRequest) (*socialv1.FollowUserResponse, error) {
	caller, err := callerOf(ctx)
	if err != nil {
		return nil, err
	}
	follower, followee := caller.follow(req.GetName())
	if err := s.Core.Follow(ctx, caller.id, follower, followee); err != nil {
		return nil, toError(err)
	}
	return &socialv1.FollowUserResponse{}, nil
}

// UnfollowUser implements socialv1.SocialServiceServer.
func (s *Server) UnfollowUser(ctx context.Context, req *socialv1.UnfollowUserRequest) (*socialv1.UnfollowUserResponse, error) {
	caller, err := callerOf(ctx)
	if err != nil {
		return nil, err
	}
	follower, followee := caller.follow(req.GetName())
	if err := s.Core.Unfollow(ctx, caller.id, follower, followee); err != nil {
		return nil, toError(err)
	}
	return &socialv1.UnfollowUserResponse{}, nil
}

// CreatePost implements socialv1.SocialServiceServer.
func (s *Server) CreatePost(ctx context.Context, req *socialv1.CreatePostRequest) (*socialv1.CreatePostResponse, error) {
	caller, err := callerOf(ctx)
	if err != nil {
		return nil, err
	}
	key, err := idempotency.KeyFrom(ctx)
	if err != nil {
		return nil, err
	}
	call := idempotency.Call{Principal: caller.name(), Method: socialv1.SocialService_CreatePost_FullMethodName, Key: key}
	response, err := idempotency.Do(ctx, s.DB, call, req, func(tx *sql.Tx) (*socialv1.CreatePostResponse, error) {
		post, err := s.Core.With(s.In(tx)).CreatePost(ctx, caller.id, caller.user(req.GetParent()), req.GetPost().GetText())
		return &socialv1.CreatePostResponse{Post: toPost(post)}, err
	})
	if err != nil {
		return nil, toError(err)
	}
	return response, nil
}

// GetPost implements socialv1.SocialServiceServer.
func (s *Server) GetPost(ctx context.Context, req *socialv1.GetPostRequest) (*socialv1.GetPostResponse, error) {
	if _, err := callerOf(ctx); err != nil {
		return nil, err
	}
	post, err := s.Core.Post(ctx, postID(req.GetName()))
	if err != nil {
		return nil, toError(err)
	}
	return &socialv1.GetPostResponse{Post: toPost(post)}, nil
}
