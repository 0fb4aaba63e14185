package principal

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	principalv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/principal/v1"
)

// Signer makes envelopes with the certificate of the part that it runs in. It
// may be used by several goroutines at once.
type Signer struct {
	source mtls.Source
}

// NewSigner returns a Signer that signs with the certificate of source, which
// must have a P-256 key and be issued by one of the roots directly: an envelope
// has no room for intermediates.
func NewSigner(source mtls.Source) *Signer {
	return &Signer{source: source}
}

// Sign returns the envelope of p as a value for MetadataKey. It is good from now
// on for Lifetime, or until p.ExpireTime or the certificate's end if that comes
// first. p itself is left alone. A principal without name or kind, or one that
// has expired, is an error.
func (s *Signer) Sign(p *principalv1.Principal) (string, error) {
	certificate, err := s.source.Certificate()
	if err != nil {
		return "", fmt.Errorf("certificate to sign a principal: %w", err)
	}
	key, leaf, err := signingKey(certificate)
	if err != nil {
		return "", err
	}
	payload, err := payload(p, time.Now(), leaf.NotAfter)
	if err != nil {
		return "", err
	}
	signature, err := key.Sign(rand.Reader, digest(payload), crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("sign a principal: %w", err)
	}
	return encode(&principalv1.Envelope{Payload: payload, Signature: signature, Certificate: leaf.Raw})
}

// payload serializes p with its times set.
func payload(p *principalv1.Principal, now, end time.Time) ([]byte, error) {
	if p.GetName() == "" || p.GetKind() == principalv1.Principal_KIND_UNSPECIFIED {
		return nil, errors.New("a principal needs a name and a kind")
	}
	expire := earlier(now.Add(Lifetime), end)
	if p.ExpireTime != nil {
		expire = earlier(expire, p.ExpireTime.AsTime())
	}
	if !expire.After(now) {
		return nil, fmt.Errorf("principal %s expired at %s", p.Name, expire.UTC().Format(time.RFC3339))
	}
	signed := proto.CloneOf(p)
	signed.IssueTime = timestamppb.New(now)
	signed.ExpireTime = timestamppb.New(expire)
	return proto.Marshal(signed)
}

func encode(e *principalv1.Envelope) (string, error) {
	b, err := proto.Marshal(e)
	if err != nil {
		return "", fmt.Errorf("encode a principal: %w", err)
	}
	if len(b) > MaxSize {
		return "", fmt.Errorf("the principal envelope has %d bytes, more than %d", len(b), MaxSize)
	}
	return string(b), nil
}

func signingKey(c *tls.Certificate) (crypto.Signer, *x509.Certificate, error) {
	leaf := c.Leaf
	if leaf == nil {
		var err error
		if leaf, err = x509.ParseCertificate(c.Certificate[0]); err != nil {
			return nil, nil, fmt.Errorf("certificate to sign a principal: %w", err)
		}
	}
	key, ok := c.PrivateKey.(crypto.Signer)
	if !ok || p256(leaf) == nil {
		return nil, nil, errors.New("a principal can only be signed with an ECDSA P-256 certificate")
	}
	return key, leaf, nil
}

// p256 returns the certificate's public key, or nil if it is of another type.
func p256(c *x509.Certificate) *ecdsa.PublicKey {
	key, ok := c.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil
	}
	return key
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
