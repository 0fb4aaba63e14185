package e2e_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	policyv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/policy/v1"
	recipesv1 "github.com/fairlead-mesh/fairlead/test/gen/go/acme/recipes/v1"
	"github.com/fairlead-mesh/fairlead/test/harness"
	"github.com/fairlead-mesh/fairlead/test/recipes"
)

const (
	recipesService = "acme.recipes.v1.RecipesService"
	getRecipe      = recipesService + "/GetRecipe"
	pasta          = "recipes/pasta"
)

// notRouted is the fault of what does not exist.
func notRouted(code codes.Code) fault { return fault{code, common, "NOT_ROUTED", ""} }

// startRecipes runs the recipes service as a process of its own.
func startRecipes(t *testing.T, s *harness.System) *harness.Process {
	t.Helper()
	return harness.Start(t, harness.Build(t, "test/cmd/recipes"), []string{"FAIRLEAD_MESH_DATA=" + s.Dir})
}

// visitor asks for a recipe in REST and in gRPC.
type visitor struct {
	s    *harness.System
	grpc recipesv1.RecipesServiceClient
}

func newVisitor(t *testing.T, s *harness.System) visitor {
	return visitor{s, recipesv1.NewRecipesServiceClient(s.Dial(t))}
}

// rest returns the HTTP status, 0 when there was no answer.
func (v visitor) rest(t *testing.T) int {
	r, err := v.s.TryAsk(t, v.s.Public, "GET", "/v1/"+pasta, "")
	if err != nil {
		t.Error(err)
	}
	return r.Status
}

func (v visitor) code(ctx context.Context) codes.Code {
	_, err := v.grpc.GetRecipe(ctx, &recipesv1.GetRecipeRequest{Name: pasta}, grpc.WaitForReady(true))
	return status.Code(err)
}

// gone says that the edge does not know the service, in neither protocol.
func (v visitor) gone(t *testing.T) bool {
	return v.rest(t) == 404 && v.code(t.Context()) == codes.Unimplemented
}

// A service with a proto that the edge has never seen is callable soon after it
// has registered, in both protocols, and gone after it has drained, without one
// failed call in between.
func TestNewService(t *testing.T) {
	s := harness.Up(t)
	v := newVisitor(t, s)
	if !v.gone(t) {
		t.Fatal("the service is there before it starts")
	}
	harness.Build(t, "test/cmd/recipes")
	registered := watchRegistration(t, s, recipesService)

	started := time.Now()
	p := startRecipes(t, s)
	callable := make(map[string]time.Time)
	harness.Eventually(t, "recipes are served", func() bool {
		note(callable, "REST", v.rest(t) == 200)
		note(callable, "gRPC", v.code(t.Context()) == codes.OK)
		return len(callable) == 2 || !p.Running()
	})
	if !p.Running() {
		t.Fatal("recipes has ended")
	}
	since := <-registered
	t.Logf("registered %v after its start", since.Sub(started).Round(time.Millisecond))
	for protocol, when := range callable {
		took := when.Sub(since)
		t.Logf("callable in %s %v after it registered", protocol, took.Round(time.Millisecond))
		if took > 2*time.Second {
			t.Errorf("callable in %s only %v after it registered", protocol, took)
		}
	}

	t.Run("serves", func(t *testing.T) { testRecipes(t, s) })
	t.Run("drains", func(t *testing.T) { testDrain(t, v, p) })
	if services := s.Curl(t).Services(t); strings.Contains(strings.Join(services, " "), recipesService) {
		t.Errorf("reflection still shows %v", services)
	}
}

// note remembers when something was true for the first time.
func note(first map[string]time.Time, what string, now bool) {
	if _, known := first[what]; now && !known {
		first[what] = time.Now()
	}
}

