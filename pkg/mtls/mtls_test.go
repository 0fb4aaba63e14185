package mtls

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func openAuthority(t *testing.T) *Authority {
	t.Helper()
	a, err := OpenAuthority(filepath.Join(t.TempDir(), "ca"))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// connect makes one connection, and returns what each side says of it.
func connect(t *testing.T, server, client *tls.Config) (serverID string, serverErr, clientErr error) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	var wait sync.WaitGroup
	wait.Go(func() {
		conn, err := lis.Accept()
		if err != nil {
			serverErr = err
			return
		}
		defer conn.Close()
		s := tls.Server(conn, server)
		if serverErr = s.Handshake(); serverErr == nil {
			serverID, serverErr = PeerID(s.ConnectionState())
		}
	})
	conn, err := tls.Dial("tcp", lis.Addr().String(), client)
	clientErr = err
	if err == nil {
		_, clientErr = conn.Read(make([]byte, 1)) // a server refuses only after the client's handshake
		if clientErr == io.EOF {
			clientErr = nil
		}
		conn.Close()
	}
	wait.Wait()
	return serverID, serverErr, clientErr
}

func TestConnection(t *testing.T) {
	a, other := openAuthority(t), openAuthority(t)
	social := a.Part("social")
	bare := ClientConfig(a.Part("edge"), ID("social"))
	bare.GetClientCertificate = nil
	old := ClientConfig(a.Part("edge"), ID("social"))
	old.MinVersion, old.MaxVersion = tls.VersionTLS12, tls.VersionTLS12

	tests := map[string]struct {
		client *tls.Config
		want   string // in the error of either side; empty when they shall connect
	}{
		"right":                 {ClientConfig(a.Part("edge"), ID("social")), ""},
		"another server wanted": {ClientConfig(a.Part("edge"), ID("identity")), "the server is spiffe://fairlead/social, want spiffe://fairlead/identity"},
		"no client certificate": {bare, "certificate"},
		"foreign client":        {ClientConfig(mixed{other.Part("edge"), social}, ID("social")), "unknown authority"},
		"foreign server":        {ClientConfig(other.Part("edge"), ID("social")), "unknown authority"},
		"TLS 1.2":               {old, "protocol version"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			id, serverErr, clientErr := connect(t, ServerConfig(social), test.client)
			if test.want == "" {
				if serverErr != nil || clientErr != nil || id != ID("edge") {
					t.Fatalf("id %q, server %v, client %v", id, serverErr, clientErr)
				}
				return
			}
			text := errorText(serverErr) + errorText(clientErr)
			if !strings.Contains(text, test.want) {
				t.Fatalf("got %q, want %q in it", text, test.want)
			}
		})
	}
}

// mixed has the certificate of one source and the authorities of another.
type mixed struct {
	*Leaf
	roots *Leaf
}

func (m mixed) Roots() (*x509.CertPool, error) { return m.roots.Roots() }

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error() + " "
}

func TestAuthorityIsMadeOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data", "ca")
	authorities := make([]*Authority, 8)
	var wait sync.WaitGroup
	for i := range authorities {
		wait.Go(func() {
			var err error
			if authorities[i], err = OpenAuthority(dir); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for _, a := range authorities {
		if !a.cert.Equal(authorities[0].cert) {
			t.Fatal("two processes have different authorities")
		}
	}
	info, err := os.Stat(filepath.Join(dir, caKeyFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the key: %v, %v, want mode 0600", info.Mode(), err)
	}
	left, err := os.ReadDir(filepath.Dir(dir))
	if err != nil || len(left) != 1 {
		t.Fatalf("left behind: %v, %v", left, err)
	}
}

func TestBrokenAuthoritySaysHowToMend(t *testing.T) {
	damages := map[string]func(dir string) error{
		"no key":      func(dir string) error { return os.Remove(filepath.Join(dir, caKeyFile)) },
		"no cert":     func(dir string) error { return os.Remove(filepath.Join(dir, caFile)) },
		"empty cert":  func(dir string) error { return os.Truncate(filepath.Join(dir, caFile), 0) },
		"another key": func(dir string) error { return swapKey(dir) },
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "ca")
			if _, err := OpenAuthority(dir); err != nil {
				t.Fatal(err)
			}
			if err := damage(dir); err != nil {
				t.Fatal(err)
			}
			_, err := OpenAuthority(dir)
			if err == nil || !strings.Contains(err.Error(), "remove the folder "+dir) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func swapKey(dir string) error {
	_, key, err := newAuthority()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, caKeyFile), key, 0o600)
}

func TestLeafIsRenewedOnUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leaf := openAuthority(t).Part("social")
		first := certificate(t, leaf)
		time.Sleep(leafLife * 6 / 10)
		if certificate(t, leaf) != first {
			t.Fatal("renewed too early")
		}
		time.Sleep(leafLife / 10)
		second := certificate(t, leaf)
		if second == first || time.Until(second.Leaf.NotAfter) != leafLife {
			t.Fatalf("not renewed: ends at %s", second.Leaf.NotAfter)
		}
		time.Sleep(100 * leafLife) // a laptop sleeps
		if third := certificate(t, leaf); time.Until(third.Leaf.NotAfter) != leafLife {
			t.Fatal("not renewed after a long sleep")
		}
	})
}

func certificate(t *testing.T, s Source) *tls.Certificate {
	t.Helper()
	cert, err := s.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestPartNames(t *testing.T) {
	a := openAuthority(t)
	for _, name := range []string{"", "Social", "a/b", "a b", "..", strings.Repeat("a", 64)} {
		if _, err := a.Part(name).Certificate(); err == nil {
			t.Errorf("part %q has a certificate", name)
		}
	}
}

func TestAuthorityInAnEmptyFolder(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenAuthority(dir); err != nil {
		t.Error(err)
	}
}
