package e2e_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/test/harness"
)

// All that listens is known, listens to this machine only, and is one of the
// ports that are tested one by one. There is no other: no NATS, no mail.
func TestNothingElseListens(t *testing.T) {
	s := harness.Shared(t)
	s.SignIn(t)
	known := []string{s.Public, s.Probe, s.Operator, s.Etcd}
	var mesh []string
	harness.Eventually(t, "identity, social and the edge are registered", func() bool {
		mesh = meshListeners(t, s)
		return len(mesh) >= 3
	})
	listeners := s.Listeners(t)
	for _, address := range listeners {
		if !slices.Contains(known, address) && !slices.Contains(mesh, address) {
			t.Errorf("something unknown listens on %s", address)
		}
		if a, err := netip.ParseAddrPort(address); err != nil || !a.Addr().IsLoopback() {
			t.Errorf("%s can be reached from other machines (%v)", address, err)
		}
	}
	for _, address := range append(known, mesh...) {
		if !slices.Contains(listeners, address) {
			t.Errorf("%s does not listen; these do: %v", address, listeners)
		}
	}
}

// meshListeners are where the registry says that services are.
func meshListeners(t *testing.T, s *harness.System) []string {
	t.Helper()
	var list []string
	for _, i := range instances(t, registry(t, s, certificate(t, s, "watcher")), "") {
		if !slices.Contains(list, i.Address) {
			list = append(list, i.Address)
		}
	}
	return list
}

// attempts are what a page can make a browser send, as bytes: requests that would
// read or write something if anybody listened to them.
func attempts(host string) map[string]string {
	request := func(method, path, kind, body string) string {
		return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\nOrigin: %s\r\nSec-Fetch-Site: cross-site\r\nConnection: close\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
			method, path, host, evil, kind, len(body), body)
	}
	const put, everything = `{"key":"ZXZpbA==","value":"ZXZpbA=="}`, `{"key":"AA==","range_end":"AA=="}` // evil
	return map[string]string{
		"read":       request("GET", "/", "text/plain", ""),
		"version":    request("GET", "/version", "text/plain", ""),
		"range":      request("POST", "/v3/kv/range", "text/plain", everything),
		"put":        request("POST", "/v3/kv/put", "text/plain", put),
		"preflight":  request("OPTIONS", "/v3/kv/put", "application/json", ""),
		"health":     request("GET", "/health", "text/plain", ""),
		"metrics":    request("GET", "/metrics", "text/plain", ""),
		"a gRPC put": request("POST", "/etcdserverpb.KV/Put", "application/grpc", "\x00\x00\x00\x00\x0c\x0a\x04evil\x12\x04evil"),
	}
}

// etcd and the parts of the mesh want a certificate of the mesh from whoever
// connects. A page has none; nor has another program on the machine.
func TestMeshPortsAreClosedToPages(t *testing.T) {
	s := harness.Shared(t)
	p := s.SignIn(t)
	foreign := foreignCertificate(t)
	for _, address := range append(meshListeners(t, s), s.Etcd) {
		for _, host := range []string{address, "evil.example"} {
			for name, request := range attempts(host) {
				what := fmt.Sprintf("%s of %s as %s", name, address, host)
				if got := sendPlain(t, address, request); answered(got) {
					t.Errorf("%s, in clear text: %q", what, got)
				}
				if got, err := sendTLS(t, address, request); got != "" || errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("%s, without a certificate: %q %v", what, got, err)
				}
				if got, err := sendTLS(t, address, request, foreign); got != "" || errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("%s, with a certificate of its own: %q %v", what, got, err)
				}
			}
		}
	}
	if n := evilKeys(t, s); n != 0 {
		t.Errorf("%d keys of somebody else are in etcd", n)
	}
	p.Timeline(t) // all is well
}

// Even with a certificate etcd speaks gRPC only: a browser that was given one, by
// mistake, could still not be made to write.
func TestEtcdHasNoGateway(t *testing.T) {
	s := harness.Shared(t)
	cert, err := certificate(t, s, "watcher").Certificate()
	if err != nil {
		t.Fatal(err)
	}
	for name, request := range attempts("127.0.0.1") {
		want := "HTTP/1.1 404"
		switch name {
		case "version", "health", "metrics", "preflight": // harmless; that they answer shows that the certificate is good
			want = "HTTP/1.1 200"
		}
		got, err := sendTLS(t, s.Etcd, request, *cert)
		if err != nil || !strings.HasPrefix(got, want) || strings.Contains(got, "Access-Control-") {
			t.Errorf("%s: %q %v, want %s", name, got, err, want)
		}
	}
	if n := evilKeys(t, s); n != 0 {
		t.Errorf("%d keys of somebody else are in etcd", n)
	}
}

// sendPlain sends bytes in clear text and returns what comes back until the other
// side closes.
func sendPlain(t *testing.T, address, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	got, _ := exchange(conn, request) // a broken connection is what we hope for
	return got
}

// sendTLS is sendPlain over TLS by a client that trusts everybody, with the
// certificates that it has.
func sendTLS(t *testing.T, address, request string, certificates ...tls.Certificate) (string, error) {
	t.Helper()
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, Certificates: certificates})
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return exchange(conn, request)
}

func exchange(conn net.Conn, request string) (string, error) {
	conn.SetDeadline(time.Now().Add(time.Second)) // a server that says nothing has said nothing
	_, errWrite := io.WriteString(conn, request)
	var got bytes.Buffer
	_, errRead := io.CopyN(&got, conn, 4096)
	if errors.Is(errRead, io.EOF) {
		errRead = nil
	}
	return got.String(), errors.Join(errWrite, errRead)
}

// answered says that something came back but the plain refusal of a TLS server.
func answered(got string) bool {
	refusal := strings.HasPrefix(got, "HTTP/1.0 400 Bad Request\r\n") && strings.Contains(got, "HTTPS server")
	alert := strings.HasPrefix(got, "\x15\x03") // of TLS
	return got != "" && !refusal && !alert
}

// foreignCertificate is one that says it is a part, by an authority of its own.
func foreignCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		URIs: []*url.URL{{Scheme: "spiffe", Host: mtls.TrustDomain, Path: "/social"}}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// evilKeys counts what the attempts would have written.
func evilKeys(t *testing.T, s *harness.System) int64 {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{
		Endpoints: []string{"https://" + s.Etcd}, TLS: etcdTLS(t, certificate(t, s, "watcher")), Logger: zap.NewNop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), harness.Patience)
	defer cancel()
	got, err := client.Get(ctx, "evil")
	if err != nil {
		t.Fatal(err)
	}
	return got.Count
}
