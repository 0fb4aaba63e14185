package core_test

import (
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/store/storetest"
	"github.com/fairlead-mesh/fairlead/services/identity/internal/core"
	"github.com/fairlead-mesh/fairlead/services/identity/internal/store"
)

// plain is a Signer that shows the claims.
type plain struct{}

func (plain) Sign(claims any) (string, error) {
	b, err := json.Marshal(claims)
	return string(b), err
}

// later runs a test on SQLite in a bubble, where time passes when it sleeps.
func later(t *testing.T, test func(t *testing.T, i *core.Identity)) {
	url := storetest.SQLite(t)
	synctest.Test(t, func(t *testing.T) {
		db, err := store.Open(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		test(t, core.New(db, plain{}, "issuer", "audience"))
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
}

func signIn(t *testing.T, i *core.Identity) core.Tokens {
	t.Helper()
	tokens, err := i.SignIn(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

const day = 24 * time.Hour

func TestSessionSlides(t *testing.T) {
	later(t, func(t *testing.T, i *core.Identity) {
		token := signIn(t, i).Refresh
		for range 3 {
			time.Sleep(59 * day)
			tokens, err := i.Refresh(t.Context(), token)
			if err != nil {
				t.Fatal(err)
			}
			token = tokens.Refresh
		}
	})
}

func TestSessionEndsWithoutRefresh(t *testing.T) {
	later(t, func(t *testing.T, i *core.Identity) {
		token := signIn(t, i).Refresh
		time.Sleep(60 * day)
		if _, err := i.Refresh(t.Context(), token); !errors.Is(err, core.ErrSessionEnded) {
			t.Errorf("error = %v", err)
		}
	})
}

func TestAskingAgainDoesNotSlide(t *testing.T) {
	later(t, func(t *testing.T, i *core.Identity) {
		first := signIn(t, i).Refresh
		for _, wait := range []time.Duration{0, 30 * day, 29 * day} {
			time.Sleep(wait)
			if _, err := i.Refresh(t.Context(), first); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(day)
		if _, err := i.Refresh(t.Context(), first); !errors.Is(err, core.ErrSessionEnded) {
			t.Errorf("error = %v", err)
		}
	})
}

func TestClaims(t *testing.T) {
	later(t, func(t *testing.T, i *core.Identity) {
		tokens := signIn(t, i)
		var claims map[string]any
		if err := json.Unmarshal([]byte(tokens.Access), &claims); err != nil {
			t.Fatal(err)
		}
		now := float64(time.Now().Unix())
		if claims["iss"] != "issuer" || claims["aud"] != "audience" || claims["sub"] != tokens.User.Name() ||
			claims["iat"] != now || claims["exp"] != now+600 || claims["sid"] == "" || claims["did"] != nil {
			t.Errorf("claims = %v", claims)
		}
	})
}

// TestReuseRacesWithTheOwner has a thief and the owner refresh as fast as they
// can from one stolen token: whatever the order, the session ends.
func TestReuseRacesWithTheOwner(t *testing.T) {
	db, err := store.Open(t.Context(), storetest.SQLite(t))
	if err != nil {
		t.Fatal(err)
	}
	i := core.New(db, plain{}, "issuer", "audience")
	stolen := signIn(t, i).Refresh
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			token := stolen
			for range 10 {
				tokens, err := i.Refresh(t.Context(), token)
				if errors.Is(err, core.ErrTokenReused) || errors.Is(err, core.ErrSessionEnded) {
					return
				}
				if err != nil {
					t.Error(err)
				}
				token = tokens.Refresh
			}
		})
	}
	wg.Wait()
	if _, err := i.Refresh(t.Context(), stolen); !errors.Is(err, core.ErrTokenReused) && !errors.Is(err, core.ErrSessionEnded) {
		t.Errorf("error = %v", err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}
