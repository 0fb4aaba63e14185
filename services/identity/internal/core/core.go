// Package core holds the rules of identity: how accounts are made, how sessions
// start, go on and end, and what the tokens say. It knows nothing of gRPC or SQL.
package core

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// sessionLifetime is how long a session lasts after its last refresh.
const sessionLifetime = 60 * 24 * time.Hour

// The errors that a caller can do something about. All others are ours.
var (
	ErrNotFound     = errors.New("not found")
	ErrTokenInvalid = errors.New("the refresh token was not issued here")
	ErrTokenReused  = errors.New("the refresh token was used again after its successor")
	ErrSessionEnded = errors.New("the session has ended")
)

// User is an account.
type User struct {
	ID         string
	CreateTime time.Time
}

// Name returns the resource name, "users/" and the id.
func (u User) Name() string { return "users/" + u.ID }

// Session is what a user has between signing in and signing out, on one device.
type Session struct {
	ID   string
	User User
	// Device is the id of the device, empty when it is not known.
	Device string
	// MACKey authenticates the session's refresh tokens.
	MACKey []byte
	// Counter is the number of the newest refresh token.
	Counter    int64
	CreateTime time.Time
	ExpireTime time.Time
	Ended      bool
}

// Tokens is what a signed-in app holds.
type Tokens struct {
	User    User
	Access  string
	Refresh string
	// ExpireTime is when the access token expires.
	ExpireTime time.Time
}

// Store keeps accounts and sessions. Its methods may be used by several
// goroutines at once, in several processes, and each is atomic.
type Store interface {
	// SignIn starts the session, for the account that has the install hash or
	// else for session.User, which is made with it. It returns the account. A nil
	// hash belongs to no account.
	SignIn(ctx context.Context, installHash []byte, session Session) (User, error)
	// Session returns a session, also one that has ended, or ErrNotFound.
	Session(ctx context.Context, id string) (Session, error)
	// Advance moves the counter of a session to counter, and its expiry with it,
	// unless it is there or further already, or the session is over now. It
	// returns the session as it is then, or ErrNotFound.
	Advance(ctx context.Context, id string, counter int64, now, expire time.Time) (Session, error)
	// End ends a session of the user's. It does nothing when there is no such
	// session or it has ended.
	End(ctx context.Context, user, session string, now time.Time) error
	// User returns an account or ErrNotFound.
	User(ctx context.Context, id string) (User, error)
	// Users returns those of the accounts that exist, by id.
	Users(ctx context.Context, ids []string) (map[string]User, error)
}

// Signer signs the claims of access tokens: it returns a JWT.
type Signer interface {
	Sign(claims any) (string, error)
}

// Identity applies the rules. It may be used by several goroutines at once.
type Identity struct {
	store            Store
	signer           Signer
	issuer, audience string
}

// New returns an Identity whose access tokens are issued by issuer for audience.
func New(store Store, signer Signer, issuer, audience string) *Identity {
	return &Identity{store: store, signer: signer, issuer: issuer, audience: audience}
}

// SignIn starts a session. Without a secret it makes a new account; with one it
// finds the account that was made with it, or makes it. Several first calls with
// one secret at the same time give one account.
func (i *Identity) SignIn(ctx context.Context, installSecret []byte) (Tokens, error) {
	now := time.Now()
	var hash []byte
	if len(installSecret) > 0 {
		// A fast hash is enough: the secret is at least 128 random bits, and
		// nobody guesses those, however fast. It is not a password.
		sum := sha256.Sum256(installSecret)
		hash = sum[:]
	}
	session := Session{
		ID: uuid.Must(uuid.NewV7()).String(), Device: device(hash), MACKey: newKey(), Counter: 1,
		User:       User{ID: uuid.Must(uuid.NewV7()).String(), CreateTime: now},
		CreateTime: now, ExpireTime: now.Add(sessionLifetime),
	}
	user, err := i.store.SignIn(ctx, hash, session)
	if err != nil {
		return Tokens{}, fmt.Errorf("sign in: %w", err)
	}
	session.User = user
	return i.tokens(session, now)
}

// Refresh trades a refresh token for new tokens. The one before the newest is
// answered with the newest, since its answer may have been lost; an older one
// ends the session with ErrTokenReused. Several calls with one token at the same
// time get the same successor.
func (i *Identity) Refresh(ctx context.Context, encoded string) (Tokens, error) {
	token, err := i.genuine(ctx, encoded)
	if err != nil {
		return Tokens{}, err
	}
	now := time.Now()
	session, err := i.store.Advance(ctx, token.session.String(), token.counter+1, now, now.Add(sessionLifetime))
	if errors.Is(err, ErrNotFound) {
		return Tokens{}, ErrSessionEnded
	}
	if err != nil {
		return Tokens{}, fmt.Errorf("refresh: %w", err)
	}
	if session.Ended || !now.Before(session.ExpireTime) {
		return Tokens{}, ErrSessionEnded
	}
	if session.Counter > token.counter+1 {
		return Tokens{}, i.reused(ctx, session, now)
	}
	return i.tokens(session, now)
}

// reused ends a session that two people use, one of them a thief.
func (i *Identity) reused(ctx context.Context, s Session, now time.Time) error {
	if err := i.store.End(ctx, s.User.ID, s.ID, now); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return ErrTokenReused
}

// SignOut ends a session of the user's. Ending it twice is not an error.
func (i *Identity) SignOut(ctx context.Context, user, session string) error {
	if err := i.store.End(ctx, user, session, time.Now()); err != nil {
		return fmt.Errorf("sign out: %w", err)
	}
	return nil
}

// User returns an account or ErrNotFound.
func (i *Identity) User(ctx context.Context, id string) (User, error) {
	user, err := i.store.User(ctx, id)
	if err != nil {
		return User{}, fmt.Errorf("user %s: %w", id, err)
	}
	return user, nil
}

// Users returns those of the accounts that exist, each once, in the order of ids.
func (i *Identity) Users(ctx context.Context, ids []string) ([]User, error) {
	found, err := i.store.Users(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("look up users: %w", err)
	}
	var users []User
	for _, id := range ids {
		if user, ok := found[id]; ok {
			users = append(users, user)
			delete(found, id)
		}
	}
	return users, nil
}

// device returns the id that tokens show for the device with an install hash. It
// is a hash of that hash, so that a token does not say what the database holds.
func device(installHash []byte) string {
	if installHash == nil {
		return ""
	}
	sum := sha256.Sum256(append([]byte("fairlead-device-v1\n"), installHash...))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

func newKey() []byte {
	key := make([]byte, sha256.Size)
	rand.Read(key) // never fails: it stops the program instead
	return key
}
