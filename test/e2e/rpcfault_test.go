package e2e_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	identityv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/identity/v1"
	socialv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/social/v1"
	"github.com/fairlead-mesh/fairlead/test/harness"
)

// asPerson returns a context for calls as that person.
func asPerson(ctx context.Context, p *harness.Person, more ...string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, append(more, "authorization", "Bearer "+p.AccessToken)...)
}

// The same faults in gRPC, by a client with generated code.
func TestBadRequestsInGRPC(t *testing.T) {
	s := harness.Shared(t)
	p, other := s.SignIn(t), s.SignIn(t)
	cc := s.Dial(t)
	users, posts := identityv1.NewIdentityServiceClient(cc), socialv1.NewSocialServiceClient(cc)
	ctx := asPerson(t.Context(), p)
	bearer := func(token string) context.Context {
		return metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)
	}
	me := &identityv1.GetUserRequest{Name: "users/me"}
	for name, c := range map[string]struct {
		call func() error
		want fault
	}{
		"negative page size": {func() error {
			_, err := posts.ListTimeline(ctx, &socialv1.ListTimelineRequest{Parent: "users/me", PageSize: -1})
			return err
		}, wrong("INVALID_FIELD", "page_size")},
		"bad page token": {func() error {
			_, err := posts.ListTimeline(ctx, &socialv1.ListTimelineRequest{Parent: "users/me", PageToken: "garbage"})
			return err
		}, wrong("INVALID_PAGE_TOKEN", "page_token")},
		"following oneself": {func() error {
			_, err := posts.FollowUser(ctx, &socialv1.FollowUserRequest{Name: "users/me/follows/me"})
			return err
		}, fault{codes.InvalidArgument, social, "SELF_FOLLOW", "name"}},
		"posting as another": {func() error {
			_, err := posts.CreatePost(ctx, &socialv1.CreatePostRequest{Parent: other.User.Name, Post: &socialv1.Post{Text: "a"}})
			return err
		}, fault{codes.PermissionDenied, social, "NOT_OWNER", ""}},
		"another's account": {func() error {
			_, err := users.GetUser(ctx, &identityv1.GetUserRequest{Name: other.User.Name})
			return err
		}, fault{codes.NotFound, identity, "USER_NOT_FOUND", ""}},
		"no token": {func() error {
			_, err := users.GetUser(t.Context(), me)
			return err
		}, fault{codes.Unauthenticated, common, "TOKEN_MISSING", ""}},
		"bad token": {func() error {
			_, err := users.GetUser(bearer("a.b.c"), me)
			return err
		}, fault{codes.Unauthenticated, common, "TOKEN_INVALID", ""}},
		"message over the cap": {func() error {
			_, err := posts.CreatePost(ctx, &socialv1.CreatePostRequest{Parent: "users/me", Post: &socialv1.Post{Text: strings.Repeat("x", 1<<20)}})
			return err
		}, fault{codes.ResourceExhausted, common, "REQUEST_TOO_LARGE", ""}},
	} {
		t.Run(name, func(t *testing.T) { expectGRPC(t, c.call(), c.want) })
	}
}

// An INTERNAL method is answered like one that does not exist, down to the last
// byte but the request id.
func TestInternalMethodsDoNotExist(t *testing.T) {
	s := harness.Shared(t)
	p := s.SignIn(t)
	cc := s.Dial(t)
	unimplemented := fault{codes.Unimplemented, common, "NOT_ROUTED", ""}
	lookup := &identityv1.LookupUsersRequest{Names: []string{p.User.Name}}
	var answers []proto.Message
	for _, method := range []string{"/" + identityService + "/LookupUsers", "/" + identityService + "/None", "/none.v1.None/None"} {
		ctx := asPerson(t.Context(), p, "x-request-id", "one-id")
		err := cc.Invoke(ctx, method, lookup, new(emptypb.Empty))
		expectGRPC(t, err, unimplemented)
		answers = append(answers, status.Convert(err).Proto())
	}
	for _, a := range answers[1:] {
		if !proto.Equal(answers[0], a) {
			t.Errorf("an internal method answers %v, a missing one %v", answers[0], a)
		}
	}
	var bodies []string
	for _, path := range []string{"/" + identityService + "/LookupUsers", "/" + identityService + "/None", "/v1/users:lookup"} {
		r := p.Do(t, "POST", path, `{"names":["users/me"]}`, "X-Request-Id: one-id")
		expectREST(t, r, 404, fault{codes.NotFound, common, "NOT_ROUTED", ""})
		bodies = append(bodies, r.Body)
	}
	if len(slices.Compact(bodies)) != 1 {
		t.Errorf("an internal method is told from a missing one: %q", bodies)
	}
	if _, _, err := s.Curl(t).TryCall(t, identityService+"/LookupUsers", `{}`, p.Authorization()); err == nil {
		t.Error("reflection shows an internal method")
	}
}

// A client's own deadline holds.
func TestDeadlineOfTheClient(t *testing.T) {
	s := harness.Shared(t)
	p := s.SignIn(t)
	r := p.Do(t, "GET", "/v1/users/me", "", "Grpc-Timeout: 1n")
	expectREST(t, r, 504, fault{codes.DeadlineExceeded, common, "DEADLINE_EXCEEDED", ""})
	ctx, cancel := context.WithTimeout(asPerson(t.Context(), p), 1)
	defer cancel()
	_, err := identityv1.NewIdentityServiceClient(s.Dial(t)).GetUser(ctx, &identityv1.GetUserRequest{Name: "users/me"})
	if status.Code(err) != codes.DeadlineExceeded && !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}
