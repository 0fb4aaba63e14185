package identity_test

import (
	"context"
	"net"
	"path/filepath"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/pkg/principal"
	"github.com/fairlead-mesh/fairlead/pkg/store/storetest"
	"github.com/fairlead-mesh/fairlead/pkg/validate"
	identityv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/identity/v1"
	principalv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/principal/v1"
	"github.com/fairlead-mesh/fairlead/services/identity"
)

// world is identity behind a real server, and an edge that speaks for people.
type world struct {
	identityv1.IdentityServiceClient
	cfg identity.Config
	ca  *mtls.Authority
}

// each runs a test in a world of its own on every engine.
func each(t *testing.T, test func(t *testing.T, w *world)) {
	storetest.Each(t, func(t *testing.T, url string) {
		ca, err := mtls.OpenAuthority(filepath.Join(t.TempDir(), "ca"))
		if err != nil {
			t.Fatal(err)
		}
		w := &world{cfg: identity.Config{Database: url, KeyDir: filepath.Join(t.TempDir(), "keys")}, ca: ca}
		w.start(t)
		test(t, w)
	})
}

// start starts identity and returns what stops it; the end of the test stops it
// too.
func (w *world) start(t *testing.T) (stop func()) {
	t.Helper()
	service, err := identity.New(t.Context(), w.cfg)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.ChainUnaryInterceptor(w.authenticate, validate.Unary))
	service.Register(server)
	listener := bufconn.Listen(1 << 20)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	cc := w.dial(t, listener)
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		server.Stop()
		for _, err := range []error{<-served, cc.Close(), service.Close()} {
			if err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(stop)
	return stop
}

func (w *world) dial(t *testing.T, listener *bufconn.Listener) *grpc.ClientConn {
	t.Helper()
	cc, err := grpc.NewClient("passthrough:///identity", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	w.IdentityServiceClient = identityv1.NewIdentityServiceClient(cc)
	return cc
}

func (w *world) authenticate(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	ctx, err := principal.NewVerifier(w.ca.Part("identity"), mtls.ID("edge")).Incoming(ctx)
	if err != nil {
		return nil, err
	}
	return handle(ctx, req)
}

// as returns a context for calls of a principal, as the edge makes it.
func (w *world) as(t *testing.T, p *principalv1.Principal) context.Context {
	t.Helper()
	envelope, err := principal.NewSigner(w.ca.Part("edge")).Sign(p)
	if err != nil {
		t.Fatal(err)
	}
	return metadata.AppendToOutgoingContext(t.Context(), principal.MetadataKey, envelope)
}

// bearer returns a context for calls with an access token, which it verifies.
func (w *world) bearer(t *testing.T, token string) context.Context {
	t.Helper()
	c := w.verify(t, token)
	return w.as(t, &principalv1.Principal{Name: c.Subject, Kind: principalv1.Principal_KIND_USER, Session: c.Session, Device: c.Device})
}

func (w *world) signIn(t *testing.T, secret string) *identityv1.SignInAnonymousResponse {
	t.Helper()
	in, err := w.SignInAnonymous(t.Context(), &identityv1.SignInAnonymousRequest{InstallSecret: []byte(secret)})
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func (w *world) refresh(t *testing.T, token string) *identityv1.RefreshSessionResponse {
	t.Helper()
	out, err := w.RefreshSession(t.Context(), &identityv1.RefreshSessionRequest{RefreshToken: token})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// refuses checks that a refresh token is refused, and why.
func (w *world) refuses(t *testing.T, token, reason string) {
	t.Helper()
	_, err := w.RefreshSession(t.Context(), &identityv1.RefreshSessionRequest{RefreshToken: token})
	failed(t, err, "fairlead.identity.v1", reason)
}

// failed checks the reason of an error.
func failed(t *testing.T, err error, domain, reason string) {
	t.Helper()
	if d, r := errs.ReasonOf(err); d != domain || r != reason {
		t.Errorf("error = %v (%s %s), want %s %s", err, d, r, domain, reason)
	}
}
