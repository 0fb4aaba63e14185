package mesh

import (
	"context"
	"errors"
	"net"

	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/credentials"

	"github.com/fairlead-mesh/fairlead/pkg/mtls"
)

// dialer is the credentials of every connection. It expects of each address the
// identity that the registry has for it, and sends nothing before the other side
// has shown that: a port that was used again may belong to anybody.
type dialer struct {
	source mtls.Source
	audit  *mtls.Audit
}

type identityKey struct{}

// withIdentity notes whom an address is expected to be.
func withIdentity(identity string) *attributes.Attributes {
	return attributes.New(identityKey{}, identity)
}

// ClientHandshake implements credentials.TransportCredentials.
func (d dialer) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	want, _ := credentials.ClientHandshakeInfoFromContext(ctx).Attributes.Value(identityKey{}).(string)
	if want == "" {
		return nil, nil, errors.New("the address has no identity")
	}
	safe, info, err := credentials.NewTLS(mtls.ClientConfig(d.source, want)).ClientHandshake(ctx, authority, conn)
	if err != nil {
		d.audit.Refused(conn.RemoteAddr(), want, err)
	}
	return safe, info, err
}

// ServerHandshake implements credentials.TransportCredentials. The dialer is for
// clients.
func (d dialer) ServerHandshake(net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("the dialer serves nobody")
}

// Info implements credentials.TransportCredentials.
func (d dialer) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

// Clone implements credentials.TransportCredentials.
func (d dialer) Clone() credentials.TransportCredentials { return d }

// OverrideServerName implements credentials.TransportCredentials. Names other than
// SPIFFE IDs are not looked at.
func (d dialer) OverrideServerName(string) error { return nil }
