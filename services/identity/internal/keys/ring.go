// Package keys holds the keys that sign access tokens: P-256 keys in PEM files of
// one folder. All of them are published, the newest signs. A key is rotated by
// adding a file and retired by deleting one, once the tokens that it signed have
// expired; nothing restarts for it.
package keys

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// patience is how long a change in the folder may stay unnoticed. It bounds how
// often the folder is read.
const patience = 10 * time.Second

// Public is a public key in the form of RFC 7517, of type EC and curve P-256.
type Public struct {
	// ID names the key: its thumbprint (RFC 7638).
	ID string
	// X and Y are the coordinates, base64url without padding.
	X, Y string
}

// Ring is the keys in a folder. It may be used by several goroutines at once.
type Ring struct {
	dir string
	log *slog.Logger

	mu   sync.Mutex
	read time.Time
	keys []key // the newest first, at least one
}

// key is one file.
type key struct {
	public Public
	signer jose.Signer
}

// Open reads the keys in a folder. If there are none it makes the folder and a
// first key, for the user alone.
func Open(dir string, log *slog.Logger) (*Ring, error) {
	keys, err := load(dir)
	if err == nil && len(keys) == 0 {
		if err = create(dir, time.Now()); err == nil {
			keys, err = load(dir)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("signing keys: %w", err)
	}
	return &Ring{dir: dir, log: log, read: time.Now(), keys: keys}, nil
}

// Sign returns a JWT that says claims, signed with the newest key.
func (r *Ring) Sign(claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("claims: %w", err)
	}
	signed, err := r.current()[0].signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign claims: %w", err)
	}
	return signed.CompactSerialize()
}

// Public returns the public keys, the one that signs now first.
func (r *Ring) Public() []Public {
	var all []Public
	for _, k := range r.current() {
		all = append(all, k.public)
	}
	return all
}

// current returns the keys, read again if it was a while ago. A folder that
// cannot be read, or is empty, changes nothing: those who are signed in stay so.
func (r *Ring) current() []key {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.read) < patience {
		return r.keys
	}
	r.read = time.Now()
	keys, err := load(r.dir)
	if err != nil || len(keys) == 0 {
		r.log.Error("signing keys cannot be read, going on with the old ones", "dir", r.dir, "error", err)
		return r.keys
	}
	r.keys = keys
	return keys
}
