package mtls

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
)

// FileSource is a certificate in files that somebody else renews, as
// cert-manager does. It is a Source.
type FileSource struct {
	name  string // of the certificate's file
	files *watched[identity]
}

// identity is what the three files hold.
type identity struct {
	pair  *tls.Certificate
	roots *x509.CertPool
}

// Files returns the certificate in the files cert and key (PEM), and the
// authorities in the file ca, which may be several: an authority is replaced by
// adding the new one beside the old, then renewing the certificates, then taking
// the old one out. The files are read again after they have changed, at most once
// a second, when somebody connects. New files that cannot be used, for one because
// only half of them are there yet, are warned of once; the old certificate serves
// on until it expires. The logger may be nil.
func Files(cert, key, ca string, log *slog.Logger) (*FileSource, error) {
	files, err := watch(log, func() (identity, error) { return readIdentity(cert, key, ca) }, cert, key, ca)
	if err != nil {
		return nil, err
	}
	s := &FileSource{name: cert, files: files}
	_, err = s.Certificate()
	return s, err
}

// Certificate implements Source. It is an error when the certificate is not good
// at the time of the machine's clock.
func (s *FileSource) Certificate() (*tls.Certificate, error) {
	now, failure := s.files.get()
	if err := checkTime(s.name, now.pair.Leaf, "renew it, no restart is needed"); err != nil {
		return nil, errors.Join(err, failure)
	}
	return now.pair, nil
}

// Roots implements Source.
func (s *FileSource) Roots() (*x509.CertPool, error) {
	now, _ := s.files.get()
	return now.roots, nil
}

// Pair watches a certificate for the public, which is no identity of the mesh: the
// files cert and key are read as those of Files are. The function that it returns
// is for tls.Config.GetCertificate. Whether the certificate has expired is left to
// the client.
func Pair(cert, key string, log *slog.Logger) (func(*tls.ClientHelloInfo) (*tls.Certificate, error), error) {
	files, err := watch(log, func() (*tls.Certificate, error) { return readPair(cert, key) }, cert, key)
	if err != nil {
		return nil, err
	}
	return func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		pair, _ := files.get()
		return pair, nil
	}, nil
}

// Roots watches a file of certificate authorities in PEM, which is read as those of
// Files are. The function returns what holds now; its error is always nil.
func Roots(file string, log *slog.Logger) (func() (*x509.CertPool, error), error) {
	files, err := watch(log, func() (*x509.CertPool, error) { return readRoots(file) }, file)
	if err != nil {
		return nil, err
	}
	return func() (*x509.CertPool, error) {
		roots, _ := files.get()
		return roots, nil
	}, nil
}

func readPair(cert, key string) (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", cert, key, err)
	}
	return &pair, nil
}

func readIdentity(cert, key, ca string) (identity, error) {
	pair, err := readPair(cert, key)
	if err != nil {
		return identity{}, err
	}
	if _, err := certificateID(pair.Leaf); err != nil {
		return identity{}, fmt.Errorf("%s: %w", cert, err)
	}
	roots, err := readRoots(ca)
	if err != nil {
		return identity{}, err
	}
	if !issuedBy(pair, roots) {
		return identity{}, fmt.Errorf("%s is not issued by an authority in %s: nobody of this mesh would trust it", cert, ca)
	}
	return identity{pair, roots}, nil
}

// issuedBy leaves the times to others: they may be mended by a clock.
func issuedBy(pair *tls.Certificate, roots *x509.CertPool) bool {
	_, err := pair.Leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: chainOf(pair.Certificate), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	return !unknown
}

// chainOf returns what stands behind the first certificate.
func chainOf(der [][]byte) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, d := range der[1:] {
		if cert, err := x509.ParseCertificate(d); err == nil {
			pool.AddCert(cert)
		}
	}
	return pool
}
