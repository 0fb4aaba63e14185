package edge_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// signingKey is the key of the issuer that all tests share.
var signingKey = sync.OnceValue(func() *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
})

// issuer serves the issuer's keys and returns where.
func issuer(t *testing.T) string {
	keys := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: signingKey().Public(), KeyID: "k1", Algorithm: "ES256", Use: "sig"}}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { json.NewEncoder(w).Encode(keys) }))
	t.Cleanup(s.Close)
	return s.URL
}

// claims are those of a good token; tests change them.
func claims() map[string]any {
	now := time.Now()
	return map[string]any{
		"iss": "issuer", "aud": "app", "sub": "users/ada", "sid": "s1", "did": "phone",
		"iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "scope": []string{"cook"},
	}
}

// token signs claims with the issuer's key.
func token(t *testing.T, claims map[string]any) string {
	t.Helper()
	return signed(t, jose.ES256, signingKey(), "k1", claims)
}

func signed(t *testing.T, alg jose.SignatureAlgorithm, key any, id string, claims map[string]any) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: id}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(s).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}
