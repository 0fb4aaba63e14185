package rpc

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/fairlead-mesh/fairlead/pkg/page"
	socialv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/social/v1"
	"github.com/fairlead-mesh/fairlead/services/social/internal/core"
)

// How many posts a page has.
const (
	defaultPage = 25
	largestPage = 100
)

// ListPosts implements socialv1.SocialServiceServer.
func (s *Server) ListPosts(ctx context.Context, req *socialv1.ListPostsRequest) (*socialv1.ListPostsResponse, error) {
	caller, err := callerOf(ctx)
	if err != nil {
		return nil, err
	}
	author := caller.user(req.GetParent())
	query := proto.CloneOf(req)
	query.Parent = userName(author)
	posts, next, err := s.list(query, func(before string, size int) (core.Page, error) {
		return s.Core.Posts(ctx, author, before, size)
	})
	if err != nil {
		return nil, toError(err)
	}
	return &socialv1.ListPostsResponse{Posts: posts, NextPageToken: next}, nil
}

// ListTimeline implements socialv1.SocialServiceServer.
func (s *Server) ListTimeline(ctx context.Context, req *socialv1.ListTimelineRequest) (*socialv1.ListTimelineResponse, error) {
	caller, err := callerOf(ctx)
	if err != nil {
		return nil, err
	}
	reader := caller.user(req.GetParent())
	query := proto.CloneOf(req)
	query.Parent = userName(reader)
	posts, next, err := s.list(query, func(before string, size int) (core.Page, error) {
		return s.Core.Timeline(ctx, caller.id, reader, before, size)
	})
	if err != nil {
		return nil, toError(err)
	}
	return &socialv1.ListTimelineResponse{Posts: posts, NextPageToken: next}, nil
}

// listRequest is what the requests for lists have in common.
type listRequest interface {
	proto.Message
	GetPageSize() int32
	GetPageToken() string
}

// list reads the page that a request asks for, and returns it with the token of
// the next one. The parent in the request has its full name.
func (s *Server) list(
	req listRequest, read func(before string, size int) (core.Page, error),
) ([]*socialv1.Post, string, error) {
	size, err := page.Size(req.GetPageSize(), defaultPage, largestPage)
	if err != nil {
		return nil, "", err
	}
	query, err := page.Query(req)
	if err != nil {
		return nil, "", err
	}
	before, err := s.Pages.Decode(req.GetPageToken(), query)
	if err != nil {
		return nil, "", err
	}
	got, err := read(string(before), size)
	if err != nil || got.Last == "" {
		return toPosts(got.Posts), "", err
	}
	return toPosts(got.Posts), s.Pages.Encode(query, []byte(got.Last)), nil
}
