package identity_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	identityv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/identity/v1"
)

type claims struct {
	jwt.RegisteredClaims
	Session string `json:"sid"`
	Device  string `json:"did"`
}

// verify reads an access token with another library than the one that made it,
// and with nothing but the published keys.
func (w *world) verify(t *testing.T, token string) claims {
	t.Helper()
	var c claims
	_, err := jwt.ParseWithClaims(token, &c, func(token *jwt.Token) (any, error) {
		return w.published(t)[token.Header["kid"].(string)], nil
	}, jwt.WithValidMethods([]string{"ES256"}), jwt.WithIssuer("fairlead"), jwt.WithAudience("fairlead"),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// published returns the key set by key id.
func (w *world) published(t *testing.T) map[string]*ecdsa.PublicKey {
	t.Helper()
	set, err := w.GetJsonWebKeySet(t.Context(), &identityv1.GetJsonWebKeySetRequest{})
	if err != nil {
		t.Fatal(err)
	}
	keys := make(map[string]*ecdsa.PublicKey)
	for _, k := range set.GetKeys() {
		if k.GetKty() != "EC" || k.GetCrv() != "P-256" || k.GetAlg() != "ES256" || k.GetUse() != "sig" {
			t.Errorf("published key %v", k)
		}
		keys[k.GetKid()] = point(t, k.GetX(), k.GetY())
	}
	return keys
}

func point(t *testing.T, x, y string) *ecdsa.PublicKey {
	t.Helper()
	uncompressed := []byte{4}
	for _, coordinate := range []string{x, y} {
		b, err := base64.RawURLEncoding.DecodeString(coordinate)
		if err != nil || len(b) != 32 {
			t.Fatalf("coordinate %q: %d bytes, %v", coordinate, len(b), err)
		}
		uncompressed = append(uncompressed, b...)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), uncompressed)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestAccessToken(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		in := w.signIn(t, "0123456789abcdef")
		c := w.verify(t, in.GetAccessToken())
		if c.Subject != in.GetUser().GetName() || c.Session == "" || c.Device == "" {
			t.Errorf("claims = %+v", c)
		}
		if life := c.ExpiresAt.Sub(c.IssuedAt.Time); life != 10*time.Minute {
			t.Errorf("good for %s", life)
		}
		if !c.ExpiresAt.Equal(in.GetExpireTime().AsTime()) {
			t.Errorf("exp = %s, expire_time = %s", c.ExpiresAt, in.GetExpireTime().AsTime())
		}
		token, _, err := jwt.NewParser().ParseUnverified(in.GetAccessToken(), jwt.MapClaims{})
		if err != nil || token.Header["typ"] != "at+jwt" {
			t.Errorf("header = %v, %v", token.Header, err)
		}
	})
}

func TestDeviceIsKnownByTheInstallSecret(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		device := func(secret string) string { return w.verify(t, w.signIn(t, secret).GetAccessToken()).Device }
		if a, again, b := device("0123456789abcdef"), device("0123456789abcdef"), device("0123456789abcdeg"); a != again || a == b || a == "" {
			t.Errorf("devices %q, %q and %q", a, again, b)
		}
		if d := device(""); d != "" {
			t.Errorf("device %q without a secret", d)
		}
		in := w.signIn(t, "0123456789abcdef")
		refreshed := w.verify(t, w.refresh(t, in.GetRefreshToken()).GetAccessToken())
		if want := w.verify(t, in.GetAccessToken()); refreshed.Device != want.Device || refreshed.Session != want.Session {
			t.Errorf("after a refresh: %+v, want %+v", refreshed, want)
		}
	})
}
