package identity_test

import (
	"encoding/base64"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	identityv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/identity/v1"
)

func TestRefresh(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		in := w.signIn(t, "")
		token := in.GetRefreshToken()
		for range 3 {
			out := w.refresh(t, token)
			if out.GetRefreshToken() == token || !proto.Equal(out.GetUser(), in.GetUser()) {
				t.Errorf("refreshed to %v", out)
			}
			w.verify(t, out.GetAccessToken())
			token = out.GetRefreshToken()
		}
	})
}

func TestLostAnswerCanBeAskedForAgain(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		first := w.signIn(t, "").GetRefreshToken()
		second := w.refresh(t, first).GetRefreshToken()
		for range 3 {
			if again := w.refresh(t, first).GetRefreshToken(); again != second {
				t.Error("the same question has another answer")
			}
		}
		w.refresh(t, second)
	})
}

func TestReusedTokenEndsTheSession(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		other := w.signIn(t, secret).GetRefreshToken()
		first := w.signIn(t, secret).GetRefreshToken()
		second := w.refresh(t, first).GetRefreshToken()
		third := w.refresh(t, second).GetRefreshToken()
		w.refuses(t, first, "REFRESH_TOKEN_REUSED")
		for _, token := range []string{first, second, third} {
			w.refuses(t, token, "SESSION_ENDED")
		}
		w.refresh(t, other)
	})
}

func TestConcurrentRefreshesGetTheSameSuccessor(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		token := w.signIn(t, "").GetRefreshToken()
		for range 5 {
			var wg sync.WaitGroup
			next := make([]string, 8)
			for i := range next {
				wg.Go(func() {
					out, err := w.RefreshSession(t.Context(), &identityv1.RefreshSessionRequest{RefreshToken: token})
					if err != nil {
						t.Error(err)
					}
					next[i] = out.GetRefreshToken()
				})
			}
			wg.Wait()
			for _, n := range next {
				if n != next[0] || n == token {
					t.Fatalf("from %s to %q", token, next)
				}
			}
			token = next[0]
		}
	})
}

func TestMadeUpTokensAreRefused(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		a, b := w.signIn(t, "").GetRefreshToken(), w.signIn(t, "").GetRefreshToken()
		for _, token := range []string{"x", "!", a[:len(a)-1], a + "A", a + "=", a[:40] + b[40:]} {
			w.refuses(t, token, "REFRESH_TOKEN_INVALID")
		}
		raw, err := base64.RawURLEncoding.DecodeString(a)
		if err != nil {
			t.Fatal(err)
		}
		for i := range raw {
			raw[i] ^= 1
			w.refuses(t, base64.RawURLEncoding.EncodeToString(raw), "REFRESH_TOKEN_INVALID")
			raw[i] ^= 1
		}
		w.refresh(t, a)
	})
}

func TestSignOut(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		in, other := w.signIn(t, secret), w.signIn(t, secret)
		ctx := w.bearer(t, in.GetAccessToken())
		for range 2 {
			if _, err := w.SignOut(ctx, &identityv1.SignOutRequest{}); err != nil {
				t.Fatal(err)
			}
		}
		w.refuses(t, in.GetRefreshToken(), "SESSION_ENDED")
		w.refresh(t, other.GetRefreshToken())
		if again := w.signIn(t, secret); !proto.Equal(again.GetUser(), in.GetUser()) {
			t.Errorf("signed in again as %v, was %v", again.GetUser(), in.GetUser())
		}
	})
}
