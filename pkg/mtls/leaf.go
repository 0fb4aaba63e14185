package mtls

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const leafLife = 24 * time.Hour

// Leaf is the certificate of one part, made by an Authority. It is a Source.
type Leaf struct {
	authority *Authority
	part      string

	mu      sync.Mutex
	current *tls.Certificate
}

// Part returns the certificate of a part. It is made when it is asked for, and
// made again when two thirds of its 24 hours are over; no timer does that, since
// those stand still while a laptop sleeps.
func (a *Authority) Part(name string) *Leaf {
	return &Leaf{authority: a, part: name}
}

// Certificate implements Source.
func (l *Leaf) Certificate() (*tls.Certificate, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current != nil && fresh(l.current.Leaf) {
		return l.current, nil
	}
	cert, err := l.make()
	if err != nil {
		return nil, fmt.Errorf("certificate of part %q: %w", l.part, err)
	}
	l.current = cert
	return cert, nil
}

// fresh says whether a certificate is in the first two thirds of its life. A clock
// that was set back may stand before them.
func fresh(cert *x509.Certificate) bool {
	now := time.Now()
	return !now.Before(cert.NotBefore) && now.Before(cert.NotAfter.Add(-leafLife/3))
}

// Roots implements Source.
func (l *Leaf) Roots() (*x509.CertPool, error) { return l.authority.roots, nil }

func (l *Leaf) make() (*tls.Certificate, error) {
	if !partName.MatchString(l.part) {
		return nil, fmt.Errorf("the name must match %s", partName)
	}
	key, err := l.key()
	if err != nil {
		return nil, err
	}
	a := l.authority
	if err := checkTime("the certificate authority", a.cert, "make a new one"); err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, l.template(), a.cert, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}

// key is kept as long as the process runs, so that a program which reads the
// files of KeepFiles never sees a new certificate beside an old key.
func (l *Leaf) key() (*ecdsa.PrivateKey, error) {
	if l.current != nil {
		return l.current.PrivateKey.(*ecdsa.PrivateKey), nil
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

// template has the names of this machine beside the SPIFFE ID, for programs that
// know nothing else, as etcd's own client.
func (l *Leaf) template() *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: l.part},
		NotBefore:    now.Add(-backdate),
		NotAfter:     now.Add(leafLife),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		URIs:         []*url.URL{{Scheme: "spiffe", Host: TrustDomain, Path: "/" + l.part}},
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
}

// WriteFiles writes cert.pem, key.pem and ca.pem into a folder, for programs that
// read files. It writes what holds now; see KeepFiles.
func (l *Leaf) WriteFiles(dir string) error {
	cert, err := l.Certificate()
	if err != nil {
		return err
	}
	return l.write(dir, cert)
}

// KeepFiles is WriteFiles each time that the certificate is renewed, until ctx
// ends. It returns the first error.
func (l *Leaf) KeepFiles(ctx context.Context, dir string) error {
	tick := time.NewTicker(time.Minute) // soon after a laptop wakes up
	defer tick.Stop()
	var written *tls.Certificate
	for {
		cert, err := l.Certificate()
		if err != nil {
			return err
		}
		if cert != written {
			if err := l.write(dir, cert); err != nil {
				return err
			}
			written = cert
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (l *Leaf) write(dir string, cert *tls.Certificate) error {
	key, err := encodeKey(cert.PrivateKey)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, "key.pem"), key, 0o600); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, caFile), encodeCertificate(l.authority.cert.Raw), 0o644); err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, "cert.pem"), encodeCertificate(cert.Certificate[0]), 0o644)
}
