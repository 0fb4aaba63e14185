package social_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	socialv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/social/v1"
)

func create(parent, text string) *socialv1.CreatePostRequest {
	return &socialv1.CreatePostRequest{Parent: parent, Post: &socialv1.Post{Text: text}}
}

func TestAPostIsReadAsItWasMade(t *testing.T) {
	each(t, func(t *testing.T, app *app) {
		for _, text := range []string{"hello", " \tline\n\n", "ünï 😀 e\u0301 \u200b", strings.Repeat("ü", 2000)} {
			made := app.post(t, "ada", text)
			got, err := app.GetPost(as(t, "bob"), &socialv1.GetPostRequest{Name: made.GetName()})
			if err != nil {
				t.Fatal(err)
			}
			if !proto.Equal(got.GetPost(), made) || got.GetPost().GetText() != text {
				t.Errorf("got %v, want %v", got.GetPost(), made)
			}
		}
	})
}

func TestServerSetsNameAuthorAndTime(t *testing.T) {
	each(t, func(t *testing.T, app *app) {
		before := time.Now().Truncate(time.Microsecond)
		res, err := app.CreatePost(as(t, "ada"), &socialv1.CreatePostRequest{
			Parent: "users/ada",
			Post: &socialv1.Post{
				Name: "posts/mine", Author: "users/bob", Text: "x", CreateTime: timestamppb.New(time.Unix(1, 0)),
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		post := res.GetPost()
		id := strings.TrimPrefix(post.GetName(), "posts/")
		if parsed, err := uuid.Parse(id); err != nil || parsed.Version() != 7 || parsed.String() != id {
			t.Errorf("name %s is not a lower-case UUIDv7", post.GetName())
		}
		at := post.GetCreateTime().AsTime()
		if post.GetAuthor() != "users/ada" || at.Before(before) || at.After(time.Now()) {
			t.Errorf("got %v", post)
		}
	})
}

func TestNamesSortByCreation(t *testing.T) {
	each(t, func(t *testing.T, app *app) {
		last := ""
		for range 50 {
			name := app.post(t, "ada", "x").GetName()
			if name <= last {
				t.Fatalf("%s came after %s", name, last)
			}
			last = name
		}
	})
}

func TestPostRefusals(t *testing.T) {
	cases := []struct {
		name, parent, text string
		code               codes.Code
		reason             string
	}{
		{"somebody else", "users/bob", "x", codes.PermissionDenied, "NOT_OWNER"},
		{"no text", "users/me", "", codes.InvalidArgument, "INVALID_FIELD"},
		{"too long", "users/me", strings.Repeat("x", 2001), codes.InvalidArgument, "INVALID_FIELD"},
		{"null", "users/me", "a\x00b", codes.InvalidArgument, "INVALID_FIELD"},
		{"escape", "users/me", "a\x1b[31m", codes.InvalidArgument, "INVALID_FIELD"},
		{"carriage return", "users/me", "a\r\n", codes.InvalidArgument, "INVALID_FIELD"},
		{"C1 control", "users/me", "a\u0085", codes.InvalidArgument, "INVALID_FIELD"},
		{"bad parent", "users/", "x", codes.InvalidArgument, "INVALID_FIELD"},
	}
	each(t, func(t *testing.T, app *app) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				_, err := app.CreatePost(as(t, "ada"), create(c.parent, c.text))
				want(t, err, c.code, c.reason)
			})
		}
		_, err := app.CreatePost(as(t, "ada"), &socialv1.CreatePostRequest{Parent: "users/me"})
		want(t, err, codes.InvalidArgument, "INVALID_FIELD")
		app.wantTimeline(t, "ada")
	})
}

func TestPostNotFound(t *testing.T) {
	each(t, func(t *testing.T, app *app) {
		made := app.post(t, "ada", "x").GetName()
		for _, name := range []string{"posts/x", "posts/" + uuid.NewString(), made + "0"} {
			_, err := app.GetPost(as(t, "ada"), &socialv1.GetPostRequest{Name: name})
			want(t, err, codes.NotFound, "POST_NOT_FOUND")
		}
		_, err := app.GetPost(as(t, "ada"), &socialv1.GetPostRequest{Name: strings.ToUpper(made)})
		want(t, err, codes.InvalidArgument, "INVALID_FIELD")
	})
}

func TestOnlyUsersMayCall(t *testing.T) {
	each(t, func(t *testing.T, app *app) {
		_, err := app.GetPost(t.Context(), &socialv1.GetPostRequest{Name: "posts/x"})
		want(t, err, codes.Unauthenticated, "TOKEN_MISSING")
		for _, name := range []string{"services/edge", "users/", "ada"} {
			ctx := metadata.AppendToOutgoingContext(t.Context(), "test-principal", name)
			_, err := app.CreatePost(ctx, create("users/me", "x"))
			want(t, err, codes.PermissionDenied, "PERMISSION_DENIED")
		}
	})
}
