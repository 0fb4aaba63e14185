package host

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/mtls"
)

func authority(t *testing.T) *mtls.Authority {
	t.Helper()
	a, err := mtls.OpenAuthority(filepath.Join(t.TempDir(), "ca"))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// trust writes the authorities' file of etcd.
func trust(t *testing.T, file string, a *mtls.Authority) {
	t.Helper()
	dir := t.TempDir()
	if err := a.Part("etcd").WriteFiles(dir); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err == nil {
		err = os.WriteFile(file, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// handshake connects once to an etcd that has a certificate for this host.
func handshake(t *testing.T, c cluster, etcd mtls.Source, name string) error {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		tls.Server(conn, mtls.ServerConfig(etcd)).Handshake()
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, _, err = c.ClientHandshake(ctx, name, conn)
	return err
}

// The authority of etcd is replaced without a restart, and the name of the host is
// verified before and after it.
func TestEtcdAuthorityIsReadAgain(t *testing.T) {
	older, newer := authority(t), authority(t)
	file := filepath.Join(t.TempDir(), "etcd-ca.pem")
	trust(t, file, older)
	c, err := MeshConfig{EtcdCA: file}.cluster(older.Part("social"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	names := func(a *mtls.Authority) {
		t.Helper()
		for _, name := range []string{"127.0.0.1:2379", "localhost:2379"} {
			if err := handshake(t, c, a.Part("etcd"), name); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, name := range []string{"etcd.example:2379", "127.0.0.2:2379"} {
			if err := handshake(t, c, a.Part("etcd"), name); err == nil || !strings.Contains(err.Error(), "not") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	names(older)
	if err := handshake(t, c, newer.Part("etcd"), "localhost:1"); err == nil {
		t.Error("an unknown authority was taken")
	}
	if err := os.WriteFile(file, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	names(older)
	trust(t, file, newer)
	for end := time.Now().Add(10 * time.Second); handshake(t, c, newer.Part("etcd"), "localhost:1") != nil; {
		if time.Now().After(end) {
			t.Fatal("the new authority is not used after 10 s")
		}
		<-time.After(10 * time.Millisecond)
	}
	names(newer)
}

func TestEtcdAuthorityIsMissing(t *testing.T) {
	_, err := MeshConfig{EtcdCA: "/nowhere/ca.pem"}.cluster(authority(t).Part("social"), nil)
	if err == nil || !strings.Contains(err.Error(), "FAIRLEAD_MESH_ETCD_CA") || !strings.Contains(err.Error(), "/nowhere/ca.pem") {
		t.Errorf("got %v", err)
	}
}
