package e2e_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/fairlead-mesh/fairlead/test/harness"
)

// wrong is a fault that any service may find in a request.
func wrong(reason, field string) fault {
	return fault{codes.InvalidArgument, common, reason, field}
}

func TestBadBody(t *testing.T) {
	p := harness.Shared(t).SignIn(t)
	const posts = "/v1/users/me/posts"
	deep := strings.Repeat(`[`, 10_000) + strings.Repeat(`]`, 10_000)
	for name, c := range map[string]struct {
		path, body string
		want       fault
	}{
		"unknown field":             {signIn, `{"instalSecret":"AAAA"}`, wrong("UNKNOWN_FIELD", "instalSecret")},
		"unknown field in a part":   {posts, `{"text":"a","txet":"b"}`, wrong("UNKNOWN_FIELD", "post.txet")},
		"wrong type":                {posts, `{"text":5}`, wrong("INVALID_FIELD", "post.text")},
		"wrong type of the whole":   {posts, `[{"text":"a"}]`, wrong("MALFORMED", "post")},
		"field twice":               {posts, `{"text":"a","text":"b"}`, wrong("INVALID_FIELD", "post.text")},
		"trailing garbage":          {posts, `{"text":"a"} GARBAGE`, wrong("MALFORMED", "post")},
		"two objects":               {posts, `{"text":"a"}{"text":"b"}`, wrong("MALFORMED", "post")},
		"two objects, whole body":   {signIn, `{}{}`, wrong("MALFORMED", "")},
		"cut off":                   {posts, `{"text":`, wrong("MALFORMED", "")},
		"not JSON":                  {posts, `text=a`, wrong("MALFORMED", "post")},
		"invalid UTF-8":             {posts, "{\"text\":\"a\xff\"}", wrong("MALFORMED", "post.text")},
		"deep where a text belongs": {posts, `{"text":` + deep + `}`, wrong("INVALID_FIELD", "post.text")},
		"deep from the beginning":   {signIn, deep, wrong("MALFORMED", "")},
		"empty text":                {posts, `{"text":""}`, wrong("INVALID_FIELD", "post.text")},
		"no text":                   {posts, `{}`, wrong("INVALID_FIELD", "post.text")},
		"no post":                   {posts, ``, wrong("INVALID_FIELD", "post")},
		"text too long":             {posts, `{"text":"` + strings.Repeat("ü", 2001) + `"}`, wrong("INVALID_FIELD", "post.text")},
		"control characters":        {posts, `{"text":"a\u0000b"}`, wrong("INVALID_FIELD", "post.text")},
	} {
		t.Run(name, func(t *testing.T) { expectREST(t, p.Do(t, "POST", c.path, c.body), 400, c.want) })
	}
	if got := p.Posts(t); len(got.Posts) != 0 {
		t.Errorf("something was posted all the same: %v", got.Posts)
	}
	p.Post(t, strings.Repeat("ü", 2000)) // the longest
}

func TestBadMediaType(t *testing.T) {
	p := harness.Shared(t).SignIn(t)
	for name, header := range map[string]string{
		"XML":        "Content-Type: application/xml",
		"plain text": "Content-Type: text/plain",
		"a form":     "Content-Type: multipart/form-data; boundary=x",
		"Latin-1":    "Content-Type: application/json; charset=latin1",
		"compressed": "Content-Encoding: br",
	} {
		t.Run(name, func(t *testing.T) {
			r := p.Do(t, "POST", "/v1/users/me/posts", `{"text":"a"}`, header)
			expectREST(t, r, 415, wrong("UNSUPPORTED_MEDIA_TYPE", ""))
		})
	}
	p.Post(t, "a", "Content-Type: application/json; charset=UTF-8")
	p.Post(t, "as curl sends it", "Content-Type: application/x-www-form-urlencoded")
}

