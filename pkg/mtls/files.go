package mtls

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// FileSource is a certificate in files that somebody else renews, as
// cert-manager does. It is a Source.
type FileSource struct {
	cert, key, ca string

	mu      sync.Mutex
	pair    *tls.Certificate
	roots   *x509.CertPool
	seen    [3]stamp
	checked time.Time
	failure error // why the newest files were not taken
}

// stamp tells whether a file has changed without reading it.
type stamp struct {
	modified time.Time
	size     int64
}

// Files returns the certificate in the files cert and key (PEM), and the
// authorities in the file ca. They are read again after they have changed, at
// most once a second. When new files cannot be read, for one because only half
// of them are there yet, the old certificate serves on until it expires.
func Files(cert, key, ca string) (*FileSource, error) {
	s := &FileSource{cert: cert, key: key, ca: ca}
	s.refresh()
	if s.failure != nil {
		return nil, s.failure
	}
	return s, nil
}

// Certificate implements Source.
func (s *FileSource) Certificate() (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refresh()
	if end := s.pair.Leaf.NotAfter; time.Now().After(end) {
		return nil, errors.Join(fmt.Errorf("%s has expired on %s: renew it, no restart is needed", s.cert, end.Format(time.RFC3339)), s.failure)
	}
	return s.pair, nil
}

// Roots implements Source.
func (s *FileSource) Roots() (*x509.CertPool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refresh()
	return s.roots, nil
}

// refresh reads the files if they have changed. A change that could not be read
// is tried again, since only a read that went well is remembered.
func (s *FileSource) refresh() {
	now := time.Now()
	if now.Sub(s.checked) < time.Second {
		return
	}
	s.checked = now
	stamps, err := s.stamps()
	if err == nil && stamps != s.seen {
		err = s.read()
	}
	if err == nil {
		s.seen = stamps
	}
	s.failure = err
}

func (s *FileSource) stamps() ([3]stamp, error) {
	var all [3]stamp
	for i, path := range []string{s.cert, s.key, s.ca} {
		info, err := os.Stat(path)
		if err != nil {
			return all, err
		}
		all[i] = stamp{info.ModTime(), info.Size()}
	}
	return all, nil
}

func (s *FileSource) read() error {
	pair, err := tls.LoadX509KeyPair(s.cert, s.key)
	if err != nil {
		return fmt.Errorf("certificate %s with key %s: %w", s.cert, s.key, err)
	}
	if _, err := certificateID(pair.Leaf); err != nil {
		return fmt.Errorf("%s: %w", s.cert, err)
	}
	roots, err := ReadRoots(s.ca)
	if err != nil {
		return err
	}
	s.pair, s.roots = &pair, roots
	return nil
}

// ReadRoots reads a file of certificate authorities in PEM.
func ReadRoots(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("certificate authorities: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("certificate authorities: %s holds no PEM certificate", file)
	}
	return roots, nil
}
