// Package token verifies access tokens at the edge, offline: the keys are
// fetched now and then, tokens are checked here, and nobody is asked for each
// call. What it returns is the principal, and the signed envelope by which the
// services know it; the token itself goes no further.
package token

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
	principalv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/principal/v1"
)

// leeway is how far the issuer's clock may be ahead of the edge's. The end of a
// token is the end: an envelope cannot outlive it.
const leeway = 30 * time.Second

// Signer signs what the edge knows of a caller, for the services.
type Signer interface {
	Sign(*principalv1.Principal) (string, error)
}

// Options say which tokens are good.
type Options struct {
	// Issuer and Audience must be those of the token.
	Issuer, Audience string
	// Keys fetches the issuer's JSON Web Key Set.
	Keys func(context.Context) ([]byte, error)
	// Signer signs the envelopes.
	Signer Signer
}

// Verifier verifies tokens. It may be used by several goroutines at once.
type Verifier struct {
	options Options
	keys    *keySet
	known   *memory
}

// NewVerifier makes a Verifier. It fetches no keys before it needs one.
func NewVerifier(o Options) *Verifier {
	return &Verifier{options: o, keys: newKeySet(o.Keys), known: newMemory()}
}

// claims are those that the edge reads; the rest is the issuer's business.
type claims struct {
	jwt.Claims
	Session string `json:"sid"`
	Device  string `json:"did"`
	Scopes  scopes `json:"scope"`
}

// scopes are a text with spaces between them (RFC 9068), or a list, as some
// issuers write them.
type scopes []string

// UnmarshalJSON implements json.Unmarshaler.
func (s *scopes) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) == nil {
		*s = strings.Fields(text)
		return nil
	}
	return json.Unmarshal(b, (*[]string)(s))
}

// Verify returns who the token names and an envelope that says so. The error is
// an *errs.Error: a token that was good once is told from one that never was,
// since the app answers differently. Nothing else about the token is told.
func (v *Verifier) Verify(ctx context.Context, token string) (*principalv1.Principal, string, error) {
	now := time.Now()
	if e := v.known.get(token, now); e != nil {
		return e.who, e.envelope, nil
	}
	c, err := v.check(ctx, token, now)
	if err != nil {
		return nil, "", err
	}
	who := &principalv1.Principal{
		Name: c.Subject, Kind: principalv1.Principal_KIND_USER, Session: c.Session, Device: c.Device, Scopes: c.Scopes,
		ExpireTime: timestamppb.New(c.Expiry.Time()),
	}
	envelope, err := v.options.Signer.Sign(who)
	if err != nil {
		return nil, "", errs.Internal(errorsv1.Reason_REASON_INTERNAL, "internal error").Because(err)
	}
	v.known.put(token, &entry{who: who, envelope: envelope, until: c.Expiry.Time()}, now)
	return who, envelope, nil
}

func invalid(cause error) error {
	return errs.Unauthenticated(errorsv1.Reason_REASON_TOKEN_INVALID, "the access token is not valid here; sign in again").Because(cause)
}

// check verifies signature and claims. Only ES256 is looked at, so that a token
// cannot choose a weaker way, nor "none".
func (v *Verifier) check(ctx context.Context, token string, now time.Time) (*claims, error) {
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return nil, invalid(err)
	}
	key, err := v.keys.find(ctx, parsed.Headers[0].KeyID)
	if err != nil {
		return nil, err
	}
	c := new(claims)
	if err := parsed.Claims(key, c); err != nil {
		return nil, invalid(err)
	}
	if c.Subject == "" || c.Expiry == nil {
		return nil, invalid(errors.New("the token has no subject or no expiry"))
	}
	err = c.ValidateWithLeeway(jwt.Expected{Issuer: v.options.Issuer, AnyAudience: jwt.Audience{v.options.Audience}, Time: now}, leeway)
	if errors.Is(err, jwt.ErrExpired) || err == nil && !now.Before(c.Expiry.Time()) {
		return nil, errs.Unauthenticated(errorsv1.Reason_REASON_TOKEN_EXPIRED, "the access token has expired; refresh it")
	}
	if err != nil {
		return nil, invalid(err)
	}
	return c, nil
}
