package e2e_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"google.golang.org/grpc/codes"

	"github.com/fairlead-mesh/fairlead/test/harness"
)

const signIn = "/v1/sessions:signInAnonymous"

func TestSignInAnswersASession(t *testing.T) {
	p := harness.Shared(t).SignIn(t)
	if p.RefreshToken == "" || time.Until(p.ExpireTime) < 9*time.Minute || time.Until(p.ExpireTime) > 11*time.Minute {
		t.Errorf("the session is %+v", p.Session)
	}
	var got struct{ User harness.User }
	for _, path := range []string{"/v1/users/me", "/v1/" + p.User.Name} {
		p.Do(t, "GET", path, "").JSON(t, &got)
		if got.User != p.User {
			t.Errorf("%s is %v, want %v", path, got.User, p.User)
		}
	}
}

// The same install gets its account back; every other gets one of its own.
func TestInstallSecret(t *testing.T) { harness.Each(t, testInstallSecret) }

func testInstallSecret(t *testing.T, s *harness.System) {
	signInWith := func(secret []byte) harness.Session {
		t.Helper()
		var session harness.Session
		body := fmt.Sprintf(`{"installSecret":%q}`, base64.StdEncoding.EncodeToString(secret))
		s.Do(t, "POST", signIn, body).JSON(t, &session)
		return session
	}
	mine, other := []byte(rand.Text()), []byte(rand.Text())
	first, second := signInWith(mine), signInWith(mine)
	if first.User != second.User || first.RefreshToken == second.RefreshToken {
		t.Errorf("the same install is %v, then %v", first.User, second.User)
	}
	if got := signInWith(other); got.User == first.User {
		t.Error("another install has the same account")
	}
	short := base64.StdEncoding.EncodeToString(mine[:15])
	expectREST(t, s.Do(t, "POST", signIn, fmt.Sprintf(`{"installSecret":%q}`, short)), 400,
		fault{codes.InvalidArgument, common, "INVALID_FIELD", "install_secret"})
}

func TestRefresh(t *testing.T) { harness.Each(t, testRefresh) }

func testRefresh(t *testing.T, s *harness.System) {
	first := s.SignIn(t).Session
	refresh := func(token string) harness.Response {
		t.Helper()
		return s.Do(t, "POST", "/v1/sessions:refresh", fmt.Sprintf(`{"refreshToken":%q}`, token))
	}
	var second, again, third harness.Session
	refresh(first.RefreshToken).JSON(t, &second)
	refresh(first.RefreshToken).JSON(t, &again) // the answer was lost
	if second.User != first.User || second.RefreshToken == first.RefreshToken || second.AccessToken == "" {
		t.Errorf("the new session is %+v", second)
	}
	refresh(again.RefreshToken).JSON(t, &third)
	s.As(third).Timeline(t)

	unauthenticated := func(reason string) fault { return fault{codes.Unauthenticated, identity, reason, ""} }
	expectREST(t, refresh(first.RefreshToken), 401, unauthenticated("REFRESH_TOKEN_REUSED"))
	expectREST(t, refresh(third.RefreshToken), 401, unauthenticated("SESSION_ENDED")) // a thief has the other one
	expectREST(t, refresh("garbage"), 401, unauthenticated("REFRESH_TOKEN_INVALID"))
	expectREST(t, refresh(""), 400, fault{codes.InvalidArgument, common, "INVALID_FIELD", "refresh_token"})
}

func TestSignOut(t *testing.T) { harness.Each(t, testSignOut) }

func testSignOut(t *testing.T, s *harness.System) {
	p := s.SignIn(t)
	for range 2 {
		p.Do(t, "POST", "/v1/sessions:signOut", "{}").JSON(t, new(struct{}))
	}
	r := s.Do(t, "POST", "/v1/sessions:refresh", fmt.Sprintf(`{"refreshToken":%q}`, p.RefreshToken))
	expectREST(t, r, 401, fault{codes.Unauthenticated, identity, "SESSION_ENDED", ""})
}

// Anybody can verify the tokens with what is published: here a library that the
// system itself does not use.
func TestTokensVerifyWithPublishedKeys(t *testing.T) {
	s := harness.Shared(t)
	p := s.SignIn(t)
	keys := publishedKeys(t, s)
	token, err := jwt.Parse(p.AccessToken, func(token *jwt.Token) (any, error) {
		id, _ := token.Header["kid"].(string)
		if key := keys[id]; key != nil {
			return key, nil
		}
		return nil, fmt.Errorf("the key %q is not published", id)
	}, jwt.WithValidMethods([]string{"ES256"}), jwt.WithIssuer("fairlead"), jwt.WithAudience("fairlead"), jwt.WithSubject(p.User.Name), jwt.WithExpirationRequired())
	if err != nil {
		t.Fatal(err)
	}
	end, err := token.Claims.GetExpirationTime()
	if err != nil || !end.Time.Equal(p.ExpireTime) {
		t.Errorf("the token ends at %v, the session says %v (%v)", end, p.ExpireTime, err)
	}
}

// publishedKeys reads the JSON Web Key Set, by key id.
func publishedKeys(t *testing.T, s *harness.System) map[string]*ecdsa.PublicKey {
	t.Helper()
	var set struct {
		Keys []struct{ Kty, Crv, Alg, Use, Kid, X, Y, D string }
	}
	s.Do(t, "GET", "/.well-known/jwks.json", "").JSON(t, &set)
	keys := map[string]*ecdsa.PublicKey{}
	for _, k := range set.Keys {
		if k.Kty != "EC" || k.Crv != "P-256" || k.Alg != "ES256" || k.Use != "sig" || k.D != "" {
			t.Errorf("the key is %+v", k)
		}
		x, errX := base64.RawURLEncoding.DecodeString(k.X)
		y, errY := base64.RawURLEncoding.DecodeString(k.Y)
		key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
		if errX != nil || errY != nil || err != nil {
			t.Fatal(errX, errY, err)
		}
		keys[k.Kid] = key
	}
	return keys
}
