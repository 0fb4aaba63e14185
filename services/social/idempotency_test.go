package social_test

import (
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	socialv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/social/v1"
)

func TestARepeatedCallMakesOnePost(t *testing.T) {
	each(t, func(t *testing.T, app *app) {
		answers := make([]*socialv1.CreatePostResponse, 20)
		var group sync.WaitGroup
		for i := range answers {
			group.Go(func() {
				var err error
				if answers[i], err = app.CreatePost(as(t, "ada", "key-1"), create("users/me", "once")); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		for _, answer := range answers {
			if !proto.Equal(answer, answers[0]) {
				t.Errorf("got %v and %v", answer, answers[0])
			}
		}
		app.wantTimeline(t, "ada", "once")
	})
}

func TestAKeyIsForOneRequest(t *testing.T) {
	each(t, func(t *testing.T, app *app) {
		for _, user := range []string{"ada", "bob"} { // each has keys of its own
			if _, err := app.CreatePost(as(t, user, "key-1"), create("users/me", "first")); err != nil {
				t.Fatal(err)
			}
		}
		_, err := app.CreatePost(as(t, "ada", "key-1"), create("users/me", "second"))
		want(t, err, codes.FailedPrecondition, "IDEMPOTENCY_KEY_REUSED")
		if _, err := app.CreatePost(as(t, "ada", "key-2"), create("users/me", "second")); err != nil {
			t.Error(err)
		}
		app.wantTimeline(t, "ada", "second", "first")
		app.wantTimeline(t, "bob", "first")
	})
}

func TestARefusedCallDoesNotUseItsKey(t *testing.T) {
	each(t, func(t *testing.T, app *app) {
		_, err := app.CreatePost(as(t, "ada", "key-1"), create("users/bob", "mine"))
		want(t, err, codes.PermissionDenied, "NOT_OWNER")
		if _, err := app.CreatePost(as(t, "ada", "key-1"), create("users/me", "mine")); err != nil {
			t.Error(err)
		}
	})
}

func TestKeysThatAreNotKeys(t *testing.T) {
	each(t, func(t *testing.T, app *app) {
		for _, keys := range [][]string{{""}, {strings.Repeat("k", 256)}, {"a", "b"}} {
			_, err := app.CreatePost(as(t, "ada", keys...), create("users/me", "x"))
			want(t, err, codes.InvalidArgument, "IDEMPOTENCY_KEY_INVALID")
		}
		app.wantTimeline(t, "ada")
	})
}
