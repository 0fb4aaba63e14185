// Package principal carries who is calling from the edge to the services: an
// envelope that the edge signs with its certificate's key, after it has verified
// an access token, and that every service verifies and forwards unchanged. The
// token itself never leaves the edge. The package does not decide what a
// principal may do.
package principal

import (
	"context"
	"crypto/sha256"
	"time"

	principalv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/principal/v1"
)

// MetadataKey is the gRPC metadata key in which an envelope travels. Clients
// must not send it: each door of the edge takes it off.
const MetadataKey = "x-fairlead-principal-bin"

// MaxSize is the size in bytes of the largest envelope that is made or read. A
// P-256 certificate takes about 600 of them, one of an RSA authority 1500.
const MaxSize = 8 << 10

// Lifetime is how long an envelope is good, unless its principal expires before.
// It covers one request and what the request sets off, not a session.
const Lifetime = 5 * time.Minute

// leeway is how far the clocks of two parts may be apart.
const leeway = 10 * time.Second

// domain goes before the payload, so that no other thing that the key signs (a
// TLS handshake, for one) can pass for an envelope.
const domain = "fairlead-principal-v1\n"

// digest is what the signature is made over.
func digest(payload []byte) []byte {
	h := sha256.New()
	h.Write([]byte(domain))
	h.Write(payload)
	return h.Sum(nil)
}

type contextKey struct{}

// NewContext returns a copy of ctx that carries p, which must have been verified
// and must not be changed any more.
func NewContext(ctx context.Context, p *principalv1.Principal) context.Context {
	return context.WithValue(ctx, contextKey{}, p)
}

// FromContext returns the verified principal that ctx carries, and false when
// nobody is signed in. Other calls may share it: it must not be changed.
func FromContext(ctx context.Context) (*principalv1.Principal, bool) {
	p, ok := ctx.Value(contextKey{}).(*principalv1.Principal)
	return p, ok
}

// RefusedError is what a Verifier returns for every envelope that it does not
// accept. Its text never says why, since the text may reach whoever made the
// envelope; Unwrap gives the reason for the log.
type RefusedError struct {
	cause error
}

// Error implements error. It is the same sentence for all causes.
func (*RefusedError) Error() string { return "the principal envelope is refused" }

// Unwrap returns why the envelope was refused.
func (e *RefusedError) Unwrap() error { return e.cause }
