package social_test

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	identityv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/identity/v1"
	socialv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/social/v1"
)

func TestFollowingShowsPostsAndUnfollowingHidesThem(t *testing.T) {
	each(t, func(t *testing.T, app *app) {
		app.post(t, "bob", "before")
		app.wantTimeline(t, "ada")
		app.follow(t, "ada", "bob")
		app.post(t, "bob", "after")
		app.wantTimeline(t, "ada", "after", "before")
		app.wantTimeline(t, "bob", "after", "before")
		app.unfollow(t, "ada", "bob")
		app.wantTimeline(t, "ada")
	})
}

func TestFollowingIsIdempotent(t *testing.T) {
	each(t, func(t *testing.T, app *app) {
		app.unfollow(t, "ada", "bob")
		app.follow(t, "ada", "bob")
		app.follow(t, "ada", "bob")
		app.post(t, "bob", "once")
		app.wantTimeline(t, "ada", "once")
		app.unfollow(t, "ada", "bob")
		app.unfollow(t, "ada", "bob")
		app.unfollow(t, "ada", "nobody")
	})
}

func TestFollowRefusals(t *testing.T) {
	cases := map[string]struct {
		code   codes.Code
		reason string
	}{
		"users/me/follows/ada":    {codes.InvalidArgument, "SELF_FOLLOW"},
		"users/ada/follows/ada":   {codes.InvalidArgument, "SELF_FOLLOW"},
		"users/me/follows/me":     {codes.InvalidArgument, "SELF_FOLLOW"},
		"users/me/follows/nobody": {codes.NotFound, "USER_NOT_FOUND"},
		"users/bob/follows/cy":    {codes.PermissionDenied, "NOT_OWNER"},
		"users/bob/follows/ada":   {codes.PermissionDenied, "NOT_OWNER"},
		"users/bob/follows/bob":   {codes.PermissionDenied, "NOT_OWNER"},
		"users/me/follows/":       {codes.InvalidArgument, "INVALID_FIELD"},
		"users/me/follows/a/b":    {codes.InvalidArgument, "INVALID_FIELD"},
		"":                        {codes.InvalidArgument, "INVALID_FIELD"},
	}
	each(t, func(t *testing.T, app *app) {
		for name, c := range cases {
			_, err := app.FollowUser(as(t, "ada"), &socialv1.FollowUserRequest{Name: name})
			want(t, err, c.code, c.reason)
		}
		_, err := app.UnfollowUser(as(t, "ada"), &socialv1.UnfollowUserRequest{Name: "users/bob/follows/cy"})
		want(t, err, codes.PermissionDenied, "NOT_OWNER")
	})
}

// A reason says whose it is: identity has one of the same name.
func TestReasonsHaveTheDomainOfSocial(t *testing.T) {
	each(t, func(t *testing.T, app *app) {
		_, err := app.FollowUser(as(t, "ada"), &socialv1.FollowUserRequest{Name: "users/me/follows/nobody"})
		if domain, _ := errs.ReasonOf(err); domain != "fairlead.social.v1" {
			t.Errorf("got %s", domain)
		}
	})
}

func TestWhatIdentityFailsWithIsNotPassedOn(t *testing.T) {
	callee := func(code codes.Code) error { return status.Error(code, "secret") }
	own := errs.NotFound(identityv1.Reason_REASON_USER_NOT_FOUND, "secret").GRPCStatus().Err()
	each(t, func(t *testing.T, app *app) {
		for _, c := range []struct {
			err    error
			code   codes.Code
			reason string
		}{
			{callee(codes.Unavailable), codes.Unavailable, "UNAVAILABLE"},
			{callee(codes.PermissionDenied), codes.Internal, "INTERNAL"},
			{own, codes.Internal, "INTERNAL"},
			{errors.New("secret"), codes.Internal, "INTERNAL"},
		} {
			app.identity.err = c.err
			_, err := app.FollowUser(as(t, "ada"), &socialv1.FollowUserRequest{Name: "users/me/follows/bob"})
			want(t, err, c.code, c.reason)
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the caller sees %v", err)
			}
		}
		app.post(t, "bob", "hidden")
		app.wantTimeline(t, "ada")
	})
}
