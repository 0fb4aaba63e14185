package mtls

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// echo answers what it hears, over mutual TLS, until the test ends.
func echo(t *testing.T, source Source) string {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", ServerConfig(source))
	if err != nil {
		t.Fatal(err)
	}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() {
				defer c.Close()
				io.Copy(c, c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		open.Wait()
	})
	return l.Addr().String()
}

// ask sends one byte and waits for it.
func ask(c net.Conn) error {
	b := []byte{1}
	if _, err := c.Write(b); err != nil {
		return err
	}
	_, err := io.ReadFull(c, b)
	return err
}

// rotated is a server and its clients, each with files of its own, as in pods.
type rotated struct {
	dirs    []string
	sources []*FileSource
}

func newRotated(t *testing.T, a *Authority, parts ...string) *rotated {
	t.Helper()
	r := new(rotated)
	for _, part := range parts {
		dir := t.TempDir()
		writeFiles(t, a.Part(part), dir)
		source, err := filesIn(dir)
		if err != nil {
			t.Fatal(err)
		}
		r.dirs, r.sources = append(r.dirs, dir), append(r.sources, source)
	}
	return r
}

// trust gives everybody a file of authorities, and waits until all have read it.
func (r *rotated) trust(t *testing.T, all ...*Authority) {
	t.Helper()
	for _, dir := range r.dirs {
		write(t, dir, caFile, pemOf(all...))
	}
	want, err := readRoots(filepath.Join(r.dirs[0], caFile))
	if err != nil {
		t.Fatal(err)
	}
	r.eventually(t, func(s *FileSource) bool {
		roots, err := s.Roots()
		return err == nil && roots.Equal(want)
	})
}

// renew gives everybody a certificate of an authority, one file after the other.
func (r *rotated) renew(t *testing.T, a *Authority, parts ...string) {
	t.Helper()
	for i, dir := range r.dirs {
		cert := certificate(t, a.Part(parts[i]))
		key, err := encodeKey(cert.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		write(t, dir, "cert.pem", string(encodeCertificate(cert.Certificate[0])))
		write(t, dir, "key.pem", string(key))
	}
	r.eventually(t, func(s *FileSource) bool {
		cert, err := s.Certificate()
		return err == nil && cert.Leaf.CheckSignatureFrom(a.cert) == nil
	})
}

// eventually waits until something holds for every source, 10 s at most.
func (r *rotated) eventually(t *testing.T, holds func(*FileSource) bool) {
	t.Helper()
	end := time.Now().Add(10 * time.Second)
	for _, s := range r.sources {
		for !holds(s) {
			if time.Now().After(end) {
				t.Fatal("the new files are not used after 10 s")
			}
			<-time.After(10 * time.Millisecond)
		}
	}
}

// An authority is replaced while everybody makes connections all the time: not one
// fails, and those that were there go on.
func TestRotationUnderLoad(t *testing.T) {
	older, newer := openAuthority(t), openAuthority(t)
	parts := []string{"social", "edge", "jobs"}
	r := newRotated(t, older, parts...)
	address := echo(t, r.sources[0])
	live, err := tls.Dial("tcp", address, ClientConfig(r.sources[1], ID("social")))
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()

	var made, refused atomic.Int64
	var wait sync.WaitGroup
	stop := make(chan struct{})
	run := func(do func() error) {
		wait.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := do(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for _, source := range r.sources[1:] {
		right, wrong := ClientConfig(source, ID("social")), ClientConfig(source, ID("identity"))
		run(func() error { made.Add(1); return connectOnce(address, right) })
		run(func() error {
			if _, ok := errors.AsType[*IdentityError](connectOnce(address, wrong)); !ok {
				return errors.New("the wrong server was taken")
			}
			refused.Add(1)
			return nil
		})
	}
	run(func() error { return ask(live) })

	r.trust(t, older, newer)
	r.renew(t, newer, parts...)
	r.trust(t, newer)
	close(stop)
	wait.Wait()
	t.Logf("%d connections made, %d refused", made.Load(), refused.Load())

	if issuer := serverOf(t, address, r.sources[1]); issuer.CheckSignatureFrom(newer.cert) != nil {
		t.Error("the server still shows its old certificate")
	}
	if err := connectOnce(address, ClientConfig(mixed{older.Part("edge"), newer.Part("edge")}, ID("social"))); err == nil {
		t.Error("a certificate of the old authority is still taken")
	}
}

func connectOnce(address string, config *tls.Config) error {
	c, err := tls.Dial("tcp", address, config)
	if err != nil {
		return err
	}
	defer c.Close()
	return ask(c) // a server refuses only after the client's handshake
}

// serverOf returns the certificate that a server shows.
func serverOf(t *testing.T, address string, source Source) *x509.Certificate {
	t.Helper()
	c, err := tls.Dial("tcp", address, ClientConfig(source, ID("social")))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0]
}
