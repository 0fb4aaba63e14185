package service_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
	"github.com/fairlead-mesh/fairlead/pkg/host"
	"github.com/fairlead-mesh/fairlead/pkg/mesh"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/pkg/service"
	identityv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/identity/v1"
	socialv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/social/v1"
)

func TestPartServes(t *testing.T) {
	h, _ := newHost(t, "FAIRLEAD_IDENTITY_GREETING=good morning")
	r := start(t, h, new(identity).part(api(t)))

	got := instances(t, h)
	if len(got) != 1 || got[0].Service != "fairlead.identity.v1.IdentityService" || got[0].Address != r.Address ||
		got[0].ID != "process-1" || got[0].Identity != mtls.ID("identity") || got[0].Digest != descriptor.Digest(api(t)) {
		t.Errorf("registered %+v", got)
	}
	reply, err := client(t, h).SignInAnonymous(bounded(t), new(identityv1.SignInAnonymousRequest))
	if err != nil || reply.GetAccessToken() != "good morning" {
		t.Errorf("got %v, %v", reply, err)
	}
}

func TestRequestsAreValidated(t *testing.T) {
	h, _ := newHost(t)
	start(t, h, new(identity).part(api(t)))
	_, err := client(t, h).SignInAnonymous(bounded(t), &identityv1.SignInAnonymousRequest{InstallSecret: []byte("short")})
	if status.Code(err) != codes.InvalidArgument {
		t.Fatalf("got %v", err)
	}
	for _, detail := range status.Convert(err).Details() {
		if bad, ok := detail.(*errdetails.BadRequest); ok && bad.FieldViolations[0].Field == "install_secret" {
			return
		}
	}
	t.Errorf("no field violation in %v", status.Convert(err).Details())
}

func TestPolicyHolds(t *testing.T) {
	h, authority := newHost(t)
	start(t, h, new(identity).part(api(t)))
	c := client(t, h)
	for name, test := range map[string]struct {
		ctx  context.Context
		code codes.Code
	}{
		"nobody":               {bounded(t), codes.Unauthenticated},
		"signed by the edge":   {signed(t, authority, "edge"), codes.OK},
		"signed by a stranger": {signed(t, authority, "client"), codes.Unauthenticated},
	} {
		reply, err := c.GetUser(test.ctx, &identityv1.GetUserRequest{Name: "users/ann"})
		if status.Code(err) != test.code {
			t.Errorf("%s: got %v", name, err)
		}
		if err == nil && reply.GetUser().GetName() != "users/ann" {
			t.Errorf("%s: the handler knows %q", name, reply.GetUser().GetName())
		}
	}
}

func TestCloseLeavesTheMesh(t *testing.T) {
	h, _ := newHost(t)
	s := new(identity)
	r, err := s.part(api(t)).Start(bounded(t), h, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop(t, r)
	if s.closed != 1 {
		t.Errorf("the service was closed %d times", s.closed)
	}
	nothingRuns(t, instances(t, h), r.Address)
	_, err = client(t, h).SignInAnonymous(bounded(t), new(identityv1.SignInAnonymousRequest))
	if status.Code(err) != codes.Unavailable {
		t.Errorf("got %v", err)
	}
}

// social is a service that asks identity who wrote a post.
type social struct {
	socialv1.UnimplementedSocialServiceServer
	users identityv1.IdentityServiceClient
}

func (s *social) Register(r grpc.ServiceRegistrar) { socialv1.RegisterSocialServiceServer(r, s) }
func (s *social) Close() error                     { return nil }

func (s *social) GetPost(ctx context.Context, req *socialv1.GetPostRequest) (*socialv1.GetPostResponse, error) {
	author := "users/" + strings.TrimPrefix(req.GetName(), "posts/by-")
	user, err := s.users.GetUser(ctx, &identityv1.GetUserRequest{Name: author})
	if err != nil {
		return nil, err
	}
	return &socialv1.GetPostResponse{Post: &socialv1.Post{Name: req.GetName(), Author: user.GetUser().GetName()}}, nil
}

// Two parts share a process. The one calls the other for the user who has called
// it, and does not pass off the other's errors as its own.
func TestPartsCallEachOther(t *testing.T) {
	h, authority := newHost(t)
	start(t, h, new(identity).part(api(t)))
	start(t, h, service.Define("social", apiOf(t, "social"), func(_ context.Context, m *mesh.Mesh, _ struct{}) (service.Service, error) {
		return &social{users: identityv1.NewIdentityServiceClient(m.Dial("fairlead.identity.v1.IdentityService"))}, nil
	}))
	posts := socialv1.NewSocialServiceClient(member(t, h).Dial("fairlead.social.v1.SocialService"))
	reply, err := posts.GetPost(signed(t, authority, "edge"), &socialv1.GetPostRequest{Name: "posts/by-ann"})
	if err != nil || reply.GetPost().GetAuthor() != "users/ann" {
		t.Errorf("got %v, %v", reply, err)
	}
	_, err = posts.GetPost(signed(t, authority, "edge"), &socialv1.GetPostRequest{Name: "posts/by-bob"})
	if status.Code(err) != codes.Internal || strings.Contains(err.Error(), "user") {
		t.Errorf("identity's NOT_FOUND became %v", err)
	}
}

func TestConfiguration(t *testing.T) {
	p := new(identity).part(nil)
	if got := p.Names(); !slices.Equal(got, []string{"FAIRLEAD_IDENTITY_GREETING"}) {
		t.Errorf("got %v", got)
	}
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	p.Flags(flags)
	if err := flags.Parse([]string{"--identity-greeting=hi"}); err != nil {
		t.Fatal(err)
	}
	got, err := p.Settings(nil, flags)
	if err != nil || len(got) != 1 || got[0].Value != "hi" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestProgram(t *testing.T) {
	h, _ := newHost(t)
	p := new(identity).part(api(t)).Program()
	if p.Name != "identity" || !slices.Equal(p.Names, []string{"FAIRLEAD_IDENTITY_GREETING"}) {
		t.Errorf("got %+v", p)
	}
	c := host.MeshConfig{Listen: "127.0.0.1:0"}
	running, err := p.Start(bounded(t), h, c)
	if err != nil {
		t.Fatal(err)
	}
	if len(instances(t, h)) != 1 {
		t.Errorf("registered %v", instances(t, h))
	}
	if err := running.Close(bounded(t)); err != nil {
		t.Error(err)
	}
	// A part that does not start is no part that could be closed.
	c.Listen = "nowhere"
	if running, err := p.Start(bounded(t), h, c); err == nil || running != nil {
		t.Errorf("got %v, %v", running, err)
	}
}
