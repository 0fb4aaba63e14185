// Package mtls makes the TLS configurations with which the parts of the mesh
// prove to each other who they are. A part is named by a SPIFFE ID in its
// certificate, "spiffe://fairlead/social", and every connection is mutual TLS
// 1.3. Certificates come from a Source, which may renew them at any time; no
// part restarts for it.
package mtls

import (
	"crypto/tls"
	"crypto/x509"
)

// TrustDomain is the first part of every SPIFFE ID of the mesh.
const TrustDomain = "fairlead"

// ID returns the SPIFFE ID of a part: "spiffe://fairlead/" and its name.
func ID(part string) string {
	return "spiffe://" + TrustDomain + "/" + part
}

// Source is where a part's certificate comes from. Both methods are asked for
// every handshake, return what is valid now, and may be used by several
// goroutines at once.
type Source interface {
	// Certificate returns the part's own certificate with its key.
	Certificate() (*tls.Certificate, error)

	// Roots returns the certificate authorities that others must chain to.
	Roots() (*x509.CertPool, error)
}
