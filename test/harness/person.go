package harness

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"
)

// Person is somebody who is signed in.
type Person struct {
	Session
	system *System
}

// Session is what signing in and refreshing answer.
type Session struct {
	User         User
	AccessToken  string
	RefreshToken string
	ExpireTime   time.Time
}

// User is a user in JSON.
type User struct {
	Name       string
	CreateTime time.Time
}

// Post is a post in JSON.
type Post struct {
	Name, Author, Text string
	CreateTime         time.Time
}

// Page is a page of posts in JSON.
type Page struct {
	Posts         []Post
	NextPageToken string
}

// SignIn signs somebody new in, over REST.
func (s *System) SignIn(t testing.TB) *Person {
	t.Helper()
	var session Session
	s.Do(t, http.MethodPost, "/v1/sessions:signInAnonymous", "{}").JSON(t, &session)
	return s.As(session)
}

// As returns the person whose session it is, however it began.
func (s *System) As(session Session) *Person { return &Person{session, s} }

// Authorization is the header that shows who calls.
func (p *Person) Authorization() string { return "Authorization: Bearer " + p.AccessToken }

// Do is System.Do as that person.
func (p *Person) Do(t testing.TB, method, path, body string, headers ...string) Response {
	t.Helper()
	return p.system.Do(t, method, path, body, append(headers, p.Authorization())...)
}

// Follow follows somebody.
func (p *Person) Follow(t testing.TB, other *Person) {
	t.Helper()
	r := p.Do(t, http.MethodPut, "/v1/users/me/follows/"+other.ID(), "")
	r.JSON(t, new(struct{}))
}

// ID is the last part of the person's name.
func (p *Person) ID() string { return p.User.Name[len("users/"):] }

// Post creates a post.
func (p *Person) Post(t testing.TB, text string, headers ...string) Post {
	t.Helper()
	var got struct{ Post Post }
	p.Do(t, http.MethodPost, "/v1/users/me/posts", fmt.Sprintf(`{"text":%q}`, text), headers...).JSON(t, &got)
	return got.Post
}

// Posts reads a page of the person's own posts, with the query "key", "value", …
func (p *Person) Posts(t testing.TB, query ...string) Page {
	t.Helper()
	return p.page(t, "/v1/users/me/posts", query)
}

// Timeline reads a page of the person's timeline.
func (p *Person) Timeline(t testing.TB, query ...string) Page {
	t.Helper()
	return p.page(t, "/v1/users/me/timeline", query)
}

func (p *Person) page(t testing.TB, path string, query []string) Page {
	t.Helper()
	values := url.Values{}
	for i := 0; i < len(query); i += 2 {
		values.Set(query[i], query[i+1])
	}
	var page Page
	p.Do(t, http.MethodGet, path+"?"+values.Encode(), "").JSON(t, &page)
	return page
}
