package e2e_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"google.golang.org/grpc/codes"

	"github.com/fairlead-mesh/fairlead/test/harness"
)

// signingKey reads the key with which a system signs its tokens.
func signingKey(t *testing.T, s *harness.System) *ecdsa.PrivateKey {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.Dir, "identity", "keys", "*.pem"))
	if err != nil || len(files) != 1 {
		t.Fatalf("the signing keys are %v: %v", files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatalf("%s is not PEM", files[0])
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*ecdsa.PrivateKey)
}

// forge signs the claims of a good token, after change, in a way that may be
// another than the issuer's.
func forge(t *testing.T, good string, method jwt.SigningMethod, key any, change map[string]any) string {
	t.Helper()
	parsed, _, err := jwt.NewParser().ParseUnverified(good, jwt.MapClaims{})
	if err != nil {
		t.Fatal(err)
	}
	claims := parsed.Claims.(jwt.MapClaims)
	maps.Copy(claims, change)
	token := jwt.NewWithClaims(method, claims)
	token.Header["kid"], token.Header["typ"] = parsed.Header["kid"], parsed.Header["typ"]
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestBadTokens(t *testing.T) {
	s := harness.Shared(t)
	p := s.SignIn(t)
	key := signingKey(t, s)
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	signed := func(claim string, value any) string {
		return "Bearer " + forge(t, p.AccessToken, jwt.SigningMethodES256, key, map[string]any{claim: value})
	}
	parts := strings.Split(p.AccessToken, ".")
	ago := func(d time.Duration) int64 { return time.Now().Add(-d).Unix() }
	none := jwt.UnsafeAllowNoneSignatureType
	const invalid, expired, missing = "TOKEN_INVALID", "TOKEN_EXPIRED", "TOKEN_MISSING"
	for name, c := range map[string]struct{ header, reason string }{
		"none at all":                  {"", missing},
		"garbage":                      {"Bearer abc", invalid},
		"garbage of three parts":       {"Bearer a.b.c", invalid},
		"another scheme":               {"Basic YTpi", invalid},
		"no scheme":                    {p.AccessToken, invalid},
		"refresh token":                {"Bearer " + p.RefreshToken, invalid},
		"expired":                      {signed("exp", ago(time.Second)), expired},
		"expired long ago":             {signed("exp", ago(time.Hour)), expired},
		"without an end":               {signed("exp", nil), invalid},
		"not yet":                      {signed("nbf", ago(-time.Hour)), invalid},
		"wrong audience":               {signed("aud", "another"), invalid},
		"wrong issuer":                 {signed("iss", "another"), invalid},
		"without a subject":            {signed("sub", ""), invalid},
		"alg none":                     {"Bearer " + forge(t, p.AccessToken, jwt.SigningMethodNone, none, nil), invalid},
		"alg none, signature kept":     {"Bearer " + forge(t, p.AccessToken, jwt.SigningMethodNone, none, nil) + parts[2], invalid},
		"no signature":                 {"Bearer " + parts[0] + "." + parts[1] + ".", invalid},
		"signature of another token":   {"Bearer " + parts[0] + "." + parts[1] + "." + strings.Split(s.SignIn(t).AccessToken, ".")[2], invalid},
		"public key as shared secret":  {"Bearer " + forge(t, p.AccessToken, jwt.SigningMethodHS256, public, nil), invalid},
		"signed by somebody else":      {"Bearer " + forge(t, p.AccessToken, jwt.SigningMethodES256, stranger, nil), invalid},
		"claims of another, same sign": {"Bearer " + parts[0] + "." + strings.Split(s.SignIn(t).AccessToken, ".")[1] + "." + parts[2], invalid},
	} {
		t.Run(name, func(t *testing.T) {
			var headers []string
			if c.header != "" {
				headers = []string{"Authorization: " + c.header}
			}
			r := s.Do(t, "GET", "/v1/users/me", "", headers...)
			expectREST(t, r, 401, fault{codes.Unauthenticated, common, c.reason, ""})
			if r.Header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("WWW-Authenticate is %q", r.Header.Get("WWW-Authenticate"))
			}
		})
	}
	t.Run("two tokens", func(t *testing.T) {
		r := p.Do(t, "GET", "/v1/users/me", "", "Authorization: Bearer abc")
		expectREST(t, r, 401, fault{codes.Unauthenticated, common, invalid, ""})
	})
	t.Run("forged like this a good one passes", func(t *testing.T) {
		for _, header := range []string{signed("exp", ago(-time.Minute)), strings.Replace(signed("exp", ago(-time.Minute)), "Bearer", "bearer", 1)} {
			if r := s.Do(t, "GET", "/v1/users/me", "", "Authorization: "+header); r.Status != 200 {
				t.Errorf("%d %s", r.Status, r.Body)
			}
		}
	})
	t.Run("expired, for a method that asks for none", func(t *testing.T) {
		if r := s.Do(t, "POST", signIn, "{}", "Authorization: "+signed("exp", ago(time.Hour))); r.Status != 200 {
			t.Errorf("%d %s", r.Status, r.Body)
		}
	})
}
