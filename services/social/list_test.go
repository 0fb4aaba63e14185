package social_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"google.golang.org/grpc/codes"

	socialv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/social/v1"
)

// lists are the two methods that list posts, in one form.
func lists(app *app) map[string]list {
	return map[string]list{
		"posts": func(ctx context.Context, parent string, size int32, token string) ([]*socialv1.Post, string, error) {
			res, err := app.ListPosts(ctx, &socialv1.ListPostsRequest{Parent: parent, PageSize: size, PageToken: token})
			return res.GetPosts(), res.GetNextPageToken(), err
		},
		"timeline": func(ctx context.Context, parent string, size int32, token string) ([]*socialv1.Post, string, error) {
			res, err := app.ListTimeline(ctx, &socialv1.ListTimelineRequest{Parent: parent, PageSize: size, PageToken: token})
			return res.GetPosts(), res.GetNextPageToken(), err
		},
	}
}

type list func(ctx context.Context, parent string, size int32, token string) ([]*socialv1.Post, string, error)

// eachList runs a test for each list on each engine.
func eachList(t *testing.T, test func(t *testing.T, app *app, list list)) {
	for name := range lists(nil) {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, app *app) { test(t, app, lists(app)[name]) })
		})
	}
}

// fill lets a user post numbers and returns them newest first.
func fill(t *testing.T, app *app, user string, n int) []string {
	t.Helper()
	var texts []string
	for i := range n {
		texts = append(texts, fmt.Sprint(user, " ", i))
		app.post(t, user, texts[i])
	}
	slices.Reverse(texts)
	return texts
}

func TestPagesHoldEachPostOnceWhileNewOnesArrive(t *testing.T) {
	eachList(t, func(t *testing.T, app *app, list list) {
		posted := fill(t, app, "ada", 23)
		for _, size := range []int32{1, 5, 22, 23, 24} {
			var got []string
			for token := ""; ; {
				posts, next, err := list(as(t, "ada"), "users/me", size, token)
				if err != nil {
					t.Fatal(err)
				}
				if len(posts) > int(size) || len(posts) == 0 {
					t.Fatalf("got a page of %d posts, want at most %d", len(posts), size)
				}
				got = append(got, textsOf(posts)...)
				if token = next; token == "" {
					break
				}
				app.post(t, "ada", "meanwhile")
				posted = append([]string{"meanwhile"}, posted...)
			}
			seen := posted[len(posted)-len(got):]
			if !slices.Equal(got, seen) || len(got) < 23 {
				t.Errorf("pages of %d: got %q, want %q", size, got, seen)
			}
		}
	})
}

func TestTimelineMergesTwoAuthors(t *testing.T) {
	each(t, func(t *testing.T, app *app) {
		app.follow(t, "ada", "bob")
		var posted []string
		for i := range 30 {
			author := []string{"ada", "bob", "cy", "bob"}[i%4]
			text := fmt.Sprint(author, " ", i)
			app.post(t, author, text)
			if author != "cy" {
				posted = append(posted, text)
			}
		}
		slices.Reverse(posted)
		for _, size := range []int32{1, 2, 7, 100} {
			if got := walk(t, lists(app)["timeline"], "ada", size); !slices.Equal(got, posted) {
				t.Errorf("pages of %d: got %q, want %q", size, got, posted)
			}
		}
	})
}

func walk(t *testing.T, list list, user string, size int32) []string {
	t.Helper()
	var texts []string
	for token := ""; ; {
		posts, next, err := list(as(t, user), "users/me", size, token)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, textsOf(posts)...)
		if token = next; token == "" {
			return texts
		}
	}
}

func TestPageSizes(t *testing.T) {
	eachList(t, func(t *testing.T, app *app, list list) {
		fill(t, app, "ada", 110)
		for size, want := range map[int32]int{0: 25, 1: 1, 99: 99, 100: 100, 101: 100, 1 << 30: 100} {
			posts, next, err := list(as(t, "ada"), "users/me", size, "")
			if err != nil || len(posts) != want || next == "" {
				t.Errorf("%d: got %d posts, %q, %v", size, len(posts), next, err)
			}
		}
		_, _, err := list(as(t, "ada"), "users/me", -1, "")
		want(t, err, codes.InvalidArgument, "INVALID_FIELD")
	})
}

func TestAPageMayBeTheLastOne(t *testing.T) {
	eachList(t, func(t *testing.T, app *app, list list) {
		for n, size := range []int32{1, 1, 2, 3} { // before each round there are n posts
			posts, next, err := list(as(t, "ada"), "users/me", size, "")
			if err != nil || len(posts) != n || next != "" {
				t.Errorf("%d: got %d posts, %q, %v", n, len(posts), next, err)
			}
			app.post(t, "ada", "x")
		}
	})
}

func TestTokensOfOtherListsAreRefused(t *testing.T) {
	eachList(t, func(t *testing.T, app *app, list list) {
		foreign := map[string]string{"forged": "AQ", "no token": "%%%"}
		for _, user := range []string{"ada", "bob"} {
			fill(t, app, user, 2)
			for name, list := range lists(app) {
				_, token, err := list(as(t, user), "users/me", 1, "")
				if err != nil {
					t.Fatal(err)
				}
				foreign[name+" of "+user] = token
			}
		}
		accepted := 0
		for name, token := range foreign {
			_, _, err := list(as(t, "ada"), "users/ada", 2, token)
			if err == nil {
				accepted++ // its own, by whichever name of the parent
				continue
			}
			want(t, err, codes.InvalidArgument, "INVALID_PAGE_TOKEN")
			if t.Failed() {
				t.Log(name)
			}
		}
		if accepted != 1 {
			t.Errorf("%d tokens were accepted, want 1", accepted)
		}
	})
}

func TestListPostsOfSomebodyElse(t *testing.T) {
	each(t, func(t *testing.T, app *app) {
		posted := fill(t, app, "bob", 3)
		fill(t, app, "ada", 2)
		posts, next, err := lists(app)["posts"](as(t, "ada"), "users/bob", 0, "")
		if err != nil || next != "" || !slices.Equal(textsOf(posts), posted) {
			t.Errorf("got %q %q %v", textsOf(posts), next, err)
		}
	})
}

func TestTimelineOfSomebodyElseIsRefused(t *testing.T) {
	each(t, func(t *testing.T, app *app) {
		_, err := app.ListTimeline(as(t, "ada"), &socialv1.ListTimelineRequest{Parent: "users/bob"})
		want(t, err, codes.PermissionDenied, "NOT_OWNER")
	})
}
