package edgepart

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/mtls"
)

// shown returns the certificate that the public port shows now.
func shown(t *testing.T, r *Running) *x509.Certificate {
	t.Helper()
	go func() {
		conn, err := r.listeners[1].Accept()
		if err == nil {
			conn.(*tls.Conn).HandshakeContext(context.Background())
			conn.Close()
		}
	}()
	conn, err := tls.Dial("tcp", r.TLSAddress, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0]
}

// The public certificate is renewed without a restart, and a broken renewal
// changes nothing but the log.
func TestPublicCertificateIsReadAgain(t *testing.T) {
	authority, err := mtls.OpenAuthority(filepath.Join(t.TempDir(), "ca"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	renew := func() {
		t.Helper()
		if err := authority.Part("public").WriteFiles(dir); err != nil {
			t.Fatal(err)
		}
	}
	renew()
	var log bytes.Buffer
	r := &Running{log: slog.New(slog.NewTextHandler(&log, nil))}
	if err := r.listen(Config{Listen: "127.0.0.1:0", TLSListen: "127.0.0.1:0", TLSCert: cert, TLSKey: key}); err != nil {
		t.Fatal(err)
	}
	for _, l := range r.listeners {
		defer l.Close()
	}
	first := shown(t, r)
	if err := os.WriteFile(key, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a warning", func() bool { shown(t, r); return strings.Contains(log.String(), key) })
	if !shown(t, r).Equal(first) {
		t.Error("a broken renewal is used")
	}
	renew()
	eventually(t, "the new certificate", func() bool { return !shown(t, r).Equal(first) })
}

func TestPublicCertificateIsMissing(t *testing.T) {
	r := &Running{log: slog.New(slog.DiscardHandler)}
	err := r.listen(Config{Listen: "127.0.0.1:0", TLSListen: "127.0.0.1:0", TLSCert: "/nowhere/cert.pem", TLSKey: "/nowhere/key.pem"})
	for _, l := range r.listeners {
		l.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "/nowhere/cert.pem") || !strings.Contains(err.Error(), "FAIRLEAD_EDGE_TLS_CERT") {
		t.Errorf("got %v", err)
	}
}

// eventually waits 10 s at most: as long as a change of files may go unnoticed.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !holds(); <-time.After(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}
