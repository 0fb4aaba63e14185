package token

import (
	"crypto/sha256"
	"sync"
	"time"

	principalv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/principal/v1"
)

// maxKnown bounds how many verified tokens are remembered: about 20 MB.
const maxKnown = 16_384

// envelopeLife is how long a signed envelope is sent again; it is valid longer
// (see package principal), so that a call can take its time.
const envelopeLife = 2 * time.Minute

// memory remembers tokens that were verified: a check of a signature and the
// signing of an envelope cost more than all the rest of a call. Tokens are kept
// as their hash only.
type memory struct {
	mu      sync.Mutex
	entries map[[sha256.Size]byte]*entry
}

type entry struct {
	who      *principalv1.Principal
	envelope string
	until    time.Time // of the token
	made     time.Time
}

func newMemory() *memory {
	return &memory{entries: make(map[[sha256.Size]byte]*entry)}
}

// get returns what was put for that token, or nil when it has expired or its
// envelope is too old to be sent again.
func (m *memory) get(token string, now time.Time) *entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[sha256.Sum256([]byte(token))]
	if e == nil || !now.Before(e.until) || now.Sub(e.made) > envelopeLife {
		return nil
	}
	return e
}

// put remembers a token. When there is no room, arbitrary others are forgotten:
// they are verified again.
func (m *memory) put(token string, e *entry, now time.Time) {
	e.made = now
	m.mu.Lock()
	defer m.mu.Unlock()
	for k := range m.entries {
		if len(m.entries) < maxKnown {
			break
		}
		delete(m.entries, k)
	}
	m.entries[sha256.Sum256([]byte(token))] = e
}
