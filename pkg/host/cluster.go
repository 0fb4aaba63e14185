package host

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"

	"google.golang.org/grpc/credentials"

	"github.com/fairlead-mesh/fairlead/pkg/mtls"
)

// cluster is the credentials of connections to an etcd cluster, which is verified
// by its host name. The authorities may change at any time: each connection has a
// configuration of its own, since Go takes roots when a configuration is made, and
// the name of an address that is an IP is known to Go's own check alone.
type cluster struct {
	credentials.TransportCredentials // all but the handshake
	roots                            func() (*x509.CertPool, error)
	source                           mtls.Source
}

// cluster takes etcd's authorities from their own file, if there is one, or else
// from the mesh.
func (c MeshConfig) cluster(source mtls.Source, log *slog.Logger) (cluster, error) {
	roots := source.Roots
	if c.EtcdCA != "" {
		var err error
		if roots, err = mtls.Roots(c.EtcdCA, log); err != nil {
			return cluster{}, fmt.Errorf("FAIRLEAD_MESH_ETCD_CA: %w", err)
		}
	}
	return cluster{credentials.NewTLS(nil), roots, source}, nil
}

// ClientHandshake implements credentials.TransportCredentials.
func (c cluster) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	roots, err := c.roots()
	if err != nil {
		return nil, nil, err
	}
	return credentials.NewTLS(&tls.Config{
		RootCAs: roots, MinVersion: tls.VersionTLS13,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c.source.Certificate() },
	}).ClientHandshake(ctx, authority, conn)
}

// Clone implements credentials.TransportCredentials.
func (c cluster) Clone() credentials.TransportCredentials { return c }
