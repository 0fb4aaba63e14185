package operator

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fleet is a source with a bit of everything.
type fleet struct{}

func (fleet) Parts() []Part {
	return []Part{
		{Name: "social", State: Ready, Address: "127.0.0.1:41877", Detail: "sqlite"},
		{Name: "identity", State: Down, Address: "127.0.0.1:41873"},
	}
}

func (fleet) Routes() []Route {
	return []Route{
		{Method: "GET", Path: "/v1/{name=posts/*}/<b>", RPC: "fairlead.social.v1.SocialService/GetPost", Auth: "USER"},
		{RPC: "fairlead.social.v1.SocialService/Watch", Auth: "USER"},
	}
}

func (fleet) Events() []Event {
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	return []Event{{Time: at, Warning: true, Subject: "evil", Text: "<script>alert(1)</script>"}}
}

// site is an operator port on a real listener.
type site struct {
	*Operator
	url    string
	listen net.Listener
}

func newSite(t *testing.T, hosts ...string) *site {
	t.Helper()
	o, err := New(Options{TokenFile: filepath.Join(t.TempDir(), "token"), Source: fleet{}, Version: "1.2.3", Hosts: hosts})
	check(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	done := make(chan error, 1)
	go func() { done <- o.Serve(l) }()
	t.Cleanup(func() {
		check(t, o.Close())
		check(t, <-done)
	})
	return &site{o, "http://" + l.Addr().String(), l}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// do makes a request with the token, after change has had its way with it, and
// does not follow redirects.
func (s *site) do(t *testing.T, path string, change func(*http.Request)) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
	check(t, err)
	req.Header.Set("Authorization", "Bearer "+string(s.token))
	if change != nil {
		change(req)
	}
	r, err := http.DefaultTransport.RoundTrip(req)
	check(t, err)
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	check(t, err)
	return r, string(body)
}

func TestPages(t *testing.T) {
	s := newSite(t)
	for path, want := range map[string][]string{
		"/":                  {"social", "127.0.0.1:41877", "<var>{name=posts/*}</var>/&lt;b&gt;", "/fairlead.social.v1.SocialService/Watch", "&lt;script&gt;", "not all parts ready", "1.2.3"},
		"/console.css":       {"prefers-color-scheme"},
		"/icon.svg":          {"<svg"},
		"/debug/pprof/":      {"goroutine"},
		"/debug/pprof/heap":  {""},
		"/debug/pprof/trace": {""},
	} {
		if strings.HasSuffix(path, "trace") {
			path += "?seconds=0.01"
		}
		r, body := s.do(t, path, nil)
		if r.StatusCode != 200 {
			t.Errorf("%s: %s", path, r.Status)
		}
		for _, w := range want {
			if !strings.Contains(body, w) {
				t.Errorf("%s does not contain %q", path, w)
			}
		}
		if strings.Contains(body, "<script>") {
			t.Errorf("%s is not escaped", path)
		}
	}
	if r, _ := s.do(t, "/outbox", nil); r.StatusCode != 404 {
		t.Errorf("an unknown page: %s", r.Status)
	}
}

func TestStatusJSON(t *testing.T) {
	s := newSite(t)
	_, body := s.do(t, "/status.json", nil)
	var got status
	check(t, json.Unmarshal([]byte(body), &got))
	if len(got.Parts) != 2 || got.Parts[1].State != Down || got.Routes[0].Auth != "USER" || !got.Events[0].Warning {
		t.Errorf("status: %s", body)
	}
}

func TestSecurityHeaders(t *testing.T) {
	s := newSite(t)
	for _, path := range []string{"/", "/status.json", "/?token=wrong", "/debug/pprof/"} {
		r, _ := s.do(t, path, nil)
		for name, want := range map[string]string{
			"Content-Security-Policy": "frame-ancestors 'none'",
			"Referrer-Policy":         "no-referrer",
			"X-Content-Type-Options":  "nosniff",
			"Cache-Control":           "no-store",
		} {
			if got := r.Header.Get(name); !strings.Contains(got, want) {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		if got := r.Header.Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("%s may be read by %q", path, got)
		}
	}
}

// What a web page or another user of the machine may try, each with the right
// token unless the case is about it.
func TestRefused(t *testing.T) {
	s := newSite(t, "ops.internal", "tunnel.example:8443")
	_, port, err := net.SplitHostPort(s.listen.Addr().String())
	check(t, err)
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	host := func(name string) func(*http.Request) {
		return func(r *http.Request) { r.Host = name }
	}
	for name, c := range map[string]struct {
		change func(*http.Request)
		code   int
	}{
		"token":               {nil, 200},
		"no token":            {header("Authorization", ""), 401},
		"wrong token":         {header("Authorization", "Bearer "+strings.Repeat("A", 43)), 401},
		"another scheme":      {header("Authorization", "Basic "+string(s.token)), 401},
		"localhost":           {host("localhost:" + port), 200},
		"ipv6":                {host("[::1]:" + port), 200},
		"a configured name":   {host("ops.internal:" + port), 200},
		"a configured tunnel": {host("tunnel.example:8443"), 200},
		"tunnel's other port": {host("tunnel.example:1"), 421},
		"rebound name":        {host("evil.example:" + port), 421},
		"suffix of a name":    {host("localhost.evil.example:" + port), 421},
		"another port":        {host("localhost:1"), 421},
		"no port":             {host("localhost"), 421},
		"foreign origin":      {header("Origin", "https://evil.example"), 403},
		"null origin":         {header("Origin", "null"), 403},
		"another local port":  {header("Origin", "http://127.0.0.1:3000"), 403},
		"own origin":          {header("Origin", s.url), 200},
		"cross-site":          {header("Sec-Fetch-Site", "cross-site"), 403},
		"same-site":           {header("Sec-Fetch-Site", "same-site"), 403},
		"same-origin":         {header("Sec-Fetch-Site", "same-origin"), 200},
		"typed":               {header("Sec-Fetch-Site", "none"), 200},
		"post":                {func(r *http.Request) { r.Method = "POST" }, 405},
		"preflight":           {func(r *http.Request) { r.Method = "OPTIONS"; r.Header.Set("Origin", "https://evil.example") }, 403},
	} {
		for _, path := range []string{"/", "/status.json", "/debug/pprof/"} {
			if r, _ := s.do(t, path, c.change); r.StatusCode != c.code {
				t.Errorf("%s: %s answers %s, want %d", name, path, r.Status, c.code)
			}
		}
	}
}

func TestSignInWithLink(t *testing.T) {
	s := newSite(t)
	link, err := url.Parse(s.Link(s.listen.Addr()))
	check(t, err)
	link.Host = s.listen.Addr().String() // localhost may be ::1 here
	link.RawQuery += "&live="

	jar, err := cookiejar.New(nil)
	check(t, err)
	browser := http.Client{Jar: jar}
	r, err := browser.Get(link.String())
	check(t, err)
	r.Body.Close()
	if r.StatusCode != 200 || r.Request.URL.RequestURI() != "/?live=" {
		t.Fatalf("the link ended at %s with %s", r.Request.URL, r.Status)
	}
	r, err = browser.Get(s.url + "/status.json")
	check(t, err)
	r.Body.Close()
	if r.StatusCode != 200 {
		t.Errorf("with the cookie: %s", r.Status)
	}

	r, _ = s.do(t, "/?token="+string(s.token), nil)
	cookie := r.Header.Get("Set-Cookie")
	for _, want := range []string{"HttpOnly", "SameSite=Strict", "Path=/"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("cookie %q lacks %s", cookie, want)
		}
	}
	if strings.Contains(cookie, string(s.token)) {
		t.Error("the cookie holds the token itself")
	}
}

func TestBadLinks(t *testing.T) {
	s := newSite(t)
	r, _ := s.do(t, "/?token=wrong", nil)
	if r.StatusCode != 401 || r.Header.Get("Set-Cookie") != "" {
		t.Errorf("wrong token: %s, cookie %q", r.Status, r.Header.Get("Set-Cookie"))
	}
	for _, path := range []string{"//evil.example/", "/%5Cevil.example/", "/..//evil.example"} {
		r, _ := s.do(t, path+"?token="+string(s.token), nil)
		target, err := url.Parse(r.Header.Get("Location"))
		check(t, err)
		if target.Host != "" || strings.HasPrefix(r.Header.Get("Location"), "//") {
			t.Errorf("%s leads to %q", path, r.Header.Get("Location"))
		}
	}
}

func TestCookies(t *testing.T) {
	now := time.Now()
	a, b := token(strings.Repeat("a", 43)), token(strings.Repeat("b", 43))
	good := a.cookie(now.Add(time.Hour))
	for name, c := range map[string]struct {
		of    token
		value string
		at    time.Time
		ok    bool
	}{
		"good":           {a, good, now, true},
		"over":           {a, good, now.Add(time.Hour), false},
		"another token":  {b, good, now, false},
		"longer life":    {a, "9" + good, now, false},
		"cut short":      {a, good[:len(good)-1], now, false},
		"empty":          {a, "", now, false},
		"the token":      {a, string(a), now, false},
		"no signature":   {a, strings.Split(good, ".")[0], now, false},
		"empty and dots": {a, "..", now, false},
	} {
		if got := c.of.isCookie(c.value, c.at); got != c.ok {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestTokenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "token")
	first, err := openToken(path)
	check(t, err)
	again, err := openToken(path)
	check(t, err)
	if first != again || len(first) != 43 {
		t.Errorf("tokens %q and %q", first, again)
	}
	info, err := os.Stat(path)
	check(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v", info.Mode())
	}
	check(t, os.Chmod(path, 0o644))
	if _, err := openToken(path); err == nil {
		t.Error("a token that others can read is accepted")
	}
	check(t, os.Chmod(path, 0o600))
	check(t, os.WriteFile(path, nil, 0o600))
	if _, err := openToken(path); err == nil {
		t.Error("an empty token is accepted")
	}
}
