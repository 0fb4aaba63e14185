package token

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
)

const (
	// keysFresh is how long fetched keys are used before they are fetched again
	// in the background. A key that leaves the set is trusted that much longer.
	keysFresh = 5 * time.Minute
	// keysPause is the least time between two fetches: a flood of tokens with
	// made-up key ids must not become a flood of fetches.
	keysPause = time.Second
	// keysTimeout bounds one fetch.
	keysTimeout = 5 * time.Second
)

// keySet is the issuer's public keys as they were fetched last. A fetch that
// fails leaves the last good keys in place.
type keySet struct {
	fetch func(context.Context) ([]byte, error)
	once  singleflight.Group

	mu      sync.Mutex
	keys    jose.JSONWebKeySet
	fetched time.Time // of the last good fetch
	tried   time.Time // of the last fetch
}

func newKeySet(fetch func(context.Context) ([]byte, error)) *keySet {
	return &keySet{fetch: fetch}
}

// find returns the key with that id. A key that is not known may be new: the
// keys are fetched again, but not too often.
func (s *keySet) find(ctx context.Context, id string) (*jose.JSONWebKey, error) {
	key, age, pause := s.look(id)
	if key != nil {
		if age > keysFresh && pause > keysPause {
			go s.refresh(context.WithoutCancel(ctx)) // the old keys serve meanwhile
		}
		return key, nil
	}
	if pause > keysPause {
		if err := s.refresh(ctx); err != nil {
			return nil, errs.Unavailable(errorsv1.Reason_REASON_UNAVAILABLE, "tokens cannot be verified now; try again").Because(err)
		}
		key, _, _ = s.look(id)
	}
	if key == nil && s.empty() {
		return nil, errs.Unavailable(errorsv1.Reason_REASON_UNAVAILABLE, "tokens cannot be verified now; try again")
	}
	if key == nil {
		return nil, invalid(fmt.Errorf("no key has the id %q", id))
	}
	return key, nil
}

func (s *keySet) look(id string) (key *jose.JSONWebKey, age, pause time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.keys.Key(id); len(found) == 1 {
		key = &found[0]
	}
	return key, time.Since(s.fetched), time.Since(s.tried)
}

func (s *keySet) empty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.keys.Keys) == 0
}

// refresh fetches the keys, once for all that wait, and detached from whoever
// asked first: his going away must not fail the others.
func (s *keySet) refresh(ctx context.Context) error {
	_, err, _ := s.once.Do("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keysTimeout)
		defer cancel()
		return nil, s.load(ctx)
	})
	return err
}

func (s *keySet) load(ctx context.Context) error {
	document, err := s.fetch(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tried = time.Now()
	if err != nil {
		return err
	}
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(document, &keys); err != nil {
		return fmt.Errorf("json web key set: %w", err)
	}
	if len(keys.Keys) == 0 {
		return fmt.Errorf("json web key set: it has no keys")
	}
	s.keys, s.fetched = keys, s.tried
	return nil
}
