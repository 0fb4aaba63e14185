package e2e_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/fairlead-mesh/fairlead/test/harness"
)

const (
	identityService = "fairlead.identity.v1.IdentityService"
	socialService   = "fairlead.social.v1.SocialService"
)

// app is what a phone does, over one protocol or another.
type app interface {
	signIn(t *testing.T) *harness.Person
	follow(t *testing.T, who, whom *harness.Person)
	post(t *testing.T, who *harness.Person, text string) harness.Post
	get(t *testing.T, who *harness.Person, name string) harness.Post
	timeline(t *testing.T, who *harness.Person) harness.Page
}

// restApp speaks REST.
type restApp struct{ *harness.System }

func (a restApp) signIn(t *testing.T) *harness.Person { return a.SignIn(t) }

func (a restApp) follow(t *testing.T, who, whom *harness.Person) { who.Follow(t, whom) }

func (a restApp) post(t *testing.T, who *harness.Person, text string) harness.Post {
	return who.Post(t, text)
}

func (a restApp) get(t *testing.T, who *harness.Person, name string) harness.Post {
	var got struct{ Post harness.Post }
	who.Do(t, "GET", "/v1/"+name, "").JSON(t, &got)
	return got.Post
}

func (a restApp) timeline(t *testing.T, who *harness.Person) harness.Page { return who.Timeline(t) }

// grpcApp speaks gRPC, with a client that knows the services by reflection only.
type grpcApp struct {
	*harness.System
	curl *harness.Curl
}

func newGRPCApp(t *testing.T, s *harness.System) grpcApp { return grpcApp{s, s.Curl(t)} }

func (a grpcApp) signIn(t *testing.T) *harness.Person {
	var session harness.Session
	a.curl.Call(t, &session, identityService+"/SignInAnonymous", `{}`)
	return a.As(session)
}

func (a grpcApp) follow(t *testing.T, who, whom *harness.Person) {
	request := fmt.Sprintf(`{"name":"users/me/follows/%s"}`, whom.ID())
	a.curl.Call(t, new(struct{}), socialService+"/FollowUser", request, who.Authorization())
}

func (a grpcApp) post(t *testing.T, who *harness.Person, text string) harness.Post {
	var got struct{ Post harness.Post }
	request := fmt.Sprintf(`{"parent":"users/me","post":{"text":%q}}`, text)
	a.curl.Call(t, &got, socialService+"/CreatePost", request, who.Authorization())
	return got.Post
}

func (a grpcApp) get(t *testing.T, who *harness.Person, name string) harness.Post {
	var got struct{ Post harness.Post }
	a.curl.Call(t, &got, socialService+"/GetPost", fmt.Sprintf(`{"name":%q}`, name), who.Authorization())
	return got.Post
}

func (a grpcApp) timeline(t *testing.T, who *harness.Person) harness.Page {
	var page harness.Page
	a.curl.Call(t, &page, socialService+"/ListTimeline", `{"parent":"users/me"}`, who.Authorization())
	return page
}

// Two people talk: the one thing that everything else is for.
func TestTwoPeopleTalk(t *testing.T) { harness.Each(t, testTwoPeopleTalk) }

func testTwoPeopleTalk(t *testing.T, s *harness.System) {
	rest, grpc := restApp{s}, newGRPCApp(t, s)
	for name, c := range map[string]struct{ writer, reader app }{
		"REST":                         {rest, rest},
		"gRPC":                         {grpc, grpc},
		"posted in gRPC, read in REST": {grpc, rest},
		"posted in REST, read in gRPC": {rest, grpc},
	} {
		t.Run(name, func(t *testing.T) {
			ada, bob := c.writer.signIn(t), c.reader.signIn(t)
			if ada.User.Name == bob.User.Name {
				t.Fatalf("both are %s", ada.User.Name)
			}
			before := c.writer.post(t, ada, "before anybody listens")
			if got := c.reader.timeline(t, bob); len(got.Posts) != 0 {
				t.Errorf("a stranger's timeline holds %v", got.Posts)
			}
			c.reader.follow(t, bob, ada)
			after := c.writer.post(t, ada, "hello, bob ☂")
			if after.Author != ada.User.Name || after.Text != "hello, bob ☂" || time.Since(after.CreateTime).Abs() > time.Minute {
				t.Errorf("the post is %+v", after)
			}
			if got := c.reader.timeline(t, bob); !slices.Equal(got.Posts, []harness.Post{after, before}) {
				t.Errorf("the timeline holds %v, want %v and %v", got.Posts, after, before)
			}
			if got := c.reader.get(t, bob, after.Name); got != after {
				t.Errorf("the post reads %v, want %v", got, after)
			}
			if got := c.writer.timeline(t, ada); len(got.Posts) != 2 {
				t.Errorf("one's own timeline holds %v", got.Posts)
			}
		})
	}
}

func TestUnfollow(t *testing.T) { harness.Each(t, testUnfollow) }

func testUnfollow(t *testing.T, s *harness.System) {
	ada, bob := s.SignIn(t), s.SignIn(t)
	ada.Post(t, "hello")
	bob.Follow(t, ada)
	bob.Follow(t, ada) // twice is not an error
	if got := bob.Timeline(t); len(got.Posts) != 1 {
		t.Fatalf("the timeline holds %v", got.Posts)
	}
	for range 2 {
		bob.Do(t, "DELETE", "/v1/users/me/follows/"+ada.ID(), "").JSON(t, new(struct{}))
	}
	if got := bob.Timeline(t); len(got.Posts) != 0 {
		t.Errorf("the timeline still holds %v", got.Posts)
	}
}

// What a client sees of the port by reflection is what EDGE exposes.
func TestReflectionShowsTheSurface(t *testing.T) {
	curl := harness.Shared(t).Curl(t)
	services := curl.Services(t)
	if !slices.Contains(services, identityService) || !slices.Contains(services, socialService) {
		t.Errorf("the services are %v", services)
	}
	methods := curl.Methods(t, identityService)
	if !slices.Contains(methods, identityService+".GetUser") || slices.Contains(methods, identityService+".LookupUsers") {
		t.Errorf("the methods of %s are %v", identityService, methods)
	}
}

// The document lists the paths that scripts rely on.
func TestOpenAPI(t *testing.T) {
	r := harness.Shared(t).Do(t, "GET", "/openapi.json", "")
	var document struct {
		Swagger string
		OpenAPI string
		Paths   map[string]map[string]json.RawMessage
	}
	r.JSON(t, &document)
	if document.Swagger+document.OpenAPI == "" || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s: the document does not say what it is", r.Header.Get("Content-Type"))
	}
	for path, methods := range map[string][]string{
		"/v1/sessions:signInAnonymous":      {"post"},
		"/v1/sessions:refresh":              {"post"},
		"/v1/sessions:signOut":              {"post"},
		"/v1/users/{user}":                  {"get"},
		"/v1/users/{user}/follows/{follow}": {"put", "delete"},
		"/v1/users/{user}/posts":            {"get", "post"},
		"/v1/posts/{post}":                  {"get"},
		"/v1/users/{user}/timeline":         {"get"},
		"/.well-known/jwks.json":            {"get"},
	} {
		for _, m := range methods {
			if document.Paths[path][m] == nil {
				t.Errorf("the document lacks %s %s", m, path)
			}
		}
	}
}
