package truth

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	identityv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/identity/v1"
	socialv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/social/v1"
)

// NewGRPC returns the server behind a connection, over gRPC.
func NewGRPC(cc grpc.ClientConnInterface) Server {
	return &grpcServer{identityv1.NewIdentityServiceClient(cc), socialv1.NewSocialServiceClient(cc)}
}

type grpcServer struct {
	identity identityv1.IdentityServiceClient
	social   socialv1.SocialServiceClient
}

func (s *grpcServer) SignIn(ctx context.Context, secret []byte) (Session, error) {
	got, err := s.identity.SignInAnonymous(ctx, &identityv1.SignInAnonymousRequest{InstallSecret: secret})
	return sessionOf(got), judge(err)
}

func (s *grpcServer) Refresh(ctx context.Context, token string) (Session, error) {
	got, err := s.identity.RefreshSession(ctx, &identityv1.RefreshSessionRequest{RefreshToken: token})
	return sessionOf(got), judge(err)
}

func (s *grpcServer) Follow(ctx context.Context, as Session, user string) error {
	_, err := s.social.FollowUser(outgoing(ctx, as), &socialv1.FollowUserRequest{Name: followName(user)})
	return judge(err)
}

func (s *grpcServer) Unfollow(ctx context.Context, as Session, user string) error {
	_, err := s.social.UnfollowUser(outgoing(ctx, as), &socialv1.UnfollowUserRequest{Name: followName(user)})
	return judge(err)
}

func followName(user string) string { return follows(user)[len("/v1/"):] }

func (s *grpcServer) Create(ctx context.Context, as Session, key, text string) (Post, error) {
	ctx = metadata.AppendToOutgoingContext(outgoing(ctx, as), "idempotency-key", key)
	got, err := s.social.CreatePost(ctx, &socialv1.CreatePostRequest{Parent: "users/me", Post: &socialv1.Post{Text: text}})
	return postOf(got.GetPost()), judge(err)
}

func (s *grpcServer) Posts(ctx context.Context, as Session, user string, from Cursor) (Page, error) {
	got, err := s.social.ListPosts(outgoing(ctx, as), &socialv1.ListPostsRequest{Parent: user, PageSize: int32(from.Size), PageToken: from.Token})
	return pageOf(got), judge(err)
}

func (s *grpcServer) Timeline(ctx context.Context, as Session, from Cursor) (Page, error) {
	got, err := s.social.ListTimeline(outgoing(ctx, as), &socialv1.ListTimelineRequest{Parent: "users/me", PageSize: int32(from.Size), PageToken: from.Token})
	return pageOf(got), judge(err)
}

func outgoing(ctx context.Context, as Session) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+as.Access)
}

// sessionOf takes both answers that hold one.
func sessionOf(s interface {
	GetUser() *identityv1.User
	GetAccessToken() string
	GetRefreshToken() string
	GetExpireTime() *timestamppb.Timestamp
}) Session {
	return Session{s.GetUser().GetName(), s.GetAccessToken(), s.GetRefreshToken(), s.GetExpireTime().AsTime()}
}

func postOf(p *socialv1.Post) Post {
	return Post{p.GetName(), p.GetAuthor(), p.GetText(), p.GetCreateTime().AsTime()}
}

// pageOf takes both answers that hold one.
func pageOf(answer interface {
	GetPosts() []*socialv1.Post
	GetNextPageToken() string
}) Page {
	page := Page{Next: answer.GetNextPageToken()}
	for _, p := range answer.GetPosts() {
		page.Posts = append(page.Posts, postOf(p))
	}
	return page
}

// judge tells a Refusal from an error after which nobody knows.
func judge(err error) error {
	switch status.Code(err) {
	case codes.InvalidArgument, codes.NotFound, codes.AlreadyExists, codes.PermissionDenied, codes.Unauthenticated,
		codes.FailedPrecondition, codes.OutOfRange, codes.Unimplemented:
		_, reason := errs.ReasonOf(err)
		return &Refusal{reason, err.Error()}
	}
	return err
}
