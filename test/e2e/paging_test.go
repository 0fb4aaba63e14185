package e2e_test

import (
	"fmt"
	"slices"
	"testing"

	socialv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/social/v1"
	"github.com/fairlead-mesh/fairlead/test/harness"
)

// manyPosts lets two people post in turn and returns what they posted, newest
// first. The reader follows both.
func manyPosts(t *testing.T, s *harness.System, n int) (writer, reader *harness.Person, all []string) {
	t.Helper()
	writer, reader = s.SignIn(t), s.SignIn(t)
	other := s.SignIn(t)
	reader.Follow(t, writer)
	reader.Follow(t, other)
	for i := range n {
		who := []*harness.Person{writer, other}[i%2]
		all = append(all, who.Post(t, fmt.Sprint("number ", i)).Name)
	}
	slices.Reverse(all)
	return writer, reader, all
}

func names(posts []harness.Post) []string {
	var list []string
	for _, p := range posts {
		list = append(list, p.Name)
	}
	return list
}

func TestPaging(t *testing.T) { harness.Each(t, testPaging) }

func testPaging(t *testing.T, s *harness.System) {
	writer, reader, all := manyPosts(t, s, 105)
	t.Run("sizes", func(t *testing.T) {
		for size, want := range map[string]int{"0": 25, "1": 1, "60": 60, "100": 100, "101": 100, "2147483647": 100} {
			page := reader.Timeline(t, "pageSize", size)
			if !slices.Equal(names(page.Posts), all[:want]) || page.NextPageToken == "" {
				t.Errorf("page size %q: %d posts, next page %q", size, len(page.Posts), page.NextPageToken)
			}
		}
	})
	t.Run("no size", func(t *testing.T) {
		if page := reader.Timeline(t, "pageToken", ""); !slices.Equal(names(page.Posts), all[:25]) {
			t.Errorf("%d posts", len(page.Posts))
		}
	})
	t.Run("each post once", func(t *testing.T) {
		for _, size := range []string{"7", "35", "100"} {
			if got := walk(t, reader, size, func() {}); !slices.Equal(got, all) {
				t.Errorf("pages of %s: %d posts, want %d", size, len(got), len(all))
			}
		}
	})
	t.Run("the same page has the same token", func(t *testing.T) {
		a, b := reader.Timeline(t, "pageSize", "3"), reader.Timeline(t, "pageSize", "3")
		if a.NextPageToken != b.NextPageToken {
			t.Errorf("%q, then %q", a.NextPageToken, b.NextPageToken)
		}
	})
	t.Run("in gRPC the same", func(t *testing.T) {
		rest := reader.Timeline(t, "pageSize", "10")
		page, err := socialv1.NewSocialServiceClient(s.Dial(t)).ListTimeline(asPerson(t.Context(), reader),
			&socialv1.ListTimelineRequest{Parent: "users/me", PageSize: 10, PageToken: rest.NextPageToken})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range page.Posts {
			got = append(got, p.Name)
		}
		if !slices.Equal(got, all[10:20]) {
			t.Errorf("the second page holds %v", got)
		}
	})
	t.Run("posts that come meanwhile do not move others", func(t *testing.T) {
		more := 0
		got := walk(t, reader, "20", func() { writer.Post(t, "new"); more++ })
		if !slices.Equal(got, all) || more == 0 {
			t.Errorf("%d posts, want %d", len(got), len(all))
		}
	})
	t.Run("the last page", func(t *testing.T) {
		nobody := s.SignIn(t)
		for _, page := range []harness.Page{nobody.Posts(t), nobody.Timeline(t)} {
			if len(page.Posts) != 0 || page.NextPageToken != "" {
				t.Errorf("of nothing: %+v", page)
			}
		}
		nobody.Post(t, "one")
		if page := nobody.Posts(t, "pageSize", "1"); len(page.Posts) != 1 || page.NextPageToken != "" {
			t.Errorf("a full page, and the last: %+v", page)
		}
	})
}

// walk reads a timeline page by page, and lets something happen between them.
func walk(t *testing.T, p *harness.Person, size string, between func()) []string {
	t.Helper()
	var got []string
	for page := p.Timeline(t, "pageSize", size); ; page = p.Timeline(t, "pageSize", size, "pageToken", page.NextPageToken) {
		got = append(got, names(page.Posts)...)
		if page.NextPageToken == "" {
			return got
		}
		between()
	}
}