func TestBadQuery(t *testing.T) {
	s := harness.Shared(t)
	ada, bob := s.SignIn(t), s.SignIn(t)
	for range 2 {
		ada.Post(t, "hello")
		bob.Post(t, "hello")
	}
	token := ada.Posts(t, "pageSize", "1").NextPageToken
	if token == "" {
		t.Fatal("there is no second page")
	}
	flipped := string(token[0]^1) + token[1:]
	for name, c := range map[string]struct {
		path string
		want fault
	}{
		"unknown parameter":                {"/v1/users/me/timeline?pagesize=3", wrong("UNKNOWN_FIELD", "pagesize")},
		"parameter that the path sets":     {"/v1/users/me/timeline?parent=users/me", wrong("UNKNOWN_FIELD", "parent")},
		"parameter of another method":      {"/v1/users/me?pageSize=3", wrong("UNKNOWN_FIELD", "pageSize")},
		"two names for one":                {"/v1/users/me/timeline?pageSize=3&page_size=3", wrong("INVALID_FIELD", "page_size")},
		"given twice":                      {"/v1/users/me/timeline?pageSize=3&pageSize=4", wrong("INVALID_FIELD", "page_size")},
		"negative page size":               {"/v1/users/me/timeline?pageSize=-1", wrong("INVALID_FIELD", "page_size")},
		"negative page size of posts":      {"/v1/users/me/posts?page_size=-1", wrong("INVALID_FIELD", "page_size")},
		"page size no number":              {"/v1/users/me/timeline?pageSize=ten", wrong("INVALID_FIELD", "page_size")},
		"page size out of range":           {"/v1/users/me/timeline?pageSize=3000000000", wrong("INVALID_FIELD", "page_size")},
		"bad page token":                   {"/v1/users/me/timeline?pageToken=garbage", wrong("INVALID_PAGE_TOKEN", "page_token")},
		"changed page token":               {"/v1/users/me/posts?pageToken=" + flipped, wrong("INVALID_PAGE_TOKEN", "page_token")},
		"page token of another method":     {"/v1/users/me/timeline?pageToken=" + token, wrong("INVALID_PAGE_TOKEN", "page_token")},
		"page token of another query":      {"/v1/" + bob.User.Name + "/posts?pageToken=" + token, wrong("INVALID_PAGE_TOKEN", "page_token")},
		"page token too long":              {"/v1/users/me/posts?pageToken=" + strings.Repeat("A", 513), wrong("INVALID_FIELD", "page_token")},
		"percent without digits":           {"/v1/users/me/posts?pageToken=%zz", wrong("MALFORMED", "")},
		"name that is none":                {"/v1/users/ADA", wrong("INVALID_FIELD", "name")},
		"name of two dots":                 {"/v1/users/%2e%2e", wrong("INVALID_FIELD", "name")},
		"name with an escaped slash in it": {"/v1/users/a%2Fb", wrong("INVALID_FIELD", "name")},
	} {
		t.Run(name, func(t *testing.T) { expectREST(t, ada.Do(t, "GET", c.path, ""), 400, c.want) })
	}
	t.Run("page token of the other me", func(t *testing.T) {
		r := bob.Do(t, "GET", "/v1/users/me/posts?pageToken="+token, "")
		expectREST(t, r, 400, wrong("INVALID_PAGE_TOKEN", "page_token"))
	})
	t.Run("body on GET", func(t *testing.T) {
		expectREST(t, ada.Do(t, "GET", "/v1/users/me", `{"name":"users/me"}`), 400, wrong("MALFORMED", ""))
	})
}

func TestQueryNames(t *testing.T) {
	p := harness.Shared(t).SignIn(t)
	for range 3 {
		p.Post(t, "hello")
	}
	for _, names := range [][2]string{{"pageSize", "pageToken"}, {"page_size", "page_token"}, {"pageSize", "page_token"}} {
		first := p.Timeline(t, names[0], "2")
		second := p.Timeline(t, names[0], "2", names[1], first.NextPageToken)
		if len(first.Posts) != 2 || len(second.Posts) != 1 {
			t.Errorf("%v: pages of %d and %d posts", names, len(first.Posts), len(second.Posts))
		}
	}
}

