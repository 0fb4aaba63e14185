package principal

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	principalv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/principal/v1"
)

// source is an mtls.Source that always has the same certificate and root.
type source struct {
	leaf  *tls.Certificate
	roots *x509.CertPool
}

func (s source) Certificate() (*tls.Certificate, error) { return s.leaf, nil }
func (s source) Roots() (*x509.CertPool, error)         { return s.roots, nil }

// authority issues certificates for a day around now.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t testing.TB) authority {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, NotAfter: time.Now().Add(24 * time.Hour)}
	return authority{key, create(t, template, template, &key.PublicKey, key)}
}

// issue returns the source of a part whose certificate ends after life.
func (a authority) issue(t testing.TB, id string, life time.Duration) source {
	t.Helper()
	key := newKey(t)
	return a.issueFor(t, &key.PublicKey, key, life, id)
}

func (a authority) issueFor(t testing.TB, public, private any, life time.Duration, ids ...string) source {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(life)}
	for _, id := range ids {
		uri, err := url.Parse(id)
		if err != nil {
			t.Fatal(err)
		}
		template.URIs = append(template.URIs, uri)
	}
	leaf := create(t, template, a.cert, public, a.key)
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	return source{&tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: private, Leaf: leaf}, roots}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func create(t testing.TB, template, parent *x509.Certificate, public, signer any) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func ada() *principalv1.Principal {
	return &principalv1.Principal{
		Name: "users/ada", Kind: principalv1.Principal_KIND_USER,
		Session: "s1", Device: "d1", Scopes: []string{"posts.write"},
	}
}

func sign(t testing.TB, s source, p *principalv1.Principal) string {
	t.Helper()
	encoded, err := NewSigner(s).Sign(p)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

func refused(t testing.TB, v *Verifier, encoded string) error {
	t.Helper()
	p, err := v.Verify(encoded)
	var r *RefusedError
	if !errors.As(err, &r) || p != nil {
		t.Fatalf("Verify = %v, %v; want a RefusedError", p, err)
	}
	if err.Error() != "the principal envelope is refused" {
		t.Errorf("the error says too much: %s", err)
	}
	return errors.Unwrap(err)
}

func TestSignedIsVerified(t *testing.T) {
	ca := newAuthority(t)
	edge := ca.issue(t, mtls.ID("edge"), time.Hour)
	p := ada()
	encoded := sign(t, edge, p)
	if p.IssueTime != nil || p.ExpireTime != nil {
		t.Error("Sign has changed its argument")
	}
	got, err := NewVerifier(edge, mtls.ID("gate"), mtls.ID("edge")).Verify(encoded)
	if err != nil {
		t.Fatal(err)
	}
	if life := got.ExpireTime.AsTime().Sub(got.IssueTime.AsTime()); life != Lifetime {
		t.Errorf("good for %s, want %s", life, Lifetime)
	}
	got = proto.CloneOf(got)
	got.IssueTime, got.ExpireTime = nil, nil
	if !proto.Equal(got, ada()) {
		t.Errorf("got %v, want %v", got, ada())
	}
}

func TestEveryFlippedBitIsRefused(t *testing.T) {
	edge := newAuthority(t).issue(t, mtls.ID("edge"), time.Hour)
	encoded := []byte(sign(t, edge, ada()))
	v := NewVerifier(edge, mtls.ID("edge"))
	for i := range len(encoded) * 8 {
		encoded[i/8] ^= 1 << (i % 8)
		refused(t, v, string(encoded))
		encoded[i/8] ^= 1 << (i % 8)
	}
	if _, err := v.Verify(string(encoded)); err != nil {
		t.Error("the envelope itself:", errors.Unwrap(err))
	}
}

func TestRefused(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	edge := ca.issue(t, mtls.ID("edge"), time.Hour)
	good := sign(t, edge, ada())
	longKey, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]string{
		"nothing":                 "",
		"garbage":                 "garbage",
		"too large":               strings.Repeat("x", MaxSize+1),
		"trailing bytes":          good + "\x20\x01",
		"a repeated field":        good + good,
		"truncated":               good[:len(good)-1],
		"another authority":       sign(t, other.issue(t, mtls.ID("edge"), time.Hour), ada()),
		"a part that may not":     sign(t, ca.issue(t, mtls.ID("social"), time.Hour), ada()),
		"a part with two names":   resign(t, ca.issueFor(t, &edge.key().PublicKey, edge.key(), time.Hour, mtls.ID("edge"), mtls.ID("social")), valid(ada())),
		"a part without a name":   resign(t, ca.issueFor(t, &edge.key().PublicKey, edge.key(), time.Hour), valid(ada())),
		"a key of another curve":  resign(t, ca.issueFor(t, &longKey.PublicKey, longKey, time.Hour, mtls.ID("edge")), valid(ada())),
		"an expired certificate":  resign(t, ca.issue(t, mtls.ID("edge"), -time.Minute), valid(ada())),
		"no kind":                 resign(t, edge, valid(&principalv1.Principal{Name: "users/ada"})),
		"no name":                 resign(t, edge, valid(&principalv1.Principal{Kind: principalv1.Principal_KIND_USER})),
		"no times":                resign(t, edge, ada()),
		"good for too long":       resign(t, edge, between(ada(), 0, Lifetime+time.Second)),
		"expired":                 resign(t, edge, between(ada(), -time.Minute, -leeway-time.Second)),
		"issued in the future":    resign(t, edge, between(ada(), leeway+time.Minute, leeway+2*time.Minute)),
		"signed without a domain": signedPlainly(t, edge),
	}
	for name, encoded := range cases {
		t.Run(name, func(t *testing.T) {
			if cause := refused(t, NewVerifier(edge, mtls.ID("edge")), encoded); cause == nil {
				t.Error("nothing for the log")
			}
		})
	}
	refused(t, NewVerifier(edge), good)
}