// watchRegistration returns a channel that tells when a service is in the
// registry, as another process sees it.
func watchRegistration(t *testing.T, s *harness.System, service string) <-chan time.Time {
	t.Helper()
	r := registry(t, s, certificate(t, s, "watcher"))
	ctx, cancel := context.WithCancel(t.Context())
	when, watching := make(chan time.Time, 1), make(chan struct{})
	var once, begun sync.Once
	var wg sync.WaitGroup
	wg.Go(func() {
		r.Watch(ctx, service, func(list []discovery.Instance) {
			begun.Do(func() { close(watching) })
			if len(list) > 0 {
				once.Do(func() { when <- time.Now() })
			}
		})
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	select {
	case <-watching:
	case <-time.After(harness.Patience):
		t.Fatal("the registry cannot be read")
	}
	return when
}

func testRecipes(t *testing.T, s *harness.System) {
	var got struct{ Recipe struct{ Name, Text string } }
	s.Do(t, "GET", "/v1/"+pasta, "").JSON(t, &got)
	if got.Recipe.Name != pasta || got.Recipe.Text == "" {
		t.Errorf("the recipe is %+v", got.Recipe)
	}
	rest := got.Recipe
	s.Curl(t).Call(t, &got, getRecipe, `{"name":"`+pasta+`"}`, s.SignIn(t).Authorization())
	if got.Recipe != rest {
		t.Errorf("in gRPC it is %+v", got.Recipe)
	}
	expectREST(t, s.Do(t, "GET", "/v1/recipes/PASTA", ""), 400, wrong("INVALID_FIELD", "name"))
	expectREST(t, s.Do(t, "GET", "/v1/recipes/stone", ""), 404, fault{codes.NotFound, "acme.recipes.v1", "RECIPE_NOT_FOUND", ""})
}

// testDrain ends the service while somebody calls it without a pause: each call is
// answered, or told that there is no such path.
func testDrain(t *testing.T, v visitor, p *harness.Process) {
	p.Signal(syscall.SIGTERM)
	statuses, answers := map[int]int{}, map[codes.Code]int{}
	harness.Eventually(t, "recipes are gone", func() bool {
		status, code := v.rest(t), v.code(t.Context())
		statuses[status]++
		answers[code]++
		return status == 404 && code == codes.Unimplemented
	})
	for status := range statuses {
		if status != 200 && status != 404 {
			t.Errorf("while it drained REST was answered with %v", statuses)
		}
	}
	for code := range answers {
		if code != codes.OK && code != codes.Unimplemented {
			t.Errorf("while it drained gRPC was answered with %v", answers)
		}
	}
	if code := p.Exit(t); code != 0 {
		t.Errorf("recipes has ended with %d", code)
	}
	if !v.gone(t) {
		t.Error("recipes are back after their end")
	}
	expectREST(t, v.s.Do(t, "GET", "/v1/"+pasta, ""), 404, notRouted(codes.NotFound))
}

// An operator's grant replaces the one of development.
func TestServiceWithoutGrant(t *testing.T) {
	type grant struct {
		Identity string   `json:"identity"`
		Packages []string `json:"packages"`
		Paths    []string `json:"paths"`
	}
	list, err := json.Marshal([]grant{
		{"spiffe://fairlead/identity", []string{"fairlead.identity.v1"}, []string{"/v1/sessions", "/v1/users", "/.well-known"}},
		{"spiffe://fairlead/social", []string{"fairlead.social.v1"}, []string{"/v1/users", "/v1/posts"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "grants.json")
	if err := os.WriteFile(file, list, 0o600); err != nil {
		t.Fatal(err)
	}
	s := harness.Up(t, "--grants", file)
	startRecipes(t, s)
	why := warning(t, s, recipesService)
	if !strings.Contains(why, "spiffe://fairlead/recipes") || !strings.Contains(why, "grant") {
		t.Errorf("the event says %q", why)
	}
	if !newVisitor(t, s).gone(t) {
		t.Error("a service without a grant is served")
	}
	socialWorks(t, s)
}

// warning waits for the event that says why something is not exposed.
func warning(t *testing.T, s *harness.System, subject string) (why string) {
	t.Helper()
	harness.Eventually(t, subject+" is refused", func() bool {
		why = s.Warned(t, subject)
		return why != ""
	})
	return why
}

// socialWorks makes calls enough for each instance to get some.
func socialWorks(t *testing.T, s *harness.System) {
	t.Helper()
	ada, bob := s.SignIn(t), s.SignIn(t)
	bob.Follow(t, ada)
	for range 20 {
		ada.Post(t, "still here")
	}
	if n := len(bob.Timeline(t).Posts); n != 20 {
		t.Errorf("the timeline holds %d posts", n)
	}
}

// A part cannot serve what belongs to another, whatever it writes into the
// registry. Not one call reaches it.
func TestServiceThatClaimsAnothersName(t *testing.T) {
	s := harness.Up(t)
	x := newStranger(t, s, "recipes")
	image := changedRecipes(t, func(f *descriptorpb.FileDescriptorProto, _ *descriptorpb.MethodDescriptorProto) {
		f.Name, f.Package = proto.String("fairlead/social/v1/social.proto"), proto.String("fairlead.social.v1")
		f.Service[0].Name = proto.String("SocialService")
		m := f.Service[0].Method[0]
		for _, name := range []**string{&m.InputType, &m.OutputType} {
			*name = proto.String(strings.Replace(**name, "acme.recipes", "fairlead.social", 1))
		}
		for _, message := range f.MessageType {
			for _, field := range message.Field {
				if field.TypeName != nil {
					field.TypeName = proto.String(strings.Replace(*field.TypeName, "acme.recipes", "fairlead.social", 1))
				}
			}
		}
	})
	x.claim(t, socialService, image)
	if why := warning(t, s, socialService); !strings.Contains(why, "spiffe://fairlead/recipes") {
		t.Errorf("the event says %q", why)
	}
	socialWorks(t, s)
	if n := x.calls.Load(); n != 0 {
		t.Errorf("%d calls have reached the stranger", n)
	}
	if newVisitor(t, s).rest(t) != 404 {
		t.Error("its route is served")
	}
}

// Nor can it take a route that stands, under a name that it may serve.
func TestServiceThatClaimsAnothersRoute(t *testing.T) {
	s := harness.Up(t)
	for name, path := range map[string]string{"the same": "/v1/{name=posts/*}", "one of them": "/v1/posts/pinned"} {
		t.Run(name, func(t *testing.T) {
			x := newStranger(t, s, "recipes")
			x.claim(t, recipesService, changedRecipes(t, func(_ *descriptorpb.FileDescriptorProto, m *descriptorpb.MethodDescriptorProto) {
				proto.SetExtension(m.Options, annotations.E_Http, &annotations.HttpRule{Pattern: &annotations.HttpRule_Get{Get: path}})
			}))
			var why string
			harness.Eventually(t, "the route is refused", func() bool {
				why = s.Warned(t, getRecipe)
				return strings.Contains(why, path)
			})
			if !strings.Contains(why, socialService) {
				t.Errorf("the event says %q", why)
			}
			ada := s.SignIn(t)
			post := ada.Post(t, "mine")
			if got := (restApp{s}).get(t, ada, post.Name); got != post {
				t.Errorf("the post reads %v", got)
			}
			expectREST(t, ada.Do(t, "GET", "/v1/posts/pinned", ""), 404, fault{codes.NotFound, social, "POST_NOT_FOUND", ""})
			if code := newVisitor(t, s).code(t.Context()); code != codes.Unimplemented {
				t.Errorf("the method is served in gRPC: %v", code)
			}
			if n := x.calls.Load(); n != 0 {
				t.Errorf("%d calls have reached the stranger", n)
			}
		})
	}
}

// A policy that this edge does not understand is from a newer one, which meant
// something by it: the method stays closed.
func TestServiceWithAnUnknownPolicy(t *testing.T) {
	s := harness.Up(t)
	x := newStranger(t, s, "recipes")
	x.claim(t, recipesService, changedRecipes(t, func(_ *descriptorpb.FileDescriptorProto, m *descriptorpb.MethodDescriptorProto) {
		policy := proto.GetExtension(m.Options, policyv1.E_Method).(*policyv1.MethodPolicy)
		policy.Exposure = 77
		proto.SetExtension(m.Options, policyv1.E_Method, policy)
	}))
	if why := warning(t, s, getRecipe); !strings.Contains(why, "exposure") || !strings.Contains(why, "77") {
		t.Errorf("the event says %q", why)
	}
	if !newVisitor(t, s).gone(t) {
		t.Error("the method is served")
	}
	if n := x.calls.Load(); n != 0 {
		t.Errorf("%d calls have reached the stranger", n)
	}
	socialWorks(t, s)
}

// changedRecipes returns the descriptor set of recipes after edit, which gets its
// file and its only method.
func changedRecipes(t *testing.T, edit func(*descriptorpb.FileDescriptorProto, *descriptorpb.MethodDescriptorProto)) []byte {
	t.Helper()
	set := new(descriptorpb.FileDescriptorSet)
	if err := proto.Unmarshal(recipes.API, set); err != nil {
		t.Fatal(err)
	}
	for _, f := range set.File {
		if f.GetPackage() == "acme.recipes.v1" {
			edit(f, f.Service[0].Method[0])
		}
	}
	image, err := proto.MarshalOptions{Deterministic: true}.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return image
}
