package social_test

import (
	"context"
	"net"
	"path/filepath"
	"slices"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	"github.com/fairlead-mesh/fairlead/pkg/principal"
	"github.com/fairlead-mesh/fairlead/pkg/store/storetest"
	"github.com/fairlead-mesh/fairlead/pkg/validate"
	identityv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/identity/v1"
	principalv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/principal/v1"
	socialv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/social/v1"
	"github.com/fairlead-mesh/fairlead/services/social"
)

// identity knows ada, bob and cy.
type identity struct {
	identityv1.IdentityServiceClient
	err error
}

func (i *identity) LookupUsers(_ context.Context, req *identityv1.LookupUsersRequest, _ ...grpc.CallOption) (*identityv1.LookupUsersResponse, error) {
	if i.err != nil {
		return nil, i.err
	}
	res := &identityv1.LookupUsersResponse{}
	for _, name := range req.GetNames() {
		if slices.Contains([]string{"users/ada", "users/bob", "users/cy"}, name) {
			res.Users = append(res.Users, &identityv1.User{Name: name})
		}
	}
	return res, nil
}

// app is a client of a running service.
type app struct {
	socialv1.SocialServiceClient
	identity *identity
}

// each runs a test on every engine.
func each(t *testing.T, test func(t *testing.T, app *app)) {
	storetest.Each(t, func(t *testing.T, url string) { test(t, start(t, url)) })
}

// start serves social from a database with page keys of its own.
func start(t *testing.T, url string) *app {
	t.Helper()
	return startWith(t, url, filepath.Join(t.TempDir(), "page.keys"))
}

// startWith serves social as a server does: principals are known and requests
// validated before the handler runs.
func startWith(t *testing.T, url, pageKeys string) *app {
	t.Helper()
	known := &identity{}
	service, err := social.New(t.Context(), social.Config{Database: url, PageKeys: pageKeys}, known)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.ChainUnaryInterceptor(signedIn, validate.Unary))
	service.Register(server)
	listener := bufconn.Listen(1 << 20)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
		if err := service.Close(); err != nil {
			t.Error(err)
		}
	})
	return &app{socialv1.NewSocialServiceClient(dial(t, listener)), known}
}

func dial(t *testing.T, listener *bufconn.Listener) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:social",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return conn
}

// signedIn stands for the verification of envelopes: it believes a name.
func signedIn(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if names := metadata.ValueFromIncomingContext(ctx, "test-principal"); len(names) > 0 {
		ctx = principal.NewContext(ctx, &principalv1.Principal{Name: names[0]})
	}
	return handle(ctx, req)
}

// as returns the context of a user's calls, with an idempotency key where one is
// given.
func as(t *testing.T, user string, key ...string) context.Context {
	pairs := []string{"test-principal", "users/" + user}
	for _, k := range key {
		pairs = append(pairs, "idempotency-key", k)
	}
	return metadata.AppendToOutgoingContext(t.Context(), pairs...)
}

func want(t *testing.T, err error, code codes.Code, reason string) {
	t.Helper()
	_, got := errs.ReasonOf(err)
	if status.Code(err) != code || got != reason {
		t.Errorf("got %s %q, want %s %s (%v)", status.Code(err), got, code, reason, err)
	}
}

func (a *app) post(t *testing.T, user, text string) *socialv1.Post {
	t.Helper()
	res, err := a.CreatePost(as(t, user), &socialv1.CreatePostRequest{
		Parent: "users/me", Post: &socialv1.Post{Text: text},
	})
	if err != nil {
		t.Fatal(err)
	}
	return res.GetPost()
}

func (a *app) follow(t *testing.T, user, followee string) {
	t.Helper()
	_, err := a.FollowUser(as(t, user), &socialv1.FollowUserRequest{Name: "users/me/follows/" + followee})
	if err != nil {
		t.Fatal(err)
	}
}

func (a *app) unfollow(t *testing.T, user, followee string) {
	t.Helper()
	_, err := a.UnfollowUser(as(t, user), &socialv1.UnfollowUserRequest{Name: "users/me/follows/" + followee})
	if err != nil {
		t.Fatal(err)
	}
}

// texts returns what the first page of a user's timeline says.
func (a *app) texts(t *testing.T, user string) []string {
	t.Helper()
	res, err := a.ListTimeline(as(t, user), &socialv1.ListTimelineRequest{Parent: "users/me"})
	if err != nil {
		t.Fatal(err)
	}
	return textsOf(res.GetPosts())
}

func textsOf(posts []*socialv1.Post) []string {
	var texts []string
	for _, post := range posts {
		texts = append(texts, post.GetText())
	}
	return texts
}

func (a *app) wantTimeline(t *testing.T, user string, want ...string) {
	t.Helper()
	if got := a.texts(t, user); !slices.Equal(got, want) {
		t.Errorf("timeline of %s: got %q, want %q", user, got, want)
	}
}
