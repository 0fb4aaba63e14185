package lab

import (
	"context"
	"crypto/tls"
	"errors"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/test/mesh/echo"
	"github.com/fairlead-mesh/fairlead/test/mesh/load"
)

// Rotation is a step of the change from one authority to the next, in the order in
// which an operator takes them. All processes go on.
type Rotation int

// The steps: everybody trusts both authorities; everybody has a certificate of the
// next; nobody trusts the first any more.
const (
	TrustBoth Rotation = iota
	UseNext
	TrustNext
)

// Rotate takes a step in all processes of the mesh, by their files.
func (l *Lab) Rotate(step Rotation) error {
	first, next := filepath.Join(l.Dir, "ca"), filepath.Join(l.Dir, "ca-next")
	trusted := []string{first, next}
	if step == TrustNext {
		trusted = []string{next}
	}
	roots, err := bundle(trusted...)
	if err != nil {
		return err
	}
	if step == TrustBoth {
		return l.write(nil, roots)
	}
	return l.write(l.next, roots)
}

// Renew gives all processes another certificate of one of the two authorities, which
// must be trusted.
func (l *Lab) Renew(next bool) error {
	roots, err := bundle(filepath.Join(l.Dir, "ca"), filepath.Join(l.Dir, "ca-next"))
	if err != nil {
		return err
	}
	return l.write(l.Signer(next), roots)
}

func (l *Lab) write(signer *mtls.Authority, roots []byte) error {
	var errs []error
	for _, n := range l.Nodes {
		errs = append(errs, n.rotate(echo.Part, signer, roots))
	}
	for _, g := range l.Loads {
		errs = append(errs, g.rotate(load.Part, signer, roots))
	}
	return errors.Join(errs...)
}

// rotate writes whom to trust, and a certificate unless there is nobody to sign it.
// The files appear whole, though not all at once.
func (m *member) rotate(part string, signer *mtls.Authority, roots []byte) error {
	certs := filepath.Join(m.Dir, "certs")
	if err := replace(filepath.Join(certs, "ca.pem"), roots); err != nil {
		return err
	}
	if signer == nil {
		return nil
	}
	m.leaf = signer.Part(part)
	fresh := filepath.Join(m.Dir, "certs.new")
	if err := m.leaf.WriteFiles(fresh); err != nil {
		return err
	}
	for _, file := range []string{"key.pem", "cert.pem"} {
		if err := os.Rename(filepath.Join(fresh, file), filepath.Join(certs, file)); err != nil {
			return err
		}
	}
	return nil
}

// Serial is the serial number of the certificate that the process was given last.
func (m *member) Serial() (string, error) {
	cert, err := m.leaf.Certificate()
	if err != nil {
		return "", err
	}
	return cert.Leaf.SerialNumber.String(), nil
}

// Signer is one of the two authorities.
func (l *Lab) Signer(next bool) *mtls.Authority {
	if next {
		return l.next
	}
	return l.authority
}

// Shown returns the serial number of the certificate that a replica shows to who
// connects with one of an authority.
func (n *Node) Shown(ctx context.Context, by *mtls.Authority) (string, error) {
	conn, err := n.connect(ctx, by)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String(), nil
}

// Accepts says whether a replica lets somebody in whose certificate is of that
// authority.
func (n *Node) Accepts(ctx context.Context, by *mtls.Authority) bool {
	conn, err := n.connect(ctx, by)
	if err != nil {
		return false
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(statsTime))
	// In TLS 1.3 the server's opinion comes after the client's handshake. One that
	// agrees begins with the settings of HTTP/2.
	_, err = conn.Read(make([]byte, 1))
	return err == nil
}

// connect connects as somebody who trusts the replica whoever has signed it.
func (n *Node) connect(ctx context.Context, by *mtls.Authority) (*tls.Conn, error) {
	cert, err := by.Part("stranger").Certificate()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, statsTime)
	defer cancel()
	d := tls.Dialer{Config: &tls.Config{
		Certificates: []tls.Certificate{*cert}, MinVersion: tls.VersionTLS13, NextProtos: []string{"h2"},
		InsecureSkipVerify: true, // it is asked what it shows
	}}
	conn, err := d.DialContext(ctx, "tcp", n.Address)
	if err != nil {
		return nil, err
	}
	return conn.(*tls.Conn), nil
}

// DialStranger connects to a replica, past the mesh, as a part that nobody knows.
func (n *Node) DialStranger(by *mtls.Authority) (*grpc.ClientConn, error) {
	config := mtls.ClientConfig(by.Part("stranger"), mtls.ID(echo.Part))
	return grpc.NewClient(n.Address, grpc.WithTransportCredentials(credentials.NewTLS(config)))
}
