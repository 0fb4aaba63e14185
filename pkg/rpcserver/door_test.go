package rpcserver_test

import (
	"crypto/x509"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/pkg/rpcserver"
)

// trusting has a certificate of its own and believes in the server's authority.
type trusting struct {
	mtls.Source
	believes mtls.Source
}

func (s trusting) Roots() (*x509.CertPool, error) { return s.believes.Roots() }

// Who comes with a certificate of another authority is turned away, with a line
// that says who that was.
func TestStrangersAreLogged(t *testing.T) {
	s := start(t, rpcserver.Options{}, fails(nil))
	other, err := mtls.OpenAuthority(filepath.Join(t.TempDir(), "other"))
	if err != nil {
		t.Fatal(err)
	}
	source := trusting{other.Part("edge"), s.authority.Part("edge")}
	cc := s.connect(t, credentials.NewTLS(mtls.ClientConfig(source, mtls.ID("recipes"))))
	if err := call(bounded(t), cc, unary); status.Code(err) != codes.Unavailable {
		t.Errorf("got %v", err)
	}
	said := func() string {
		s.log.mu.Lock()
		defer s.log.mu.Unlock()
		return s.log.text.String()
	}
	await(t, "a line in the log", func() bool { return said() != "" })
	line := said()
	for _, word := range []string{"connection refused: identity", "127.0.0.1:", mtls.ID("edge"), "unknown authority"} {
		if !strings.Contains(line, word) {
			t.Errorf("the log does not say %q: %s", word, line)
		}
	}
}
