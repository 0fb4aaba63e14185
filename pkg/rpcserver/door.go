package rpcserver

import (
	"log/slog"
	"net"

	"google.golang.org/grpc/credentials"

	"github.com/fairlead-mesh/fairlead/pkg/mtls"
)

// door is the credentials of a server. It tells whom it turns away: grpc-go itself
// says nothing.
type door struct {
	credentials.TransportCredentials
	audit *mtls.Audit
	calls *audit
}

func newDoor(source mtls.Source, log *slog.Logger, calls *audit) door {
	return door{credentials.NewTLS(mtls.ServerConfig(source)), mtls.NewAudit(log), calls}
}

// ServerHandshake implements credentials.TransportCredentials.
func (d door) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	safe, info, err := d.TransportCredentials.ServerHandshake(conn)
	if err != nil && d.audit.Refused(conn.RemoteAddr(), "a part of this mesh", err) {
		d.calls.count(Refusal{Reason: RefusedHandshake})
	}
	return safe, info, err
}

// Clone implements credentials.TransportCredentials.
func (d door) Clone() credentials.TransportCredentials {
	return door{d.TransportCredentials.Clone(), d.audit, d.calls}
}
