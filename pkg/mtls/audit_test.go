package mtls

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func newLog() (*slog.Logger, *bytes.Buffer) {
	var out bytes.Buffer
	return slog.New(slog.NewTextHandler(&out, nil)), &out
}

var stranger = &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 7000}

// Whoever is refused is named, with the address and who was expected.
func TestAuditNamesBothIdentities(t *testing.T) {
	a, other := openAuthority(t), openAuthority(t)
	social := a.Part("social")
	tests := map[string]struct {
		client *tls.Config
		server bool // whose line it is
		says   []string
	}{
		"wrong name":     {ClientConfig(a.Part("edge"), ID("identity")), false, []string{"shown=" + ID("social"), "want " + ID("identity")}},
		"foreign server": {ClientConfig(other.Part("edge"), ID("social")), false, []string{"shown=[" + ID("social") + "]", "unknown authority"}},
		"foreign client": {ClientConfig(mixed{other.Part("edge"), social}, ID("social")), true, []string{"shown=[" + ID("edge") + "]", "unknown authority"}},
		"no certificate": {&tls.Config{InsecureSkipVerify: true}, true, []string{"certificate"}},
		"we are refused": {ClientConfig(mixed{other.Part("edge"), social}, ID("social")), false, []string{"unknown certificate authority"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, serverErr, clientErr := connect(t, ServerConfig(social), test.client)
			log, out := newLog()
			err := clientErr
			if test.server {
				err = serverErr
			}
			NewAudit(log).Refused(stranger, "whom", err)
			for _, word := range append(test.says, "level=WARN", "peer=192.0.2.7:7000", "expected=whom") {
				if !strings.Contains(out.String(), word) {
					t.Errorf("the line does not say %q: %s", word, out)
				}
			}
		})
	}
}

func TestAuditPassesOverProbes(t *testing.T) {
	log, out := newLog()
	a := NewAudit(log)
	for _, err := range []error{io.EOF, fmt.Errorf("read: %w", io.ErrUnexpectedEOF), tls.RecordHeaderError{Msg: "no TLS"}, &net.OpError{Op: "read", Err: errors.New("reset")}} {
		a.Refused(stranger, "", err)
	}
	if out.Len() > 0 {
		t.Errorf("logged: %s", out)
	}
}

// A certificate that is not good yet is a matter of clocks, and the line says so.
func TestAuditSpeaksOfClocks(t *testing.T) {
	a := openAuthority(t)
	made := a.Part("social")
	certificate(t, made)
	synctest.Test(t, func(t *testing.T) {
		state := tls.ConnectionState{PeerCertificates: []*x509.Certificate{made.current.Leaf}}
		err := verifyServer(made, state, ID("social"))
		log, out := newLog()
		NewAudit(log).Refused(stranger, ID("social"), err)
		for _, word := range []string{"not yet valid", "2000-01-01", "compare the clocks", ID("social")} {
			if !strings.Contains(out.String(), word) {
				t.Errorf("the line does not say %q: %s", word, out)
			}
		}
	})
}

func TestAuditIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, out := newLog()
		a, refused := NewAudit(log), &IdentityError{Shown: "a", Want: "b"}
		for range 1000 {
			a.Refused(stranger, "b", refused)
		}
		if n := strings.Count(out.String(), "\n"); n != auditLines {
			t.Errorf("%d lines", n)
		}
		time.Sleep(time.Second)
		a.Refused(stranger, "b", refused)
		if !strings.Contains(out.String(), fmt.Sprint("unlogged=", 1000-auditLines)) {
			t.Errorf("nothing is said of what is missing: %s", out)
		}
	})
}