func TestMethodsAndPaths(t *testing.T) {
	p := harness.Shared(t).SignIn(t)
	t.Run("wrong method", func(t *testing.T) {
		for path, c := range map[string]struct{ method, allow string }{
			"/v1/users/me/posts":             {"PATCH", "GET, HEAD, OPTIONS, POST"},
			"/v1/users/me/timeline":          {"DELETE", "GET, HEAD, OPTIONS"},
			"/v1/users/me/follows/x":         {"GET", "DELETE, OPTIONS, PUT"},
			"/v1/sessions:refresh":           {"HEAD", "OPTIONS, POST"},
			"/v1/sessions:signInAnonymous":   {"PUT", "OPTIONS, POST"},
			"/v1/users/me/posts?pageSize=-1": {"TRACE", "GET, HEAD, OPTIONS, POST"},
		} {
			r := p.Do(t, c.method, path, "")
			if got := r.Header.Get("Allow"); got != c.allow {
				t.Errorf("%s %s: Allow is %q, want %q", c.method, path, got, c.allow)
			}
			if c.method == "HEAD" {
				if r.Status != 405 || r.Body != "" {
					t.Errorf("HEAD %s: %d %q", path, r.Status, r.Body)
				}
				continue
			}
			expectREST(t, r, 405, fault{codes.Unimplemented, common, "METHOD_NOT_ALLOWED", ""})
		}
	})
	t.Run("HEAD is GET without the body", func(t *testing.T) {
		get, head := p.Do(t, "GET", "/v1/users/me", ""), p.Do(t, "HEAD", "/v1/users/me", "")
		if head.Status != 200 || head.Body != "" {
			t.Errorf("%d %q", head.Status, head.Body)
		}
		// protojson may write one space more or less, but never within one process.
		for _, h := range []string{"Content-Type", "Content-Length", "Cache-Control"} {
			if get.Header.Get(h) != head.Header.Get(h) {
				t.Errorf("%s is %q, of GET %q", h, head.Header.Get(h), get.Header.Get(h))
			}
		}
		if r := p.Do(t, "HEAD", "/v1/posts/none", ""); r.Status != 404 || r.Body != "" {
			t.Errorf("of nothing: %d %q", r.Status, r.Body)
		}
	})
	t.Run("OPTIONS says what is allowed", func(t *testing.T) {
		r := p.Do(t, "OPTIONS", "/v1/users/me/posts", "")
		if r.Status != 204 || r.Body != "" || r.Header.Get("Allow") != "GET, HEAD, OPTIONS, POST" {
			t.Errorf("%d %q, Allow %q", r.Status, r.Body, r.Header.Get("Allow"))
		}
	})
	for name, path := range map[string]string{
		"unknown path":        "/v1/nothing",
		"root":                "/",
		"unknown verb":        "/v1/sessions:none",
		"slash at the end":    "/v1/users/me/",
		"two slashes":         "/v1//users/me",
		"gRPC name":           "/" + socialService + "/GetPost",
		"console":             "/status.json",
		"metrics":             "/metrics",
		"profile":             "/debug/pprof/",
		"gateway of etcd":     "/v3/kv/range",
		"unknown path, dots":  "/v1/users/../../etc/passwd",
		"OPTIONS of nothing ": "/v2",
	} {
		t.Run(name, func(t *testing.T) {
			method := "GET"
			if strings.HasPrefix(name, "OPTIONS") {
				method = "OPTIONS"
			}
			expectREST(t, p.Do(t, method, path, ""), 404, fault{codes.NotFound, common, "NOT_ROUTED", ""})
		})
	}
}

