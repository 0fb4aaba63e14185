package mtls

import (
	"crypto/tls"
	"crypto/x509"
)

// ServerConfig returns the configuration of a server that lets in whoever has a
// certificate of the source's authorities with a SPIFFE ID in it. Who exactly it
// is, the handler learns from PeerID.
func ServerConfig(source Source) *tls.Config {
	c := base()
	c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return serverConfigNow(source)
	}
	return c
}

// serverConfigNow is asked for each connection, so that a new authority or a new
// certificate holds from the next connection on.
func serverConfigNow(source Source) (*tls.Config, error) {
	cert, err := source.Certificate()
	if err != nil {
		return nil, err
	}
	roots, err := source.Roots()
	if err != nil {
		return nil, err
	}
	c := base()
	c.Certificates = []tls.Certificate{*cert}
	c.ClientAuth = tls.RequireAndVerifyClientCert
	c.ClientCAs = roots
	c.VerifyConnection = func(state tls.ConnectionState) error {
		_, err := PeerID(state)
		return err
	}
	return c, nil
}

// ClientConfig returns the configuration of a client that talks to the server
// with that SPIFFE ID and to no other.
func ClientConfig(source Source, wantID string) *tls.Config {
	c := base()
	// Go would compare a DNS name, and a SPIFFE ID is none. VerifyConnection does
	// all of Go's other checks, and unlike VerifyPeerCertificate it runs for every
	// connection.
	c.InsecureSkipVerify = true
	c.VerifyConnection = func(state tls.ConnectionState) error {
		return verifyServer(source, state, wantID)
	}
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return source.Certificate()
	}
	return c
}

func verifyServer(source Source, state tls.ConnectionState, wantID string) error {
	id, err := PeerID(state)
	if err != nil {
		return err
	}
	roots, err := source.Roots()
	if err != nil {
		return err
	}
	intermediates := x509.NewCertPool()
	for _, cert := range state.PeerCertificates[1:] {
		intermediates.AddCert(cert)
	}
	_, err = state.PeerCertificates[0].Verify(x509.VerifyOptions{
		Roots:         roots,
		Intermediates: intermediates,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	if err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
	}
	if id != wantID {
		return &IdentityError{Shown: id, Want: wantID}
	}
	return nil
}

// base is what both sides share. Without session tickets every connection shows
// certificates, so that nobody resumes a session that a revoked one began.
func base() *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		NextProtos:             []string{"h2"},
		SessionTicketsDisabled: true,
	}
}
