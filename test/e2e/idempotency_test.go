package e2e_test

import (
	"crypto/rand"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	socialv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/social/v1"
	"github.com/fairlead-mesh/fairlead/test/harness"
)

const keyHeader = "Idempotency-Key: "

// postInGRPC posts with a key in the metadata and returns the name of the post.
func postInGRPC(t *testing.T, s *harness.System, p *harness.Person, key, text string) (string, error) {
	t.Helper()
	ctx := metadata.AppendToOutgoingContext(asPerson(t.Context(), p), "idempotency-key", key)
	got, err := socialv1.NewSocialServiceClient(s.Dial(t)).CreatePost(ctx, &socialv1.CreatePostRequest{Parent: "users/me", Post: &socialv1.Post{Text: text}})
	return got.GetPost().GetName(), err
}

func TestIdempotencyKey(t *testing.T) { harness.Each(t, testIdempotencyKey) }

func testIdempotencyKey(t *testing.T, s *harness.System) {
	ada, bob := s.SignIn(t), s.SignIn(t)
	key := rand.Text()
	first := ada.Post(t, "once", keyHeader+key)
	t.Run("replays in REST", func(t *testing.T) {
		if again := ada.Post(t, "once", keyHeader+key); again != first {
			t.Errorf("the second answer is %v, the first %v", again, first)
		}
	})
	t.Run("replays in gRPC", func(t *testing.T) {
		own := rand.Text()
		for _, k := range []string{own, own, key} {
			name, err := postInGRPC(t, s, ada, k, "once")
			if err != nil || name == "" {
				t.Fatal(err)
			}
			if k == key && name != first.Name {
				t.Errorf("%s, posted in REST, is %s in gRPC", first.Name, name)
			}
		}
	})
	t.Run("another payload", func(t *testing.T) {
		want := fault{codes.FailedPrecondition, common, "IDEMPOTENCY_KEY_REUSED", ""}
		expectREST(t, ada.Do(t, "POST", "/v1/users/me/posts", `{"text":"twice"}`, keyHeader+key), 422, want)
		_, err := postInGRPC(t, s, ada, key, "twice")
		expectGRPC(t, err, want)
	})
	t.Run("bad keys", func(t *testing.T) {
		for _, k := range []string{"ü", strings.Repeat("x", 256)} {
			r := ada.Do(t, "POST", "/v1/users/me/posts", `{"text":"a"}`, keyHeader+k)
			expectREST(t, r, 400, wrong("IDEMPOTENCY_KEY_INVALID", ""))
		}
		r := ada.Do(t, "POST", "/v1/users/me/posts", `{"text":"a"}`, keyHeader+"a", keyHeader+"b")
		expectREST(t, r, 400, wrong("IDEMPOTENCY_KEY_INVALID", ""))
	})
	t.Run("a refused call does not use its key up", func(t *testing.T) {
		k := rand.Text()
		expectREST(t, bob.Do(t, "POST", "/v1/users/me/posts", `{"text":""}`, keyHeader+k), 400, wrong("INVALID_FIELD", "post.text"))
		bob.Post(t, "better", keyHeader+k)
	})
	t.Run("everybody has keys of their own", func(t *testing.T) {
		if other := bob.Post(t, "once", keyHeader+key); other.Name == first.Name || other.Author != bob.User.Name {
			t.Errorf("bob got %v", other)
		}
	})
	if n := len(ada.Posts(t).Posts); n != 2 {
		t.Errorf("ada has %d posts, want one for each of the two keys", n)
	}
	if a, b := bob.Post(t, "no key"), bob.Post(t, "no key"); a.Name == b.Name {
		t.Error("without a key two posts are one")
	}
}

// A phone on a bad line asks many times at once.
func TestConcurrentDuplicates(t *testing.T) { harness.Each(t, testConcurrentDuplicates) }

func testConcurrentDuplicates(t *testing.T, s *harness.System) {
	p := s.SignIn(t)
	const duplicates = 20
	key := rand.Text()
	responses, errs := make([]harness.Response, duplicates), make([]error, duplicates)
	var wg sync.WaitGroup
	for i := range duplicates {
		wg.Go(func() {
			responses[i], errs[i] = s.TryAsk(t, s.Public, "POST", "/v1/users/me/posts", `{"text":"once"}`, keyHeader+key, p.Authorization())
		})
	}
	wg.Wait()
	posts := map[harness.Post]bool{}
	for i, r := range responses {
		if errs[i] != nil {
			t.Fatal(errs[i])
		}
		var got struct{ Post harness.Post }
		r.JSON(t, &got)
		posts[got.Post] = true
	}
	if len(posts) != 1 {
		t.Errorf("%d calls with one key were answered with %v", duplicates, posts)
	}
	if n := len(p.Posts(t).Posts); n != 1 {
		t.Errorf("they made %d posts", n)
	}
}
