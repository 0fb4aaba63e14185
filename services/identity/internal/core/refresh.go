package core

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// A refresh token is a version byte, the session's id, the token's number and a
// MAC of all that with the session's key: 57 bytes, 76 characters. A session
// needs one row for it, not one per refresh, and tokens of other sessions cannot
// be made from what one session's row holds.
const (
	refreshVersion = 1
	refreshBody    = 1 + 16 + 8
	refreshSize    = refreshBody + sha256.Size
)

// Strict, so that there is one way to write a token.
var refreshEncoding = base64.RawURLEncoding.Strict()

// refreshToken is a token that was read, and not yet shown to be genuine.
type refreshToken struct {
	session uuid.UUID
	counter int64
	body    []byte
	mac     []byte
}

// newRefreshToken returns the session's newest token.
func newRefreshToken(s Session) (string, error) {
	id, err := uuid.Parse(s.ID)
	if err != nil {
		return "", fmt.Errorf("session id %q: %w", s.ID, err)
	}
	b := make([]byte, 0, refreshSize)
	b = append(b, refreshVersion)
	b = append(b, id[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(s.Counter))
	return refreshEncoding.EncodeToString(append(b, refreshMAC(s.MACKey, b)...)), nil
}

// parseRefreshToken returns ErrTokenInvalid for what cannot be a token.
func parseRefreshToken(encoded string) (refreshToken, error) {
	b, err := refreshEncoding.DecodeString(encoded)
	if err != nil || len(b) != refreshSize || b[0] != refreshVersion {
		return refreshToken{}, ErrTokenInvalid
	}
	return refreshToken{
		session: uuid.UUID(b[1:17]),
		counter: int64(binary.BigEndian.Uint64(b[17:refreshBody])),
		body:    b[:refreshBody],
		mac:     b[refreshBody:],
	}, nil
}

// genuine returns a token that was issued here, or ErrTokenInvalid. It only
// reads, so that made-up tokens cost no write.
func (i *Identity) genuine(ctx context.Context, encoded string) (refreshToken, error) {
	token, err := parseRefreshToken(encoded)
	if err != nil {
		return refreshToken{}, err
	}
	session, err := i.store.Session(ctx, token.session.String())
	if errors.Is(err, ErrNotFound) {
		return refreshToken{}, ErrTokenInvalid
	}
	if err != nil {
		return refreshToken{}, fmt.Errorf("session of a refresh token: %w", err)
	}
	if !hmac.Equal(token.mac, refreshMAC(session.MACKey, token.body)) {
		return refreshToken{}, ErrTokenInvalid
	}
	return token, nil
}

func refreshMAC(key, body []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(body)
	return h.Sum(nil)
}
