package mtls

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"regexp"
)

// partName is what may stand in a SPIFFE ID, a file name and an environment
// variable alike.
var partName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)

// PeerID returns the SPIFFE ID that the other side of a connection has shown.
// The certificate must have exactly one, of the mesh's trust domain. Whether the
// certificate is to be trusted is not asked here: the handshake did that.
func PeerID(state tls.ConnectionState) (string, error) {
	if len(state.PeerCertificates) == 0 {
		return "", errors.New("the peer has shown no certificate")
	}
	return certificateID(state.PeerCertificates[0])
}

// CertificateID returns the SPIFFE ID of a part's own certificate.
func CertificateID(cert *tls.Certificate) (string, error) {
	if cert.Leaf != nil {
		return certificateID(cert.Leaf)
	}
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		return "", err
	}
	return certificateID(leaf)
}

func certificateID(cert *x509.Certificate) (string, error) {
	if len(cert.URIs) != 1 {
		return "", fmt.Errorf("the certificate of %q has %d URI names, want one SPIFFE ID", cert.Subject.CommonName, len(cert.URIs))
	}
	id := cert.URIs[0].String()
	if !isID(cert.URIs[0]) {
		return "", fmt.Errorf("the certificate of %q has the name %q, want %s", cert.Subject.CommonName, id, ID("<part>"))
	}
	return id, nil
}

// isID compares the whole text, since a URL can also hold a user, a port, a query
// and a fragment.
func isID(u *url.URL) bool {
	return len(u.Path) > 1 && partName.MatchString(u.Path[1:]) && u.String() == ID(u.Path[1:])
}
