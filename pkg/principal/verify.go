package principal

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	principalv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/principal/v1"
)

// Verifier reads envelopes. It remembers some thousand of those that it has
// accepted, until they expire, so that a client's next request costs a hash and
// no signature check. It may be used by several goroutines at once.
type Verifier struct {
	source  mtls.Source
	signers []string
	known   cache
}

// NewVerifier returns a Verifier that accepts envelopes signed by one of the
// signers, which are SPIFFE IDs (mtls.ID("edge")), with a certificate issued by
// the roots of source. Without signers it accepts none.
func NewVerifier(source mtls.Source, signers ...string) *Verifier {
	return &Verifier{source: source, signers: signers}
}

// Incoming verifies the envelope in the incoming metadata of ctx and returns a
// context that carries its principal. Without an envelope it returns ctx itself:
// nobody is signed in. An envelope that is refused, or a second one, is a
// *RefusedError.
func (v *Verifier) Incoming(ctx context.Context) (context.Context, error) {
	envelopes := metadata.ValueFromIncomingContext(ctx, MetadataKey)
	if len(envelopes) == 0 {
		return ctx, nil
	}
	if len(envelopes) > 1 {
		return nil, &RefusedError{fmt.Errorf("%d envelopes in one call", len(envelopes))}
	}
	p, err := v.Verify(envelopes[0])
	if err != nil {
		return nil, err
	}
	return NewContext(ctx, p), nil
}

// Verify returns the principal of an envelope as it came in the metadata, or a
// *RefusedError. Other calls share the principal: it must not be changed.
func (v *Verifier) Verify(encoded string) (*principalv1.Principal, error) {
	if len(encoded) > MaxSize {
		return nil, &RefusedError{fmt.Errorf("%d bytes are more than %d", len(encoded), MaxSize)}
	}
	now, key := time.Now(), sha256.Sum256([]byte(encoded))
	if p, ok := v.known.get(key, now); ok {
		return p, nil
	}
	p, end, err := v.open([]byte(encoded), now)
	if err != nil {
		return nil, &RefusedError{err}
	}
	v.known.put(key, p, end)
	return p, nil
}

// open checks an envelope in full. It also returns when it stops being good.
func (v *Verifier) open(encoded []byte, now time.Time) (*principalv1.Principal, time.Time, error) {
	var e principalv1.Envelope
	if err := strict(encoded, &e); err != nil {
		return nil, time.Time{}, err
	}
	leaf, err := v.signer(e.Certificate, now)
	if err != nil {
		return nil, time.Time{}, err
	}
	if !ecdsa.VerifyASN1(p256(leaf), digest(e.Payload), e.Signature) {
		return nil, time.Time{}, errors.New("the signature does not fit")
	}
	// Not strict: an edge that is newer than this service may say more.
	p := new(principalv1.Principal)
	if err := proto.Unmarshal(e.Payload, p); err != nil {
		return nil, time.Time{}, err
	}
	if err := check(p, now); err != nil {
		return nil, time.Time{}, err
	}
	return p, earlier(p.ExpireTime.AsTime().Add(leeway), leaf.NotAfter), nil
}

// strict refuses what Unmarshal would pass over, so that there is one way to
// write an envelope and a changed byte is never ignored.
func strict(encoded []byte, e *principalv1.Envelope) error {
	if err := proto.Unmarshal(encoded, e); err != nil {
		return err
	}
	if len(e.ProtoReflect().GetUnknown()) > 0 || proto.Size(e) != len(encoded) {
		return errors.New("the envelope has more than its three fields")
	}
	return nil
}

// signer returns the certificate if it belongs to a part that may sign.
func (v *Verifier) signer(der []byte, now time.Time) (*x509.Certificate, error) {
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	roots, err := v.source.Roots()
	if err != nil {
		return nil, err
	}
	// What a certificate may be used for is a matter of TLS; here its name decides.
	any := []x509.ExtKeyUsage{x509.ExtKeyUsageAny}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now, KeyUsages: any}); err != nil {
		return nil, err
	}
	// SPIFFE allows one URI only: a second would be somebody else's name as well.
	if len(leaf.URIs) != 1 || !slices.Contains(v.signers, leaf.URIs[0].String()) {
		return nil, fmt.Errorf("%v may not sign principals", leaf.URIs)
	}
	if p256(leaf) == nil {
		return nil, errors.New("the signer has no ECDSA P-256 key")
	}
	return leaf, nil
}

// check refuses a signed principal that says too little or is not good now.
func check(p *principalv1.Principal, now time.Time) error {
	if p.Name == "" || p.Kind == principalv1.Principal_KIND_UNSPECIFIED {
		return errors.New("the principal has no name or no kind")
	}
	if p.IssueTime.CheckValid() != nil || p.ExpireTime.CheckValid() != nil {
		return errors.New("the principal has no times")
	}
	issue, expire := p.IssueTime.AsTime(), p.ExpireTime.AsTime()
	if issue.After(now.Add(leeway)) {
		return fmt.Errorf("issued in the future, at %s", issue)
	}
	if !now.Before(expire.Add(leeway)) {
		return fmt.Errorf("expired at %s", expire)
	}
	if expire.Sub(issue) > Lifetime {
		return fmt.Errorf("good for %s, longer than %s", expire.Sub(issue), Lifetime)
	}
	return nil
}