func (s source) key() *ecdsa.PrivateKey { return s.leaf.PrivateKey.(*ecdsa.PrivateKey) }

// resign makes an envelope of exactly p, as a signer with other rules would.
func resign(t testing.TB, s source, p *principalv1.Principal) string {
	t.Helper()
	payload, err := proto.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return envelope(t, s, payload, digest(payload))
}

func signedPlainly(t testing.TB, s source) string {
	t.Helper()
	payload, err := proto.Marshal(valid(ada()))
	if err != nil {
		t.Fatal(err)
	}
	return envelope(t, s, payload, digest(payload[:0]))
}

func envelope(t testing.TB, s source, payload, digest []byte) string {
	t.Helper()
	signature, err := ecdsa.SignASN1(rand.Reader, s.key(), digest)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := proto.Marshal(&principalv1.Envelope{Payload: payload, Signature: signature, Certificate: s.leaf.Certificate[0]})
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}

func valid(p *principalv1.Principal) *principalv1.Principal { return between(p, 0, time.Minute) }

func between(p *principalv1.Principal, issue, expire time.Duration) *principalv1.Principal {
	p.IssueTime = timestamppb.New(time.Now().Add(issue))
	p.ExpireTime = timestamppb.New(time.Now().Add(expire))
	return p
}

func TestTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		edge := newAuthority(t).issue(t, mtls.ID("edge"), time.Hour)
		v := NewVerifier(edge, mtls.ID("edge"))
		p := ada()
		p.ExpireTime = timestamppb.New(time.Now().Add(time.Minute))
		short, long := sign(t, edge, p), sign(t, edge, ada())
		verified := func(encoded string, want bool) {
			t.Helper()
			for range 2 { // the second time from memory
				if _, err := v.Verify(encoded); (err == nil) != want {
					t.Errorf("after a while: %v, want it verified: %t", errors.Unwrap(err), want)
				}
			}
		}
		verified(short, true)
		time.Sleep(time.Minute + leeway - time.Second)
		verified(short, true)
		time.Sleep(time.Second)
		verified(short, false)
		verified(long, true)
		time.Sleep(Lifetime)
		verified(long, false)
	})
}

func TestSignEndsWithTheCertificate(t *testing.T) {
	edge := newAuthority(t).issue(t, mtls.ID("edge"), time.Minute)
	got, err := NewVerifier(edge, mtls.ID("edge")).Verify(sign(t, edge, ada()))
	if err != nil {
		t.Fatal(err)
	}
	if end := got.ExpireTime.AsTime(); !end.Equal(edge.leaf.Leaf.NotAfter) {
		t.Errorf("good until %s, want %s", end, edge.leaf.Leaf.NotAfter)
	}
}

func TestSignRefuses(t *testing.T) {
	ca := newAuthority(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	past, wordy := ada(), ada()
	past.ExpireTime = timestamppb.New(time.Now().Add(-time.Second))
	wordy.Scopes = []string{strings.Repeat("x", MaxSize)}
	edge := ca.issue(t, mtls.ID("edge"), time.Hour)
	cases := map[string]struct {
		source    source
		principal *principalv1.Principal
	}{
		"nobody":             {edge, nil},
		"no kind":            {edge, &principalv1.Principal{Name: "users/ada"}},
		"expired":            {edge, past},
		"too large":          {edge, wordy},
		"a certificate gone": {ca.issue(t, mtls.ID("edge"), -time.Second), ada()},
		"an RSA key":         {ca.issueFor(t, &rsaKey.PublicKey, rsaKey, time.Hour, mtls.ID("edge")), ada()},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := NewSigner(c.source).Sign(c.principal); err == nil {
				t.Error("signed")
			}
		})
	}
}

func TestIncoming(t *testing.T) {
	edge := newAuthority(t).issue(t, mtls.ID("edge"), time.Hour)
	v := NewVerifier(edge, mtls.ID("edge"))
	call := func(envelopes ...string) (context.Context, error) {
		return v.Incoming(metadata.NewIncomingContext(t.Context(), metadata.MD{MetadataKey: envelopes}))
	}
	good := sign(t, edge, ada())
	ctx, err := call(good)
	if err != nil {
		t.Fatal(err)
	}
	if p, ok := FromContext(ctx); !ok || p.Name != "users/ada" {
		t.Errorf("FromContext = %v, %t", p, ok)
	}
	ctx, err = call()
	if err != nil {
		t.Fatal(err)
	}
	if p, ok := FromContext(ctx); ok {
		t.Errorf("without an envelope: %v", p)
	}
	for _, bad := range [][]string{{good, good}, {""}, {"x"}} {
		if _, err := call(bad...); err == nil {
			t.Errorf("%d envelopes: no error", len(bad))
		}
	}
}

func TestForward(t *testing.T) {
	incoming := metadata.NewIncomingContext(t.Context(), metadata.Pairs(MetadataKey, "came", "authorization", "secret"))
	cases := map[string]struct {
		ctx  context.Context
		want string
	}{
		"as it came":      {incoming, "[came]"},
		"beside others":   {metadata.AppendToOutgoingContext(incoming, "a", "b"), "[came]"},
		"not over an own": {metadata.AppendToOutgoingContext(incoming, MetadataKey, "own"), "[own]"},
		"nobody":          {t.Context(), "[]"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			out, _ := metadata.FromOutgoingContext(Forward(c.ctx))
			if got := fmt.Sprint(out.Get(MetadataKey)); got != c.want {
				t.Errorf("forwarded %s, want %s", got, c.want)
			}
			if len(out.Get("authorization")) > 0 {
				t.Error("forwarded more than the envelope")
			}
		})
	}
}