// What belongs to somebody else, and what does not exist.
func TestOtherPeoplesThings(t *testing.T) {
	s := harness.Shared(t)
	ada, bob := s.SignIn(t), s.SignIn(t)
	denied := fault{codes.PermissionDenied, social, "NOT_OWNER", ""}
	missing := func(domain, reason string) fault { return fault{codes.NotFound, domain, reason, ""} }
	nobody := "/v1/users/me/follows/01900000-0000-7000-8000-000000000000"
	self := fault{codes.InvalidArgument, social, "SELF_FOLLOW", "name"}
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		want               fault
	}{
		"posting as another":           {"POST", "/v1/" + ada.User.Name + "/posts", `{"text":"a"}`, 403, denied},
		"following as another":         {"PUT", "/v1/" + ada.User.Name + "/follows/" + bob.ID(), "", 403, denied},
		"unfollowing as another":       {"DELETE", "/v1/" + ada.User.Name + "/follows/" + bob.ID(), "", 403, denied},
		"another's timeline":           {"GET", "/v1/" + ada.User.Name + "/timeline", "", 403, denied},
		"another's account":            {"GET", "/v1/" + ada.User.Name, "", 404, missing(identity, "USER_NOT_FOUND")},
		"a post that does not exist":   {"GET", "/v1/posts/none", "", 404, missing(social, "POST_NOT_FOUND")},
		"following nobody":             {"PUT", nobody, "", 404, missing(social, "USER_NOT_FOUND")},
		"following oneself":            {"PUT", "/v1/users/me/follows/me", "", 400, self},
		"following oneself by name":    {"PUT", "/v1/users/me/follows/" + bob.ID(), "", 400, self},
		"following oneself, both ways": {"PUT", "/v1/" + bob.User.Name + "/follows/" + bob.ID(), "", 400, self},
	} {
		t.Run(name, func(t *testing.T) { expectREST(t, bob.Do(t, c.method, c.path, c.body), c.status, c.want) })
	}
	if got := ada.Posts(t); len(got.Posts) != 0 {
		t.Errorf("somebody has posted for ada: %v", got.Posts)
	}
	if got := bob.Do(t, "GET", "/v1/"+ada.User.Name+"/posts", ""); got.Status != 200 {
		t.Errorf("another's posts: %d %s", got.Status, got.Body)
	}
}

// A plain client, that writes its whole body before it reads, must get the
// answer and not a broken connection.
func TestBodyOverTheCap(t *testing.T) {
	s := harness.Shared(t)
	p := s.SignIn(t)
	body := func(size int) string { return `{"text":"` + strings.Repeat("x", size-len(`{"text":""}`)) + `"}` }
	tooLarge := fault{codes.ResourceExhausted, common, "REQUEST_TOO_LARGE", ""}
	for name, c := range map[string]struct {
		body    io.Reader
		version int
	}{
		"announced":          {strings.NewReader(body(4 << 20)), 1},
		"chunked":            {io.MultiReader(strings.NewReader(body(4 << 20))), 1},
		"one byte more":      {strings.NewReader(body(1<<20 + 1)), 1},
		"announced, HTTP/2":  {strings.NewReader(body(4 << 20)), 2},
		"unannounced HTTP/2": {io.MultiReader(strings.NewReader(body(4 << 20))), 2},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			expectREST(t, plainPost(t, c.version, "http://"+s.Public+"/v1/users/me/posts", p.AccessToken, c.body), 413, tooLarge)
			// The edge reads on for a while: curl takes a stream that is reset under
			// its hands for an error, though the answer was there.
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("the whole answer came only after %v", took)
			}
		})
	}
	t.Run("almost as large as it may be", func(t *testing.T) { // the path adds some bytes; too long for a post
		expectREST(t, p.Do(t, "POST", "/v1/users/me/posts", body(1<<20-64)), 400, wrong("INVALID_FIELD", "post.text"))
	})
}

// plainPost posts with a client of net/http that nobody has configured but for the
// version of HTTP.
func plainPost(t *testing.T, version int, url, token string, body io.Reader) harness.Response {
	t.Helper()
	var protocols http.Protocols
	protocols.SetHTTP1(version == 1)
	protocols.SetUnencryptedHTTP2(version == 2)
	transport := &http.Transport{Protocols: &protocols}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), "POST", url, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := (&http.Client{Transport: transport, Timeout: harness.Patience}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return harness.Response{Status: resp.StatusCode, Header: resp.Header, Body: string(text)}
}
