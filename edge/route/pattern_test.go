package route

import (
	"slices"
	"testing"
)

func parse(t *testing.T, template string) Pattern {
	t.Helper()
	p, err := ParsePattern(template)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestParsePattern(t *testing.T) {
	for template, want := range map[string]Pattern{
		"/v1/users/me":                  {Segments: []string{"v1", "users", "me"}},
		"/v1/users/{user}":              {Segments: []string{"v1", "users", "*"}, Params: []string{"user"}},
		"/v1/{name=users/*}/posts":      {Segments: []string{"v1", "users", "*", "posts"}, Params: []string{"name"}},
		"/v1/{a.b=x/*}/{c}":             {Segments: []string{"v1", "x", "*", "*"}, Params: []string{"a.b", "c"}},
		"/v1/sessions:refresh":          {Segments: []string{"v1", "sessions"}, Verb: "refresh"},
		"/v1/{name=users/*}:link":       {Segments: []string{"v1", "users", "*"}, Verb: "link", Params: []string{"name"}},
		"/v1/{name=files/**}":           {Segments: []string{"v1", "files", "**"}, Params: []string{"name"}},
		"/.well-known/jwks.json":        {Segments: []string{".well-known", "jwks.json"}},
		"/v1/{name=users/*}/a/{b}:work": {Segments: []string{"v1", "users", "*", "a", "*"}, Verb: "work", Params: []string{"name", "b"}},
	} {
		p := parse(t, template)
		if !slices.Equal(p.Segments, want.Segments) || p.Verb != want.Verb || !slices.Equal(p.Params, want.Params) {
			t.Errorf("%s: got %+v", template, p)
		}
	}
	for _, template := range []string{"v1/users", "/v1/{name", "/v1/{a}/{a}", "/v1/{a=**}/b"} {
		if _, err := ParsePattern(template); err == nil {
			t.Errorf("%s is taken", template)
		}
	}
}

func TestOverlaps(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"/v1/users/{user}", "/v1/users/{name}", true},
		{"/v1/users/{user}", "/v1/users/me", true},
		{"/v1/users/{user}", "/v1/users/{user}/posts", false},
		{"/v1/users/{user}", "/v1/posts/{post}", false},
		{"/v1/{name=users/*}", "/v1/{kind}/me", true},
		{"/v1/{name=files/**}", "/v1/files/a/b/c", true},
		{"/v1/{name=files/**}", "/v1/files", true},
		{"/v1/{name=files/**}", "/v2/files/a", false},
		{"/v1/users:a", "/v1/users:b", false},
		{"/v1/users:a", "/v1/users", false},
	} {
		a, b := parse(t, c.a), parse(t, c.b)
		if a.Overlaps(b) != c.want || b.Overlaps(a) != c.want {
			t.Errorf("%s and %s: %v, %v", c.a, c.b, a.Overlaps(b), b.Overlaps(a))
		}
	}
}

func TestOpenPatternsComeFirst(t *testing.T) {
	want := []string{"/v1/{name=**}", "/v1/{name=users/**}", "/v1/users/{user}", "/v1/users/me"}
	var got []Pattern
	for _, template := range []string{want[3], want[1], want[2], want[0]} {
		got = append(got, parse(t, template))
	}
	slices.SortFunc(got, Pattern.compare)
	for i, p := range got {
		if p.Template != want[i] {
			t.Errorf("%d is %s, want %s", i, p.Template, want[i])
		}
	}
}
