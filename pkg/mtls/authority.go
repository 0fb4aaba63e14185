package mtls

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

const (
	caFile    = "ca.pem"
	caKeyFile = "ca-key.pem"

	caLife = 10 * 365 * 24 * time.Hour
	// backdate lets machines take part whose clocks are a little behind.
	backdate = 5 * time.Minute
)

// Authority is a certificate authority for development: its key lies in a folder
// of the machine. In production certificates come from elsewhere, see Files.
type Authority struct {
	cert  *x509.Certificate
	key   *ecdsa.PrivateKey
	roots *x509.CertPool
}

// OpenAuthority reads the authority that is kept in a folder, or makes one when
// the folder does not exist or is empty. Several processes may do so at once:
// all of them get the same authority.
func OpenAuthority(dir string) (*Authority, error) {
	dir = filepath.Clean(dir)
	if isEmpty(dir) {
		if err := makeAuthority(dir); err != nil {
			return nil, fmt.Errorf("make a certificate authority: %w", err)
		}
	}
	return readAuthority(dir)
}

func isEmpty(dir string) bool {
	entries, err := os.ReadDir(dir)
	return errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0
}

func readAuthority(dir string) (*Authority, error) {
	certPath, keyPath := filepath.Join(dir, caFile), filepath.Join(dir, caKeyFile)
	pair, err := tls.LoadX509KeyPair(certPath, keyPath)
	if err != nil {
		return nil, brokenAuthority(dir, err)
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || !pair.Leaf.IsCA {
		return nil, brokenAuthority(dir, fmt.Errorf("%s is not the certificate of an ECDSA authority", certPath))
	}
	if err := checkTime(certPath, pair.Leaf, removeFolder(dir)); err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(pair.Leaf)
	return &Authority{cert: pair.Leaf, key: key, roots: roots}, nil
}

func brokenAuthority(dir string, err error) error {
	return fmt.Errorf("certificate authority: %w; %s", err, removeFolder(dir))
}

func removeFolder(dir string) string {
	return fmt.Sprintf("remove the folder %s to have a new one made", dir)
}

// makeAuthority writes both files into a new folder and renames that to its
// place: the two appear together or not at all, and of two processes one wins.
func makeAuthority(dir string) error {
	cert, key, err := newAuthority()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return err
	}
	fresh, err := os.MkdirTemp(filepath.Dir(dir), filepath.Base(dir)+".new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(fresh)
	if err := writeFile(filepath.Join(fresh, caFile), cert, 0o644); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(fresh, caKeyFile), key, 0o600); err != nil {
		return err
	}
	os.Remove(dir) // if it is empty: Rename takes no other's place
	err = os.Rename(fresh, dir)
	if errors.Is(err, fs.ErrExist) {
		return nil // another process was faster
	}
	return err
}

// newAuthority returns a new certificate and its key, both as PEM.
func newAuthority() (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: "Fairlead development CA"},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(caLife),
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return nil, nil, err
	}
	key, err = encodeKey(private)
	return encodeCertificate(der), key, err
}

func serial() *big.Int {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return new(big.Int).SetBytes(b[:])
}
