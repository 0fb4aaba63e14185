package e2e_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/fairlead-mesh/fairlead/test/harness"
)

// evil is an origin that is not ours; a page of it can point its own name at
// this machine, so that the browser sends it as Host.
const (
	evil       = "https://evil.example"
	evilOrigin = "Origin: " + evil
	crossSite  = "Sec-Fetch-Site: cross-site"
)

// closedToPages fails when an answer can be read by a page of another origin.
func closedToPages(t *testing.T, what string, r harness.Response) {
	t.Helper()
	for name := range r.Header {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("%s answers %s: %s", what, name, r.Header.Get(name))
		}
	}
}

// The public port has CORS for the origins that the operator names: by default
// none.
func TestPublicPortIsClosedToPages(t *testing.T) {
	s := harness.Shared(t)
	p := s.SignIn(t)
	for _, path := range []string{"/v1/users/me", "/v1/users/me/posts", "/openapi.json", "/.well-known/jwks.json", "/nothing"} {
		closedToPages(t, path, p.Do(t, "GET", path, "", evilOrigin, crossSite))
		preflight := s.Do(t, "OPTIONS", path, "", evilOrigin, crossSite, "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization")
		closedToPages(t, "the preflight of "+path, preflight)
	}
	// What a page can send without asking first has no token: it changes nothing.
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"} {
		r := s.Do(t, "POST", "/v1/users/me/posts", `{"text":"from a page"}`, evilOrigin, crossSite, "Content-Type: "+kind, "Cookie: token="+p.AccessToken)
		if closedToPages(t, kind, r); r.Status != 401 && r.Status != 415 {
			t.Errorf("%s: %d %s", kind, r.Status, r.Body)
		}
	}
	if n := len(p.Posts(t).Posts); n != 0 {
		t.Errorf("a page has posted %d times", n)
	}
}

// The probe port tells three things, and takes nothing.
func TestProbePortIsClosedToPages(t *testing.T) {
	s := harness.Shared(t)
	for path, want := range map[string]int{
		"/healthz": 200, "/readyz": 200, "/metrics": 200,
		"/": 404, "/debug/pprof/": 404, "/status.json": 404, "/v1/users/me": 404, "/metrics/": 404, "/v3/kv/range": 404,
	} {
		r := s.Ask(t, s.Probe, "GET", path, "", evilOrigin, crossSite)
		if closedToPages(t, path, r); r.Status != want {
			t.Errorf("%s: %d, want %d", path, r.Status, want)
		}
		for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS"} {
			r := s.Ask(t, s.Probe, method, path, "x", evilOrigin, crossSite)
			if closedToPages(t, path, r); r.Status != 405 && r.Status != 404 {
				t.Errorf("%s %s: %d", method, path, r.Status)
			}
		}
	}
}

// The operator port answers who has the token, asks for it under its own name,
// and is no page of another origin, even in the operator's own browser.
func TestOperatorPortIsClosedToPages(t *testing.T) {
	s := harness.Shared(t)
	bearer, cookie := "Authorization: Bearer "+s.OperatorToken(t), "Cookie: "+operatorCookie(t, s)
	for _, path := range []string{"/", "/status.json", "/debug/pprof/", "/debug/pprof/heap"} {
		for name, c := range map[string]struct {
			headers []string
			want    int
		}{
			"with the token":               {[]string{bearer}, 200},
			"with the cookie":              {[]string{cookie}, 200},
			"with neither":                 {nil, 401},
			"with another token":           {[]string{"Authorization: Bearer " + strings.Repeat("A", 43)}, 401},
			"cookie, another origin":       {[]string{cookie, evilOrigin}, 403},
			"cookie, another site":         {[]string{cookie, crossSite}, 403},
			"cookie, another local port":   {[]string{cookie, "Origin: http://" + s.Public, "Sec-Fetch-Site: same-site"}, 403},
			"cookie, no origin of a frame": {[]string{cookie, "Origin: null"}, 403},
			"cookie, rebound name":         {[]string{cookie, "Host: evil.example"}, 421},
			"token, rebound name":          {[]string{bearer, "Host: evil.example"}, 421},
		} {
			r := s.Ask(t, s.Operator, "GET", path, "", c.headers...)
			if closedToPages(t, path+" "+name, r); r.Status != c.want {
				t.Errorf("%s %s: %d, want %d", path, name, r.Status, c.want)
			}
			if c.want != 200 && strings.Contains(r.Body, "identity") {
				t.Errorf("%s %s tells %s", path, name, r.Body)
			}
		}
		for _, method := range []string{"POST", "PUT", "DELETE"} {
			if r := s.Ask(t, s.Operator, method, path, "x", cookie, evilOrigin, crossSite); r.Status != 403 {
				t.Errorf("%s %s: %d", method, path, r.Status)
			}
		}
	}
}

// operatorCookie opens the operator's link as a browser does, and returns the
// cookie that it then has.
func operatorCookie(t *testing.T, s *harness.System) string {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	browser := http.Client{Jar: jar, Transport: transport, Timeout: harness.Patience}
	r, err := browser.Get(s.OperatorLink)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	link, err := url.Parse(s.OperatorLink)
	if err != nil || r.StatusCode != 200 || len(jar.Cookies(link)) != 1 {
		t.Fatalf("the operator's link answers %s with the cookies %v: %v", r.Status, jar.Cookies(link), err)
	}
	return jar.Cookies(link)[0].String()
}
